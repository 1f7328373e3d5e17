//! `typ` (RFC 8725 §3.11): the same keys sign tokens of other kinds.

use serde_json::json;

use crate::case::Case;
use crate::lab;

pub fn cases() -> Vec<Case> {
    let accepted = [
        "JWT",
        "jwt",
        "at+jwt",
        "AT+JWT",
        "application/jwt",
        "application/at+jwt",
        "APPLICATION/AT+JWT",
    ];
    let refused = [
        "better-auth.session-cache+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "id_token",
        "JOSE",
        "JOSE+JSON",
        "JWE",
        "kb+jwt",
        "dc+sd-jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "entity-statement+jwt",
        "",
        " ",
        " JWT",
        "JWT ",
        "JWT\u{0}",
        "JW\u{0}T",
        "at jwt",
        "at+jwt;charset=utf-8",
        "application/",
        "application/ at+jwt",
        "application/application/at+jwt",
        "text/at+jwt",
        "x/jwt",
        "jwt+",
        "+jwt",
        "jwt,at+jwt",
        "ＪＷＴ",
        "\u{408}WT",
        "JWT\u{200b}",
        "null",
    ];
    let wrong_types = [
        json!(1),
        json!(true),
        json!([]),
        json!(["JWT"]),
        json!({}),
        json!({"typ": "JWT"}),
    ];
    let with_type = |token_type| lab::with_header(json!({ "typ": token_type }));
    let mut cases = vec![];
    for token_type in accepted {
        cases.push(Case::new(
            format!("typ {token_type:?}"),
            with_type(json!(token_type)),
            "accepted",
        ));
    }
    for token_type in refused {
        cases.push(Case::new(
            format!("typ {token_type:?}"),
            with_type(json!(token_type)),
            "token_type_not_accepted",
        ));
    }
    for token_type in wrong_types {
        let name = format!("typ is {token_type}");
        cases.push(Case::new(
            name,
            with_type(token_type),
            "token_header_invalid",
        ));
    }
    for (name, header) in [
        (
            "typ is null",
            r#"{"alg":"EdDSA","kid":"ed25519","typ":null}"#,
        ),
        (
            "typ twice",
            r#"{"alg":"EdDSA","kid":"ed25519","typ":"JWT","typ":"logout+jwt"}"#,
        ),
    ] {
        cases.push(Case::new(
            name,
            lab::with_raw_header(header),
            "token_header_invalid",
        ));
    }
    // Nobody asked for a member by this name.
    let other = lab::with_header(json!({"TYP": "logout+jwt", "cty": "logout+jwt"}));
    cases.push(Case::new("TYP and cty", other, "accepted"));
    cases
}
