//! A token, taken apart without being shown, and each of its claims beside what is expected.
//!
//! The checks are the verifier's own. It stops at the first that fails; here all of them are made, and
//! its verdict comes last. What a token says of itself is proven only by its signature: where that
//! cannot be checked it is said.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;

use super::key_set::{Keys, MOST_PUBLISHED, TOO_MANY_ROWS};
use super::report::{Check, Status};
use super::shown::{quoted, relative, shown};
use crate::claim_set::{ClaimSet, time};
use crate::error::Claim;
use crate::json::{Object, Value};
use crate::jws::{Buffer, CompactJws, Header};
use crate::keys::{KeySource, Source};
use crate::policy::{Times, check_subject};
use crate::{Policy, Principal, Verifier, VerifyError, VerifyingKey};

const INPUT: &str = "token.input";
const TYPE: &str = "token.type";
const ALGORITHM: &str = "token.algorithm";
const KEY: &str = "token.key";
const SIGNATURE: &str = "token.signature";
const TIMES: &str = "token.times";
const ISSUER: &str = "token.issuer";
const AUDIENCE: &str = "token.audience";
const SUBJECT: &str = "token.subject";
const VERDICT: &str = "token.verdict";

const GET_A_TOKEN: &str =
    "send the token that /api/auth/token answers: authClient.token() in the browser";

/// Claims that say who somebody is. Their values are not to be seen in what is shown of others.
const PERSONAL: [&str; 13] = [
    "sub",
    "id",
    "sid",
    "email",
    "name",
    "image",
    "username",
    "displayUsername",
    "preferred_username",
    "given_name",
    "family_name",
    "nickname",
    "phoneNumber",
];

/// Some issuers, what their tokens must say, and their keys, if they were found.
pub(super) struct Trusted<'t> {
    pub(super) policy: &'t Policy,
    pub(super) keys: Option<Keys>,
}

/// What a token is compared with.
struct Known<'k> {
    policy: &'k Policy,
    keys: Option<&'k Keys>,
    /// All that are trusted, the policy's own included.
    issuers: Vec<&'k str>,
    now: SystemTime,
}

impl<'k> Known<'k> {
    /// What the verifier would choose, by an issuer that is not proven yet; for one that nobody
    /// trusts, the first.
    fn choose(trusts: &'k [Trusted<'_>], issuer: Option<&str>, now: SystemTime) -> Option<Self> {
        let names = |trusted: &&Trusted<'_>| {
            issuer.is_some_and(|issuer| trusted.policy.names_issuer(issuer))
        };
        let chosen = trusts.iter().find(names).or(trusts.first())?;
        let issuers = trusts.iter().flat_map(|trusted| trusted.policy.issuers());
        Some(Self {
            policy: chosen.policy,
            keys: chosen.keys.as_ref(),
            issuers: issuers.map(|issuer| &**issuer).collect(),
            now,
        })
    }
}

/// A JWT taken apart; nothing of it is checked yet.
struct Parts<'t> {
    jws: CompactJws<'t>,
    len: usize,
    header: Header<'t>,
    /// Its `alg` as it stands there.
    algorithm: &'t str,
    payload: Result<&'t Object<'t>, VerifyError>,
    /// Not to be seen in what is shown.
    personal: Vec<&'t str>,
}

impl Parts<'_> {
    fn shown(&self, value: Option<&str>) -> String {
        value.map_or_else(|| "none".to_owned(), |value| shown(value, &self.personal))
    }

    fn claims(&self, policy: &Policy) -> Option<ClaimSet<'_>> {
        let payload = self.payload.as_ref().ok()?;
        Some(policy.find_claims(payload))
    }
}

