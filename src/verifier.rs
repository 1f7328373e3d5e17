//! The one door: a token in, a principal or a refusal out.
//!
//! 1. The token is split within its size limit (`jws`). With several trusts, its `iss` says which
//!    of them is meant (`trust`); from here on there is only that one's policy and keys.
//! 2. Its header must be one the policy accepts; nothing in it is trusted, it only selects among
//!    the keys of the set and the algorithms of the selected key.
//! 3. The signature must be that key's. A token that says itself that it has expired is refused
//!    without asking.
//! 4. Only then are the other claims looked at (`policy`), and read into the application's type.
//!
//! A token that came through before (`cache`) takes a shorter way: its key must still be in use,
//! and its times must still hold. Nothing else about it can have changed.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

use crate::algorithm::Algorithm;
use crate::cache::{CacheOptions, CacheStatus, Proven, TokenCache};
use crate::claims::{BetterAuthUser, Principal, Verified};
use crate::clock::{Clock, SystemClock};
use crate::error::VerifyError;
use crate::json::Object;
use crate::jws::{Buffer, CompactJws, Header, check_len};
use crate::keys::KeySource;
use crate::keys::key::VerifyingKey;
use crate::keys::key_set::KeySet;
use crate::keys::refresh::Waiting;
use crate::keys::remote::{KeySetStatus, KeyWait, Lookup, RemoteKeySet};
use crate::observe::{HITS_PER_TIMED_HIT, Observation, VerificationObserver};
use crate::policy::Policy;
use crate::protected_resource::Challenge;
use crate::trust::{Trust, TrustError, TrustId, Trusts};

/// Verifies tokens. Cheap to clone; clones share everything.
///
/// `C` is the type a user's claims are read into: any `Deserialize` type, by default what Better
/// Auth puts into its tokens.
///
/// ```
/// use keyward::{KeySet, Policy, Verifier};
/// # use keyward::testing::TestIssuer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = TestIssuer::new("https://app.example.com");
/// # let (jwks, token) = (issuer.key_set_json(), issuer.token("ada"));
///
/// let policy = Policy::new(["https://app.example.com"], ["https://app.example.com"])?;
/// let verifier: Verifier = Verifier::builder(policy, KeySet::from_json(&jwks)?).build();
///
/// let principal = verifier.verify(&token).await?;
/// assert_eq!(principal.subject(), "ada");
///
/// let error = verifier.verify("garbage").await.unwrap_err();
/// assert_eq!(error.code(), "token_malformed");
/// # Ok(())
/// # }
/// ```
pub struct Verifier<C = BetterAuthUser>(Arc<Inner<C>>);

struct Inner<C> {
    trusts: Trusts,
    clock: Arc<dyn Clock>,
    realm: Box<str>,
    resource_metadata: Option<Box<str>>,
    /// Keyed anew in each process, so that a fingerprint in a log says nothing about the token.
    fingerprints: RandomState,
    cache: Option<TokenCache<C>>,
    observer: Option<Arc<dyn VerificationObserver>>,
}

/// Sets up a [`Verifier`].
#[derive(Debug)]
#[must_use]
pub struct VerifierBuilder {
    trusts: Trusts,
    clock: Arc<dyn Clock>,
    realm: Box<str>,
    resource_metadata: Option<Box<str>>,
    cache: Option<CacheOptions>,
    observer: Option<Arc<dyn VerificationObserver>>,
}

impl VerifierBuilder {
    /// Trusts other issuers as well, with a policy and keys of their own. What a token says in
    /// `iss` decides, as an exact string, whose it is; it is then checked with that policy and
    /// those keys, and with nothing of the others.
    ///
    /// A subject is unique among the users of one issuer (RFC 7519 §4.1.2): where issuers do not
    /// share their users, what belongs to a user is found by [`Claims::issuer`](crate::Claims::issuer)
    /// *and* subject.
    ///
    /// Keys may be shared, by a clone of a [`RemoteKeySet`](crate::RemoteKeySet), where one server
    /// signs for both. Claims are read into one type, for all of them.
    ///
    /// ```
    /// # #[cfg(feature = "remote")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use keyward::{BetterAuthUrl, Policy, RefreshOptions, RemoteKeySet, Verifier};
    ///
    /// let auth = BetterAuthUrl::parse("https://app.example.com")?;
    /// let keys = RemoteKeySet::new(auth.fetcher(false)?, RefreshOptions::default());
    /// // What the web app's own users send, and what OAuth clients do.
    /// let users = Policy::new([auth.origin()], ["https://api.example.com"])?;
    /// let clients = Policy::for_access_tokens([auth.oauth_issuer()], ["https://api.example.com"])?;
    /// let verifier: Verifier = Verifier::builder(users, keys.clone()).trust(clients, keys)?.build();
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "remote"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// When an issuer of `policy` is trusted already.
    pub fn trust(mut self, policy: Policy, keys: impl Into<KeySource>) -> Result<Self, TrustError> {
        let keys = keys.into();
        self.trusts.add(Trust { policy, keys })?;
        Ok(self)
    }

