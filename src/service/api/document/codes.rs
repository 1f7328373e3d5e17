//! Every code that a problem document of the service may carry.

use crate::service::api::error::KINDS;

/// The codes of [`Rejection`](crate::Rejection).
const REJECTIONS: &[&str] = &[
    "authorization_malformed",
    "authorization_repeated",
    "authorization_scheme_unsupported",
    "credentials_missing",
    "issuer_required",
    "key_algorithm_mismatch",
    "key_id_missing",
    "key_unknown",
    "keys_unavailable",
    "organization_required",
    "organization_role_required",
    "role_required",
    "scope_required",
    "session_token",
    "token_algorithm_not_allowed",
    "token_audience_mismatch",
    "token_claim_invalid",
    "token_claim_missing",
    "token_claims_rejected",
    "token_critical_header",
    "token_encrypted",
    "token_expired",
    "token_header_invalid",
    "token_issued_in_future",
    "token_issuer_mismatch",
    "token_malformed",
    "token_not_yet_valid",
    "token_payload_invalid",
    "token_payload_unencoded",
    "token_sender_constrained",
    "token_signature_invalid",
    "token_time_in_milliseconds",
    "token_too_large",
    "token_type_not_accepted",
    "user_required",
];

/// The codes of the edge, beside those that it shares with the API.
const EDGE: &[&str] = &["request_refused", "timed_out"];

/// All of them, in alphabetical order.
pub fn all() -> Vec<&'static str> {
    let mut codes: Vec<_> = KINDS
        .iter()
        .map(|kind| kind.code)
        .chain(REJECTIONS.iter().chain(EDGE).copied())
        .collect();
    codes.sort_unstable();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VerifyError;

    /// The texts behind `=>` in the functions named `code`.
    fn codes_in(source: &str) -> Vec<&str> {
        let function = source.split("pub const fn code(&self)").nth(1).unwrap();
        let function = function.split("\n    }").next().unwrap();
        let texts = function.lines().filter_map(|line| line.split_once("=> \""));
        texts
            .map(|(_, text)| text.split('"').next().unwrap())
            .collect()
    }

    #[test]
    fn every_code_of_the_library_is_listed_and_no_other() {
        let verifications = codes_in(include_str!("../../../error.rs"));
        // What counts them counts all of them.
        assert_eq!(
            verifications,
            VerifyError::ALL.each_ref().map(VerifyError::code)
        );
        let mut codes = verifications;
        codes.extend(codes_in(include_str!("../../../bearer.rs")));
        codes.extend(codes_in(include_str!("../../../authorization.rs")));
        codes.sort_unstable();
        assert_eq!(REJECTIONS, codes);
    }

    #[test]
    fn every_code_of_the_edge_is_listed() {
        let source = include_str!("../../http/edge.rs");
        let function = source.split("fn error_response(").nth(1).unwrap();
        let function = function.split("Problem::new").next().unwrap();
        let codes = function
            .split("=> (\"")
            .skip(1)
            .map(|text| text.split('"').next().unwrap());
        let codes: Vec<_> = codes.collect();
        assert!(codes.len() > 5, "{codes:?}");
        for code in codes {
            assert!(all().contains(&code), "{code}");
        }
    }

    #[test]
    fn no_code_has_two_meanings() {
        let all = all();
        let mut unique = all.clone();
        unique.dedup();
        assert_eq!(all, unique);
    }
}