/// Takes a token apart.
pub(super) async fn dissect(
    token: &str,
    trusts: &[Trusted<'_>],
    now: SystemTime,
    checks: &mut Vec<Check>,
) {
    let limits = trusts
        .iter()
        .map(|trusted| trusted.policy.token_len_limit());
    let jws = match CompactJws::split(token, limits.max().unwrap_or_default()) {
        Ok(jws) => jws,
        Err(error) => return checks.push(no_jws(token, &error)),
    };
    let (mut header_buffer, mut payload_buffer) = (Buffer::new(), Buffer::new());
    let header = jws.decode_header(&mut header_buffer);
    let header = header.and_then(|bytes| Ok((Header::parse(bytes)?, Object::parse(bytes))));
    let (header, raw_header) = match header {
        Ok((header, Ok(raw))) => (header, raw),
        Ok((_, Err(_))) => return checks.push(refusal(INPUT, &VerifyError::HeaderInvalid)),
        Err(error) => return checks.push(refusal(INPUT, &error).fix(GET_A_TOKEN)),
    };
    let payload = jws.decode_payload(&mut payload_buffer);
    let payload =
        payload.and_then(|bytes| Object::parse(bytes).map_err(|_| VerifyError::PayloadInvalid));
    let payload = payload.as_ref().map_err(Clone::clone);
    let parts = Parts {
        jws,
        len: token.len(),
        header,
        algorithm: member(&raw_header, "alg").unwrap_or_default(),
        personal: payload
            .as_ref()
            .map_or_else(|_| Vec::new(), |payload| personal(payload)),
        payload,
    };

    let issuer = parts.payload.as_ref().ok();
    let issuer = issuer.and_then(|payload| member(payload, "iss"));
    let Some(known) = Known::choose(trusts, issuer, now) else {
        return;
    };
    checks.push(kind(&parts, known.policy));
    checks.push(token_type(&parts, known.policy));
    checks.push(algorithm(&parts, known.policy));
    checks.push(key(&parts, &known));
    let signature = signature(&parts, &known);
    let is_proven = signature.status == Status::Ok;
    checks.push(signature);
    match (parts.claims(known.policy), &parts.payload) {
        (Some(found), _) => claims(&found, &parts, &known, is_proven, checks),
        (None, Err(error)) => checks.push(refusal(SUBJECT, error).fix(GET_A_TOKEN)),
        (None, Ok(_)) => {}
    }
    checks.push(verdict(token, trusts, &known).await);
}

/// The values of the claims that say who somebody is.
fn personal<'p>(payload: &'p Object<'_>) -> Vec<&'p str> {
    let claims = payload
        .members()
        .filter(|(name, _)| PERSONAL.contains(name));
    let texts = claims.flat_map(|(_, value)| {
        let several = value.as_texts().into_iter().flatten();
        value.as_text().into_iter().chain(several)
    });
    texts.collect()
}

/// A check that failed as the verifier says it.
fn refusal(id: &'static str, error: &VerifyError) -> Check {
    Check::wrong(id, error.code(), error.to_string())
}

/// What it is, if it is no JWS.
fn no_jws(token: &str, error: &VerifyError) -> Check {
    let wrong = |code, summary: &str, fix: &str| Check::wrong(INPUT, code, summary).fix(fix);
    match error {
        VerifyError::TokenTooLarge { limit } => wrong(
            error.code(),
            &format!(
                "a token of {} bytes, where {limit} are allowed",
                token.len()
            ),
            "choose what goes into the token with definePayload of the auth server's jwt plugin: by default \
             it is the whole user row, avatar included",
        ),
        VerifyError::SessionToken if token.contains('%') => wrong(
            error.code(),
            "a Better Auth session token, percent-encoded, and no JWT",
            GET_A_TOKEN,
        ),
        VerifyError::SessionToken if token.contains('.') => wrong(
            error.code(),
            "a Better Auth session token (set-auth-token, or the session cookie's), and no JWT",
            GET_A_TOKEN,
        ),
        VerifyError::SessionToken => wrong(
            error.code(),
            "an opaque token, and no JWT: a Better Auth session token, or an OAuth access token that was \
             asked for without a resource",
            "send the token that /api/auth/token answers; an OAuth client has to ask with resource= this API",
        ),
        VerifyError::TokenEncrypted => {
            let header = token.split('.').next().and_then(decode);
            let header = header
                .as_deref()
                .and_then(|bytes| Object::parse(bytes).ok());
            let name = |name| {
                let value = header.as_ref().and_then(|header| member(header, name));
                value.map_or("none".to_owned(), |value| shown(value, &[]))
            };
            wrong(
                error.code(),
                "an encrypted token (JWE), as Better Auth's session cookie is with cookieCache.strategy jwe",
                GET_A_TOKEN,
            )
            .detail(format!("alg {}, enc {}", name("alg"), name("enc")))
        }
        _ if is_compact_session_cookie(token) => wrong(
            "session_cookie",
            "the value of Better Auth's session_data cookie, and no JWT",
            GET_A_TOKEN,
        ),
        _ if token.starts_with("eyJ") => wrong(
            error.code(),
            "it begins as a JWT, and does not have its three parts: it was cut off, or joined with another",
            "copy the whole token, from eyJ to the end",
        ),
        _ => wrong(error.code(), &error.to_string(), GET_A_TOKEN),
    }
}

/// Base64 of either alphabet, with padding or without.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn is_compact_session_cookie(token: &str) -> bool {
    let token = token.replace("%3D", "=");
    let decoded = decode(&token);
    let object = decoded
        .as_deref()
        .and_then(|bytes| Object::parse(bytes).ok());
    object.is_some_and(|object| object.members().any(|(name, _)| name == "session"))
}