    /// Tells the time that tokens' times are compared with. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The `realm` of the challenge sent with a 401 (RFC 9110 §11.5). Default: `keyward`.
    /// Characters that do not fit into a quoted string are left out.
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = realm.into();
        self
    }

    /// Where a client learns how to get a token: the URL of a document that the application serves
    /// (RFC 9728), see [`ProtectedResource`](crate::ProtectedResource). Each challenge names it as
    /// `resource_metadata`. Default: none.
    pub fn resource_metadata(mut self, url: impl Into<Box<str>>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// How many verified tokens are remembered. Default: [`CacheOptions::default`].
    pub fn cache(mut self, options: CacheOptions) -> Self {
        self.cache = Some(options);
        self
    }

    /// Verifies every token anew, however often it comes.
    pub fn without_cache(mut self) -> Self {
        self.cache = None;
        self
    }

    /// Is told of each verification, for metrics. Default: nobody.
    pub fn observer(mut self, observer: impl VerificationObserver) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The verifier. Annotate its type to choose the claims type.
    pub fn build<C: DeserializeOwned>(self) -> Verifier<C> {
        Verifier(Arc::new(Inner {
            trusts: self.trusts,
            clock: self.clock,
            realm: self.realm,
            resource_metadata: self.resource_metadata,
            fingerprints: RandomState::new(),
            cache: self.cache.map(TokenCache::new),
            observer: self.observer,
        }))
    }
}

impl Verifier {
    /// Sets up a verifier with a policy and a source of keys: a [`KeySet`], or a
    /// [`RemoteKeySet`](crate::RemoteKeySet).
    pub fn builder(policy: Policy, keys: impl Into<KeySource>) -> VerifierBuilder {
        let keys = keys.into();
        VerifierBuilder {
            trusts: Trusts::new(Trust { policy, keys }),
            clock: Arc::new(SystemClock),
            realm: "keyward".into(),
            resource_metadata: None,
            cache: Some(CacheOptions::default()),
            observer: None,
        }
    }

    /// Sets up a verifier for a Better Auth server with its default configuration: issuer and
    /// audience are the origin of `base_url`, and the key set is looked for below it.
    ///
    /// # Errors
    /// When `base_url` is not a base URL, or is `http` and not a loopback host.
    #[cfg(feature = "remote")]
    pub fn for_better_auth(base_url: &str) -> Result<VerifierBuilder, crate::UrlError> {
        let url = crate::BetterAuthUrl::parse(base_url)?;
        let origin = url.origin();
        Self::for_better_auth_at(&url, &origin)
    }

    /// As [`for_better_auth`](Self::for_better_auth), for an API with an audience of its own, as
    /// every API should have: what `jwt({ jwt: { audience } })` says on the other side.
    ///
    /// ```
    /// use keyward::Verifier;
    ///
    /// let verifier: Verifier =
    ///     Verifier::for_better_auth_api("https://app.example.com", "https://api.example.com")?.build();
    /// # Ok::<(), keyward::UrlError>(())
    /// ```
    ///
    /// For any other policy, put the same parts together by hand:
    ///
    /// ```
    /// use std::time::Duration;
    /// use keyward::{BetterAuthUrl, Policy, RefreshOptions, RemoteKeySet, Verifier};
    ///
    /// let auth = BetterAuthUrl::parse("https://app.example.com")?;
    /// let policy = Policy::new([auth.origin()], ["https://api.example.com"])?
    ///     .leeway(Duration::from_secs(5));
    /// let keys = RemoteKeySet::new(auth.fetcher(false)?, RefreshOptions::default());
    /// let verifier: Verifier = Verifier::builder(policy, keys).build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`for_better_auth`](Self::for_better_auth), and when `audience` is empty.
    #[cfg(feature = "remote")]
    pub fn for_better_auth_api(
        base_url: &str,
        audience: &str,
    ) -> Result<VerifierBuilder, crate::UrlError> {
        Self::for_better_auth_at(&crate::BetterAuthUrl::parse(base_url)?, audience)
    }

