//! Where a request has its token, and how the header is spelled (RFC 6750 §2, RFC 9110 §11.6.2).

use keyward::Algorithm;

use crate::case::Request;
use crate::lab;

const AUTHORIZATION: &str = "authorization";
const MISSING: &str = "credentials_missing";
const MALFORMED: &str = "authorization_malformed";
const REPEATED: &str = "authorization_repeated";
const SCHEME: &str = "authorization_scheme_unsupported";

pub fn requests() -> Vec<Request> {
    let good = lab::token(Algorithm::EdDsa);
    let other = lab::token(Algorithm::Es256);
    let bearer = format!("Bearer {good}");
    let one =
        |name, value: String, expected| Request::new(name, [(AUTHORIZATION, value)], expected);
    let two = |name, first: &str, second: &str| {
        let headers = [
            (AUTHORIZATION, first.to_owned()),
            (AUTHORIZATION, second.to_owned()),
        ];
        Request::new(name, headers, REPEATED)
    };
    let elsewhere =
        |name, header: &'static str, value: String| Request::new(name, [(header, value)], MISSING);
    let mut requests = vec![
        one("as it should be", bearer.clone(), "accepted"),
        one("bearer", format!("bearer {good}"), "accepted"),
        one("BEARER", format!("BEARER {good}"), "accepted"),
        one("two spaces", format!("Bearer  {good}"), "accepted"),
        one("a tab", format!("Bearer\t{good}"), "accepted"),
        Request::new("no header", [], MISSING),
        two("the same header twice", &bearer, &bearer),
        two("two tokens", &bearer, &format!("Bearer {other}")),
        two("a good token, then garbage", &bearer, "Bearer x"),
        two("garbage, then a good token", "Bearer x", &bearer),
        two("a good token, then Basic", &bearer, "Basic dXNlcjpwYXNz"),
        two("Basic, then a good token", "Basic dXNlcjpwYXNz", &bearer),
        two("an empty header, then a good token", "", &bearer),
        two("a good token, then an empty header", &bearer, ""),
        one(
            "two headers joined by a comma",
            format!("{bearer}, Bearer {other}"),
            REPEATED,
        ),
        one(
            "joined without a space",
            format!("{bearer},Bearer {other}"),
            REPEATED,
        ),
        one(
            "two tokens and one scheme",
            format!("{bearer},{other}"),
            REPEATED,
        ),
        one("a comma behind it", format!("{bearer},"), REPEATED),
        one("a comma before it", format!(", {bearer}"), MALFORMED),
        one(
            "Basic joined behind it",
            format!("{bearer}, Basic dXNlcjpwYXNz"),
            REPEATED,
        ),
        one(
            "Basic joined before it",
            format!("Basic dXNlcjpwYXNz, {bearer}"),
            SCHEME,
        ),
        one("nothing", String::new(), MALFORMED),
        one("white space", " \t ".to_owned(), MALFORMED),
        one("the scheme alone", "Bearer".to_owned(), MALFORMED),
        one("the scheme and a space", "Bearer ".to_owned(), MALFORMED),
        one("the token alone", good.clone(), MALFORMED),
        one("a colon for the space", format!("Bearer:{good}"), MALFORMED),
        one("a colon and a space", format!("Bearer: {good}"), MALFORMED),
        one("an equals sign", format!("Bearer={good}"), MALFORMED),
        one(
            "a parameter",
            format!("Bearer token={good}"),
            "token_malformed",
        ),
        one(
            "a quoted parameter",
            format!("Bearer token=\"{good}\""),
            MALFORMED,
        ),
        one("in quotes", format!("Bearer \"{good}\""), MALFORMED),
        one(
            "a parameter behind it",
            format!("{bearer}; charset=utf-8"),
            MALFORMED,
        ),
        one("a word behind it", format!("{bearer} x"), MALFORMED),
        one("the scheme twice", format!("Bearer {bearer}"), MALFORMED),
        one("Basic", "Basic dXNlcjpwYXNz".to_owned(), SCHEME),
        one(
            "Basic with the token as password",
            format!("Basic {}", lab::encode(format!("ada:{good}"))),
            SCHEME,
        ),
        one("Basic with the token", format!("Basic {good}"), SCHEME),
        one("DPoP", format!("DPoP {good}"), SCHEME),
        one("JWT", format!("JWT {good}"), SCHEME),
        one("Token", format!("Token {good}"), SCHEME),
        one(
            "Digest",
            "Digest username=\"ada\", realm=\"x\"".to_owned(),
            SCHEME,
        ),
        one("Negotiate", format!("Negotiate {good}"), SCHEME),
        one("Bearer2", format!("Bearer2 {good}"), SCHEME),
        one("Bear er", format!("Bear er {good}"), SCHEME),
        one(
            "a scheme that is no token",
            format!("Bea(rer {good}"),
            MALFORMED,
        ),
        elsewhere("in X-Authorization", "x-authorization", bearer.clone()),
        elsewhere(
            "in Proxy-Authorization",
            "proxy-authorization",
            bearer.clone(),
        ),
        elsewhere(
            "in X-Forwarded-Authorization",
            "x-forwarded-authorization",
            bearer.clone(),
        ),
        elsewhere("in X-Access-Token", "x-access-token", good.clone()),
        elsewhere("in Authentication", "authentication", bearer.clone()),
        elsewhere("in set-auth-jwt", "set-auth-jwt", good.clone()),
        elsewhere(
            "in Sec-WebSocket-Protocol",
            "sec-websocket-protocol",
            format!("bearer, {good}"),
        ),
        elsewhere(
            "in a cookie",
            "cookie",
            format!("better-auth.session_token={good}"),
        ),
        elsewhere(
            "in the session-data cookie",
            "cookie",
            format!("better-auth.session_data={good}"),
        ),
        elsewhere(
            "in a cookie by the header's name",
            "cookie",
            format!("authorization=Bearer {good}"),
        ),
        // RFC 6750 §2.3: a token in the query ends up in logs. The service's operations take no
        // parameter that they do not name.
        Request::new("in the query", [], MISSING)
            .query(format!("?access_token={good}"), "parameter_unknown"),
        Request::new("in the query by another name", [], MISSING)
            .query(format!("?token={good}"), "parameter_unknown"),
        Request::new("in the query by the header's name", [], MISSING)
            .query(format!("?authorization=Bearer+{good}"), "parameter_unknown"),
    ];
    for (name, value) in [
        ("bytes that are no ASCII in the scheme", &b"Bear\xe9r x"[..]),
        ("bytes that are no UTF-8 in the token", b"Bearer \xff\xfe"),
        ("a no-break space for the space", b"Bearer\xc2\xa0x"),
        ("a full-width B", b"\xef\xbc\xa2earer x"),
    ] {
        let mut request = Request::new(name, [], MALFORMED);
        request.headers = vec![(AUTHORIZATION, value.to_vec())];
        requests.push(request);
    }
    requests
}