fn member<'o>(object: &'o Object<'_>, name: &str) -> Option<&'o str> {
    let mut members = object.members();
    members.find(|(other, _)| *other == name)?.1.as_text()
}

/// What kind of JWT it is.
fn kind(parts: &Parts<'_>, policy: &Policy) -> Check {
    let has = |name: &str| {
        let payload = parts.payload.as_ref();
        payload.is_ok_and(|payload| payload.members().any(|(other, _)| other == name))
    };
    let size = format!("a JWT of {} bytes", parts.len);
    let wrong = |code, what: &str| {
        let summary = format!("{size}: {what}, and no access token");
        Check::wrong(INPUT, code, summary).fix(GET_A_TOKEN)
    };
    let token_type = parts.header.token_type.as_deref().unwrap_or_default();
    let token_type = token_type.to_ascii_lowercase();
    if has("cnf") {
        let error = VerifyError::SenderConstrained;
        return refusal(INPUT, &error)
            .fix("let the client ask for a bearer token, without a DPoP header");
    }
    match token_type.trim_start_matches("application/") {
        "better-auth.session-cache+jwt" => {
            return wrong("session_cookie", "Better Auth's session cookie");
        }
        "logout+jwt" => return wrong("logout_token", "a logout token"),
        "dpop+jwt" => return wrong("dpop_proof", "a DPoP proof"),
        "at+jwt" => return Check::ok(INPUT, format!("{size}: an OAuth access token")),
        _ => {}
    }
    if parts.algorithm.starts_with("HS") && has("session") {
        return wrong("session_cookie", "Better Auth's session cookie");
    }
    let of_id_tokens = ["nonce", "at_hash", "auth_time", "c_hash"];
    // An application may put claims of these names into tokens for this API.
    let for_somebody_else = parts
        .claims(policy)
        .is_some_and(|found| policy.check_audience(found.aud).is_err());
    if for_somebody_else && of_id_tokens.iter().any(|name| has(name)) {
        let what = "an id_token, which tells the client who has signed in";
        return wrong("id_token", what)
            .fix("send the access token, asked for with resource= this API");
    }
    Check::ok(INPUT, size)
}

fn token_type(parts: &Parts<'_>, policy: &Policy) -> Check {
    let token_type = parts.header.token_type.as_deref();
    let name = parts.shown(token_type);
    match policy.check_token_type(token_type) {
        Ok(()) => Check::ok(TYPE, format!("typ {name}")),
        Err(error) => {
            let accepted: Vec<String> = policy.accepted_types().map(quoted).collect();
            let none = if policy.demands_type() { "" } else { "none, " };
            refusal(TYPE, &error)
                .detail(format!("token    {name}"))
                .detail(format!("allowed  {none}{}", accepted.join(", ")))
                .fix(GET_A_TOKEN)
        }
    }
}

fn algorithm(parts: &Parts<'_>, policy: &Policy) -> Check {
    let name = parts.shown(Some(parts.algorithm));
    let error = match policy.check_algorithm(parts.header.algorithm) {
        Ok(_) => return Check::ok(ALGORITHM, format!("alg {name}")),
        Err(error) => error,
    };
    let check = refusal(ALGORITHM, &error)
        .detail(format!("token    {name}"))
        .detail(format!("allowed  {}", policy.allowed_algorithms()));
    match parts.header.algorithm {
        Some(known) => check.fix(format!(
            "add {known} to JWT_ALGORITHMS, if the auth server is meant to use it"
        )),
        None if parts.algorithm.starts_with("HS") => check.fix(
            "send a token of the auth server's jwt plugin: an HMAC is made with its secret, which no other \
             service may have",
        ),
        None => check.fix(GET_A_TOKEN),
    }
}