    #[cfg(feature = "remote")]
    fn for_better_auth_at(
        url: &crate::BetterAuthUrl,
        audience: &str,
    ) -> Result<VerifierBuilder, crate::UrlError> {
        let policy = Policy::new([url.origin()], [audience]);
        Self::fetching(policy, url.fetcher(false)?)
    }

    /// What a policy lacks is told as the fault of the URL or the text it was made from.
    #[cfg(feature = "remote")]
    fn fetching(
        policy: Result<Policy, crate::PolicyError>,
        fetcher: impl crate::FetchKeySet,
    ) -> Result<VerifierBuilder, crate::UrlError> {
        let policy = policy.map_err(|_| crate::UrlError::Invalid)?;
        let keys = RemoteKeySet::new(fetcher, Default::default());
        Ok(Self::builder(policy, keys))
    }

    /// Sets up a verifier for the OAuth access tokens that a Better Auth server with
    /// `@better-auth/oauth-provider` issues for `resource`, the API's own URL: `typ` `at+jwt`,
    /// issuer `{base_url}/api/auth`, and a client that may be a user's or act for itself. See
    /// [`Policy::for_access_tokens`].
    ///
    /// An access token is a JWT only if the client asks for `resource` (RFC 8707); without it is an
    /// opaque text, which is refused as `session_token`. What a token may do is in its scopes:
    /// demand them, see [`Requirement::scope`](crate::Requirement::scope).
    ///
    /// For both kinds of token in one verifier see [`VerifierBuilder::trust`].
    ///
    /// ```
    /// use keyward::{ProtectedResource, Requirement, Verifier};
    ///
    /// let resource = ProtectedResource::new("https://api.example.com", ["https://app.example.com/api/auth"])?;
    /// let verifier: Verifier =
    ///     Verifier::for_better_auth_oauth("https://app.example.com", resource.resource())?
    ///         .resource_metadata(resource.metadata_url())
    ///         .build();
    /// let read = Requirement::scope("tasks:read");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When `base_url` is not a base URL, or is `http` and not a loopback host, or when `resource` is
    /// empty.
    #[cfg(feature = "remote")]
    pub fn for_better_auth_oauth(
        base_url: &str,
        resource: &str,
    ) -> Result<VerifierBuilder, crate::UrlError> {
        let url = crate::BetterAuthUrl::parse(base_url)?;
        let policy = Policy::for_access_tokens([url.oauth_issuer()], [resource]);
        Self::fetching(policy, url.fetcher(false)?)
    }

    /// Sets up a verifier for the OAuth access tokens (RFC 9068) of any issuer that serves metadata,
    /// by which its keys are found: see [`DiscoveryFetcher`](crate::DiscoveryFetcher). `issuer` is
    /// spelled as its tokens spell it; `resource` is the API's own URL.
    ///
    /// # Errors
    /// When `issuer` is not a plain https URL, or when `resource` is empty.
    #[cfg(feature = "remote")]
    pub fn for_oauth(issuer: &str, resource: &str) -> Result<VerifierBuilder, crate::UrlError> {
        let fetcher = crate::DiscoveryFetcher::new(issuer, false)?;
        Self::fetching(Policy::for_access_tokens([issuer], [resource]), fetcher)
    }
}

/// How far a verification got without waiting.
pub(crate) enum Step<C> {
    Done(Result<Principal<C>, VerifyError>),
    /// Await the future, then take the next step with the ticket.
    Wait(Ticket, KeyWait),
}

/// A verification that waits for keys.
pub(crate) struct Ticket {
    waiting: Waiting,
    span: Span,
}

/// What is known of a verification on its way, besides its result.
#[derive(Default)]
struct Trail {
    /// Under which trust; the first while that is not known.
    trust: TrustId,
    cached: bool,
    began: Option<Instant>,
}

impl<C: DeserializeOwned> Verifier<C> {
    /// Verifies a compact JWS, without the scheme `Bearer`.
    ///
    /// Waits only if the key set has not been fetched yet or does not have the token's key, and
    /// then for one fetch at the most two times.
    ///
    /// # Errors
    /// Why the token is refused, or that there are no keys to check it with.
    pub async fn verify(&self, token: &str) -> Result<Principal<C>, VerifyError> {
        let mut ticket = None;
        loop {
            match self.step(token, ticket) {
                Step::Done(result) => return result,
                Step::Wait(next, wait) => {
                    wait.await;
                    ticket = Some(next);
                }
            }
        }
    }

    /// Verifies as far as possible without waiting. `ticket`: from the step before.
    ///
    /// The verification is traced and counted here and nowhere else.
    pub(crate) fn step(&self, token: &str, ticket: Option<Ticket>) -> Step<C> {
        let (span, waited) = match ticket {
            Some(ticket) => (ticket.span, Some(ticket.waiting)),
            None => (verification_span(), None),
        };
        let mut trail = Trail::default();
        let step = match span.is_disabled() {
            true => self.untraced_step(token, waited, &mut trail),
            false => span.in_scope(|| self.untraced_step(token, waited, &mut trail)),
        };
        match step {
            Ok(result) => {
                if !span.is_disabled() {
                    self.record(&span, &result, &trail);
                }
                Step::Done(result)
            }
            Err((waiting, wait)) => Step::Wait(Ticket { waiting, span }, wait),
        }
    }

    /// Writes down how a verification has ended, in terms that an attacker cannot choose.
    fn record(&self, span: &Span, result: &Result<Principal<C>, VerifyError>, trail: &Trail) {
        span.record("keyward.outcome", outcome(result.as_ref().err()));
        span.record("keyward.cache", if trail.cached { "hit" } else { "miss" });
        let trust = self.0.trusts.get(trail.trust);
        if let Some(age) = trust.and_then(|trust| trust.keys.age()) {
            span.record("keyward.key_set.age", age.as_secs_f64());
        }
        match result {
            Ok(principal) => {
                span.record("keyward.algorithm", principal.algorithm().name());
                span.record("keyward.issuer", &*principal.claims().issuer);
                span.record("keyward.key.id", principal.key_id());
            }
            Err(error) => {
                span.record("error.type", error.code());
            }
        }
    }

    fn untraced_step(
        &self,
        token: &str,
        waited: Option<Waiting>,
        trail: &mut Trail,
    ) -> Result<Result<Principal<C>, VerifyError>, (Waiting, KeyWait)> {
        let observer = self.0.observer.as_deref();
        if observer.is_some() && fastrand::u8(..HITS_PER_TIMED_HIT) == 0 {
            trail.began = Some(Instant::now());
        }
        let result = loop {
            break match self.try_verify(token, waited, trail) {
                Ok(principal) => Ok(principal),
                Err(Unverified::Refused(error)) => Err(error),
                Err(Unverified::NeedsKeys(lookup)) => match lookup {
                    // Each time round there was a newer set.
                    Lookup::LookAgain => continue,
                    Lookup::Wait(waiting, wait) => return Err((waiting, wait)),
                    Lookup::Unknown { refreshed } => Err(VerifyError::KeyUnknown { refreshed }),
                    Lookup::Unavailable { retry_after } => {
                        Err(VerifyError::KeysUnavailable { retry_after })
                    }
                },
            };
        };
        if let Err(error) = &result {
            tracing::debug!(
                code = error.code(),
                token_fingerprint = %self.fingerprint(token),
                "token refused"
            );
        }
        if let Some(observer) = observer {
            observer.observe(&Observation {
                error: result.as_ref().err(),
                cached: trail.cached,
                duration: trail.began.map(|began| began.elapsed()),
            });
        }
        Ok(result)
    }