/// The key that the header selects; `None` if there is nothing to select from or by.
fn select<'k>(
    parts: &Parts<'_>,
    known: &Known<'k>,
) -> Result<Option<&'k VerifyingKey>, VerifyError> {
    match (known.keys, parts.header.algorithm) {
        (Some(keys), Some(algorithm)) => {
            let key = keys.set.select(parts.header.key_id.as_deref(), algorithm)?;
            Ok(Some(key))
        }
        _ => Ok(None),
    }
}

fn key(parts: &Parts<'_>, known: &Known<'_>) -> Check {
    let kid = parts.header.key_id.as_deref();
    let name = kid.map_or("no kid".to_owned(), |kid| {
        format!("kid {}", parts.shown(Some(kid)))
    });
    let error = match select(parts, known) {
        Ok(None) => return Check::skipped(KEY, format!("{name}; it cannot be looked for")),
        Ok(Some(_)) => return Check::ok(KEY, format!("{name} is in the key set")),
        Err(error) => error,
    };
    let published = known.keys.map_or(0, |keys| keys.published);
    let other_issuer = parts
        .claims(known.policy)
        .is_some_and(|found| known.policy.check_issuer(found.iss).is_err());
    let unknown = format!("{name} is not in the key set");
    let wrong = |summary| Check::wrong(KEY, error.code(), summary);
    match error {
        VerifyError::KeyUnknown { .. } if published >= MOST_PUBLISHED => wrong(format!(
            "{unknown}, which holds the {MOST_PUBLISHED} keys that Better Auth publishes at most: the auth \
             server signs with a key that it does not publish"
        ))
        .fix(TOO_MANY_ROWS),
        VerifyError::KeyUnknown { .. } if other_issuer => wrong(format!(
            "{unknown}: it is another auth server's, see token.issuer"
        ))
        .fix("get a token from the auth server that BETTER_AUTH_URL names"),
        VerifyError::KeyUnknown { .. } => wrong(unknown).fix(
            "get a new token; if that has the same kid, BETTER_AUTH_URL or JWKS_URL leads to another server or \
             another database than the one that signs",
        ),
        VerifyError::KeyAlgorithmMismatch => wrong(format!("{name}: {error}")).fix(
            "get a new token: the key of this kid is another one now, as in a database that was made anew",
        ),
        _ => wrong(error.to_string()).fix(GET_A_TOKEN),
    }
}

fn signature(parts: &Parts<'_>, known: &Known<'_>) -> Check {
    const UNPROVEN: &str = "what follows is what the token says of itself, unproven";
    let key = select(parts, known).ok().flatten();
    let (Some(key), Some(algorithm)) = (key, parts.header.algorithm) else {
        let why = match known.keys {
            None => "there are no keys",
            Some(_) => "there is no key for it",
        };
        let summary = format!("cannot be checked, since {why}; {UNPROVEN}");
        return Check::skipped(SIGNATURE, summary);
    };
    let mut buffer = Buffer::new();
    let signature = parts.jws.decode_signature(&mut buffer);
    let error = match signature {
        Ok(signature) if key.verify(algorithm, parts.jws.signing_input(), signature) => {
            return Check::ok(SIGNATURE, "the auth server's");
        }
        Ok(_) => VerifyError::SignatureInvalid,
        Err(error) => error,
    };
    let check = Check::wrong(SIGNATURE, error.code(), format!("{error}; {UNPROVEN}"));
    match error {
        VerifyError::SignatureInvalid => check.fix(
            "get a new token: this one was altered, or its key belongs to a database that was made anew and \
             counts its keys from 1",
        ),
        _ => check.fix("copy the whole token, from eyJ to the end"),
    }
}

fn claims(
    found: &ClaimSet<'_>,
    parts: &Parts<'_>,
    known: &Known<'_>,
    proven: bool,
    checks: &mut Vec<Check>,
) {
    checks.push(times(found, known.policy, known.now));
    checks.push(issuer(found, parts, known, proven));
    checks.push(audience(found, parts, known.policy, proven));
    checks.push(match check_subject(found.sub) {
        Ok(_) => Check::ok(SUBJECT, "there"),
        Err(error) => refusal(SUBJECT, &error).fix(
            "let the auth server name the user: getSubject of its jwt plugin, or sub in signJWT's payload",
        ),
    });
}