    fn try_verify(
        &self,
        token: &str,
        waited: Option<Waiting>,
        trail: &mut Trail,
    ) -> Result<Principal<C>, Unverified> {
        if let Some(verdict) = self.cached(token, trail) {
            trail.cached = true;
            return Ok(verdict?);
        }
        if self.0.observer.is_some() && trail.began.is_none() {
            trail.began = Some(Instant::now());
        }
        let trusts = &self.0.trusts;
        let jws = CompactJws::split(token, trusts.token_len_limit())?;
        let mut payload_buffer = Buffer::new();
        let mut early = None;
        let Trust {
            policy,
            keys: source,
        } = match trusts.only() {
            Some(trust) => trust,
            None => {
                let payload = jws.decode_payload(&mut payload_buffer)?;
                let object = Object::parse(payload).map_err(|_| VerifyError::PayloadInvalid)?;
                let (id, trust) = trusts.select(&object)?;
                // The longest of all limits let it come here.
                check_len(token, trust.policy.token_len_limit())?;
                trail.trust = id;
                early = Some((payload, Ok(object)));
                trust
            }
        };
        let snapshot = source.snapshot();
        let known_header = snapshot
            .keys()
            .and_then(|keys| keys.known_header(jws.encoded_header()));
        let mut header_buffer;
        let header = match known_header {
            Some(known) => Header::from(known),
            None => {
                header_buffer = Buffer::new();
                Header::parse(jws.decode_header(&mut header_buffer)?)?
            }
        };
        policy.check_token_type(header.token_type.as_deref())?;
        let algorithm = policy.check_algorithm(header.algorithm)?;
        let mut signature_buffer = Buffer::new();
        let signature = jws.decode_signature(&mut signature_buffer)?;
        let (payload, object) = match early {
            Some(parsed) => parsed,
            None => {
                let payload = jws.decode_payload(&mut payload_buffer)?;
                (payload, Object::parse(payload))
            }
        };
        let claims = object.as_ref().map(|object| policy.find_claims(object));
        let now = self.0.clock.now();
        // The tab that was left open, and the one reason that is given for a token that may be made
        // up: whoever made it up learns from it what time it is. It saves the signature check, and
        // the fetch for a key that has been rotated away.
        if let Ok(claims) = &claims {
            policy.check_expiry(claims, now)?;
        }

        let seen = snapshot.attempt();
        let Some(keys) = snapshot.keys() else {
            return Err(Unverified::NeedsKeys(source.no_keys(seen, waited)));
        };
        let key = match known_header {
            Some(known) => &known.key,
            None => select(source, keys, &header, algorithm, seen, waited)?,
        };
        if !key.verify(algorithm, jws.signing_input(), signature) {
            source.suspect_stale_key();
            return Err(VerifyError::SignatureInvalid.into());
        }
        if known_header.is_none() {
            keys.remember_header(
                jws.encoded_header(),
                algorithm,
                header.token_type.as_deref(),
                key,
            );
        }

        let (Ok(object), Ok(claims)) = (&object, &claims) else {
            return Err(VerifyError::PayloadInvalid.into());
        };
        let claims = policy.check_claims(claims, now)?;
        let user = match claims.is_client() {
            true => None,
            // A few types can be read by serde_json alone.
            false => Some(
                object
                    .read()
                    .or_else(|_| serde_json::from_slice(payload))
                    .map_err(|_| VerifyError::ClaimsRejected)?,
            ),
        };
        let principal = Principal::new(Verified {
            claims,
            user,
            algorithm,
            key: key.clone(),
            trust: trail.trust,
        });
        if let Some(cache) = &self.0.cache {
            let proven = Proven {
                token,
                header: keys.shared_header(jws.encoded_header()),
                payload_len: payload.len(),
                principal: &principal,
                generation: keys.generation(),
                dies_at: policy.dies_at(principal.claims().expires_at),
            };
            cache.insert(proven, now);
        }
        Ok(principal)
    }

    /// The verdict on a token that was verified before, with keys that are still in use. It is
    /// held against the keys and the policy of the trust that it was verified under.
    fn cached(&self, token: &str, trail: &mut Trail) -> Option<Result<Principal<C>, VerifyError>> {
        self.0.cache.as_ref()?.find(token, |hit| {
            let principal = hit.principal();
            let trust = self.0.trusts.get(principal.trust)?;
            let snapshot = trust.keys.snapshot();
            if !hit.is_proven_by(snapshot.keys()?) {
                hit.forget();
                return None;
            }
            trail.trust = principal.trust;
            let now = self.0.clock.now();
            let times = principal.claims().times();
            Some(match trust.policy.check_times(&times, now) {
                Ok(()) => {
                    hit.touch(now);
                    Ok(principal.clone())
                }
                Err(error) => {
                    if error == VerifyError::Expired {
                        hit.forget();
                    }
                    Err(error)
                }
            })
        })?
    }

    /// Eight hexadecimal digits to correlate log lines of one token in one process.
    fn fingerprint(&self, token: &str) -> impl fmt::Display + use<C> {
        let hash = self.0.fingerprints.hash_one(token);
        format!("{:08x}", hash as u32)
    }
}

impl<C> Verifier<C> {
    /// How the remote key set is doing; `None` for a fixed one. Of several, the one that is worst
    /// off: one that is not usable, or else the oldest.
    pub fn key_set_status(&self) -> Option<KeySetStatus> {
        let statuses = self.key_sets().into_iter().map(|set| set.status);
        statuses.max_by_key(|status| {
            let age = status.age.unwrap_or(Duration::MAX);
            (!status.usable, age)
        })
    }

    /// Each remote key set once, with the issuers whose keys it holds, and how it is doing.
    pub fn key_sets(&self) -> Vec<TrustedKeySet> {
        let mut sets: Vec<(&RemoteKeySet, Vec<Arc<str>>)> = Vec::new();
        for trust in self.0.trusts.iter() {
            let Some(remote) = trust.keys.remote() else {
                continue;
            };
            let issuers = trust.policy.issuers().iter().cloned();
            match sets.iter_mut().find(|(set, _)| set.is(remote)) {
                Some((_, known)) => known.extend(issuers),
                None => sets.push((remote, issuers.collect())),
            }
        }
        let sets = sets.into_iter().map(|(set, issuers)| TrustedKeySet {
            issuers,
            status: set.status(),
        });
        sets.collect()
    }

    /// How full the cache of verified tokens is; `None` for a verifier without one.
    pub fn cache_status(&self) -> Option<CacheStatus> {
        self.0.cache.as_ref().map(TokenCache::status)
    }

    /// The `realm` of its challenges.
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// What its challenges say whatever the reason: see
    /// [`Rejection::to_response`](crate::Rejection::to_response).
    pub fn challenge(&self) -> Challenge<'_> {
        Challenge {
            realm: &self.0.realm,
            resource_metadata: self.0.resource_metadata.as_deref(),
        }
    }
}

/// What to verify a signature with, or how to come by it.
fn select<'k>(
    source: &KeySource,
    keys: &'k KeySet,
    header: &Header<'_>,
    algorithm: Algorithm,
    seen: u64,
    waited: Option<Waiting>,
) -> Result<&'k Arc<VerifyingKey>, Unverified> {
    let kid = header.key_id.as_deref();
    keys.select(kid, algorithm)
        .map_err(|error| match (&error, kid) {
            (VerifyError::KeyUnknown { .. }, Some(kid)) => {
                Unverified::NeedsKeys(source.unknown_key(kid, seen, waited))
            }
            _ => {
                if error == VerifyError::KeyAlgorithmMismatch {
                    source.suspect_stale_key();
                }
                error.into()
            }
        })
}

/// A key set that is fetched, of those that a verifier trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedKeySet {
    /// The issuers that sign with its keys.
    pub issuers: Vec<Arc<str>>,
    /// How it is doing.
    pub status: KeySetStatus,
}

/// The span around a verification. Where nobody listens it must cost nothing: with `tracing`'s
/// feature `log`, which sqlx turns on, one without a subscriber would still collect its values.
fn verification_span() -> Span {
    if LevelFilter::current() < Level::INFO {
        return Span::none();
    }
    tracing::info_span!(
        "verify_token",
        keyward.outcome = Empty,
        error.type = Empty,
        keyward.algorithm = Empty,
        keyward.issuer = Empty,
        keyward.key.id = Empty,
        keyward.cache = Empty,
        keyward.key_set.age = Empty,
    )
}

/// How a verification has ended, in one of three words.
pub(crate) fn outcome(error: Option<&VerifyError>) -> &'static str {
    match error {
        None => "accepted",
        Some(VerifyError::KeysUnavailable { .. }) => "unavailable",
        Some(_) => "refused",
    }
}

/// Why a step did not end with a principal.
enum Unverified {
    Refused(VerifyError),
    NeedsKeys(Lookup),
}

impl From<VerifyError> for Unverified {
    fn from(error: VerifyError) -> Self {
        Self::Refused(error)
    }
}

impl<C> Clone for Verifier<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("trusts", &self.0.trusts)
            .field("realm", &self.0.realm)
            .finish_non_exhaustive()
    }
}