fn times(found: &ClaimSet<'_>, policy: &Policy, now: SystemTime) -> Check {
    let claims = [
        (Claim::IssuedAt, found.iat),
        (Claim::NotBefore, found.nbf),
        (Claim::ExpirationTime, found.exp),
    ];
    let mut said = Vec::new();
    let mut read = [None; 3];
    for ((claim, value), slot) in claims.into_iter().zip(&mut read) {
        match time(claim, value) {
            Ok(None) => {}
            Ok(Some(time)) => {
                said.push(format!("{claim} {}", relative(time, now)));
                *slot = Some(time);
            }
            Err(error) => {
                return refusal(TIMES, &error).fix(
                    "let definePayload or signJWT give times as numbers of seconds: Date.now() / 1000",
                );
            }
        }
    }
    let [issued_at, not_before, expires_at] = read;
    let said = said.join(", ");
    let Some(expires_at) = expires_at else {
        return refusal(TIMES, &VerifyError::ClaimMissing(Claim::ExpirationTime))
            .fix("let the auth server give its tokens an exp");
    };
    let times = Times {
        expires_at,
        not_before,
        issued_at,
    };
    match policy.check_times(&times, now) {
        Ok(()) => Check::ok(TIMES, said),
        Err(error) => {
            let fix = match error {
                VerifyError::Expired if is_a_span(expires_at) => {
                    "give expirationTime of the auth server's jwt plugin as a span, \"15m\": a number is a time, \
                     in seconds since 1970"
                }
                VerifyError::Expired => {
                    "get a new token before each request or once this one has expired; if new ones have expired \
                     too, see auth_server.clock"
                }
                _ => "set the clocks of both machines by NTP, see auth_server.clock",
            };
            Check::wrong(TIMES, error.code(), format!("{error}: {said}")).fix(fix)
        }
    }
}

/// Whether a time is so near to 1970 that a number of seconds was meant, or of milliseconds.
fn is_a_span(time: SystemTime) -> bool {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    time < SystemTime::UNIX_EPOCH + YEAR
}

fn issuer(found: &ClaimSet<'_>, parts: &Parts<'_>, known: &Known<'_>, proven: bool) -> Check {
    let error = match known.policy.check_issuer(found.iss) {
        Ok(issuer) => return Check::ok(ISSUER, parts.shown(Some(issuer))),
        Err(error) => error,
    };
    let issuer = found.iss.and_then(Value::as_text);
    let allowed = known.issuers.as_slice();
    let check = refusal(ISSUER, &error).details(beside(parts.shown(issuer), allowed));
    let Some(issuer) = issuer else {
        return check.fix(GET_A_TOKEN);
    };
    // What would have to be escaped is for no configuration.
    let is_shown = parts.shown(Some(issuer)) == format!("\"{issuer}\"");
    let (summary, fix) = match difference(issuer, allowed) {
        Difference::Slash => (
            "the issuers differ in a slash at the end, and are compared as exact strings",
            match proven && is_shown {
                true => format!("JWT_ISSUER={issuer}, or correct jwt.issuer on the auth server"),
                false => "give JWT_ISSUER exactly as the token has it".to_owned(),
            },
        ),
        Difference::Scheme => (
            "the issuers differ in http and https",
            "set baseURL on the auth server to its public URL, with https".to_owned(),
        ),
        Difference::Path => (
            "the issuers differ in their path",
            match (parts.header.token_type.as_deref(), proven && is_shown) {
                (Some(_), true) => format!(
                    "Better Auth's OAuth provider signs as another issuer than its jwt plugin; for its clients: \
                     OAUTH_ISSUER={issuer}, and this API's URL as OAUTH_AUDIENCE"
                ),
                (None, true) => format!("JWT_ISSUER={issuer}, if that is your auth server"),
                _ => "give JWT_ISSUER exactly as the auth server has it".to_owned(),
            },
        ),
        Difference::Host => (
            "the issuers differ in their host: the auth server's baseURL is another or not set, and then the \
             issuer is the Host that was asked",
            format!(
                "set baseURL on the auth server, or BETTER_AUTH_URL in its environment: {}",
                allowed.first().copied().map(quoted).unwrap_or_default()
            ),
        ),
        Difference::Other => (
            "the token comes from another issuer",
            match proven && is_shown {
                true => format!("JWT_ISSUER={issuer}, if that is your auth server"),
                false => "get a token from the auth server that BETTER_AUTH_URL names".to_owned(),
            },
        ),
    };
    Check {
        summary: summary.to_owned(),
        ..check.fix(fix)
    }
}

/// What tells an issuer from those that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    Slash,
    Scheme,
    Path,
    Host,
    Other,
}

fn difference(issuer: &str, allowed: &[&str]) -> Difference {
    let one = |allowed: &&str| {
        let bare = |text: &str| text.trim().trim_end_matches('/').to_ascii_lowercase();
        if bare(issuer) == bare(allowed) {
            return Difference::Slash;
        }
        let (Ok(issuer), Ok(allowed)) = (Url::parse(issuer), Url::parse(allowed)) else {
            return Difference::Other;
        };
        let place = |url: &Url| (url.host_str().map(str::to_owned), url.port());
        if place(&issuer) == place(&allowed) {
            match issuer.scheme() == allowed.scheme() {
                true => Difference::Path,
                false => Difference::Scheme,
            }
        } else if issuer.path() == allowed.path() {
            Difference::Host
        } else {
            Difference::Other
        }
    };
    allowed.iter().map(one).min().unwrap_or(Difference::Other)
}

fn audience(found: &ClaimSet<'_>, parts: &Parts<'_>, policy: &Policy, proven: bool) -> Check {
    let error = match policy.check_audience(found.aud) {
        Ok(audience) => return Check::ok(AUDIENCE, parts.shown(Some(audience))),
        Err(error) => error,
    };
    let texts: Vec<&str> = match found.aud {
        Some(aud) => match aud.as_text() {
            Some(text) => vec![text],
            None => aud.as_texts().map(Iterator::collect).unwrap_or_default(),
        },
        None => Vec::new(),
    };
    let allowed: Vec<&str> = policy.audiences().iter().map(|it| &**it).collect();
    let check = refusal(AUDIENCE, &error);
    let few = texts.iter().take(5).map(|text| parts.shown(Some(text)));
    let shown = match texts.is_empty() {
        true => parts.shown(None),
        false => few.collect::<Vec<_>>().join(", "),
    };
    let check = check.details(beside(shown, &allowed));
    let issuer = found.iss.and_then(Value::as_text);
    let by_default = texts.len() == 1 && texts.first().copied() == issuer;
    let wanted = allowed.first().copied().map(quoted).unwrap_or_default();
    let slash = texts
        .iter()
        .any(|text| difference(text, &allowed) == Difference::Slash);
    if slash {
        check.fix("give JWT_AUDIENCE exactly as the token has it: a slash at the end counts")
    } else if by_default && difference(issuer.unwrap_or_default(), &allowed) == Difference::Host {
        // A token of the jwt plugin's default, for an API with an audience of its own, or without
        // a baseURL.
        check.fix(format!(
            "set audience: {wanted} in the jwt plugin's jwt options on the auth server; without it tokens are for \
             its own baseURL"
        ))
    } else if proven {
        check.fix(format!(
            "let the auth server make tokens for {wanted}, or name in JWT_AUDIENCE what they are for, if that is \
             this API"
        ))
    } else {
        check.fix(GET_A_TOKEN)
    }
}

/// The two values, one below the other.
fn beside(token: String, allowed: &[&str]) -> [String; 2] {
    let allowed: Vec<String> = allowed.iter().map(|allowed| quoted(allowed)).collect();
    [
        format!("token    {token}"),
        format!("allowed  {}", allowed.join(", ")),
    ]
}

/// What the service would say.
async fn verdict(token: &str, trusts: &[Trusted<'_>], known: &Known<'_>) -> Check {
    let Some(keys) = known.keys else {
        return Check::skipped(VERDICT, "none without keys");
    };
    let source = |keys: &Keys| KeySource(Source::Fixed(keys.set.clone()));
    let mut all = trusts
        .iter()
        .filter_map(|trusted| Some((trusted.policy.clone(), source(trusted.keys.as_ref()?))));
    let mut builder = match all.next() {
        Some((policy, keys)) => Verifier::builder(policy, keys),
        None => Verifier::builder(known.policy.clone(), source(keys)),
    };
    for (policy, keys) in all {
        builder = match builder.trust(policy, keys) {
            Ok(builder) => builder,
            Err(error) => return Check::skipped(VERDICT, error.to_string()),
        };
    }
    let verifier: Verifier = builder.without_cache().build();
    let result: Result<Principal, VerifyError> = verifier.verify(token).await;
    match result {
        Ok(principal) if principal.user().is_some() => Check::ok(VERDICT, "accepted, as a user's"),
        Ok(_) => Check::ok(VERDICT, "accepted, as a client's of its own, and no user's"),
        Err(error) => {
            let check = Check::wrong(VERDICT, error.code(), format!("refused: {error}"));
            match error {
                // All else has a check of its own.
                VerifyError::ClaimsRejected => check.fix(
                    "let definePayload give id, email, name and the times as text, and emailVerified as true or \
                     false",
                ),
                _ => check,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::KeySet;
    use crate::service::doctor::report::Report;
    use crate::testing::TestIssuer;

    #[test]
    fn issuers_differ_in_something_that_has_a_name() {
        let allowed = ["https://app.example.com", "https://two.example"];
        for (issuer, expected) in [
            ("https://app.example.com/", Difference::Slash),
            ("https://APP.example.com", Difference::Slash),
            ("https://two.example/ ", Difference::Slash),
            ("http://app.example.com", Difference::Scheme),
            ("https://app.example.com/api/auth", Difference::Path),
            ("https://evil.example", Difference::Host),
            ("https://app.example.com:444", Difference::Host),
            ("https://evil.example/auth", Difference::Other),
            ("evil", Difference::Other),
        ] {
            assert_eq!(difference(issuer, &allowed), expected, "{issuer}");
        }
    }

    /// Claims and header parameters that something is made of, and one that nothing is.
    const NAMES: [&str; 16] = [
        "iss", "aud", "sub", "exp", "nbf", "iat", "email", "name", "sid", "cnf", "nonce",
        "session", "azp", "scope", "role", "x",
    ];

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(serde_json::Value::from),
            "[ -~]{6,40}".prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
            Just("https://app.example.com/".into()),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// The report on a token, with the keys of an issuer.
    fn report(issuer: &TestIssuer, token: &str) -> Report {
        let policy = Policy::new(["https://app.example.com"], ["https://api.example.com"]).unwrap();
        let set = KeySet::from_json(&issuer.key_set_json()).unwrap();
        let set = Arc::new(set);
        let trusts = [Trusted {
            policy: &policy,
            keys: Some(Keys { set, published: 1 }),
        }];
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let mut checks = Vec::new();
        runtime
            .unwrap()
            .block_on(dissect(token, &trusts, SystemTime::now(), &mut checks));
        let mut report = Report::default();
        report.add(checks);
        report
    }

    proptest! {
        /// Whatever a genuine token says of itself, none of it gets out but in quotes, and none of
        /// what is personal.
        #[test]
        fn no_claim_breaks_out(
            typ in prop_oneof![Just("JWT".to_owned()), Just("at+jwt".to_owned()), any::<String>()],
            claims in proptest::collection::btree_map(proptest::sample::select(&NAMES[..]), json(), 0..8),
        ) {
            let issuer = TestIssuer::new("https://app.example.com");
            let mut token = issuer.user("koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8").typ(&typ);
            for (name, value) in &claims {
                token = token.claim(name, value.clone());
            }
            let report = report(&issuer, &token.token());
            let verdict = report.to_text(false);
            prop_assert!(verdict.contains("token.verdict") || verdict.contains("token.input"));
            for text in [verdict, report.to_json()] {
                prop_assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
                prop_assert!(!text.contains("koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8"), "{text}");
                for name in ["sub", "email", "name", "sid"] {
                    let value = claims.get(name).and_then(serde_json::Value::as_str);
                    let value = value.filter(|value| value.len() > 12);
                    prop_assert!(value.is_none_or(|value| !text.contains(value)), "{name}: {text}");
                }
            }
        }

        #[test]
        fn nothing_makes_it_panic(token in prop_oneof![any::<String>(), "[A-Za-z0-9_.%{}\"-]{0,200}"]) {
            let report = report(&TestIssuer::new("https://app.example.com"), &token);
            prop_assert_eq!(report.exit_code(), 3);
        }
    }
}
