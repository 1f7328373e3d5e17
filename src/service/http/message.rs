//! What HTTP/1.1 demands of a request beyond what hyper checks: that there is one way to read it.
//!
//! Whoever stands in front, a proxy for example, may read such a request in another way than the
//! service does, and take its end or its addressee to be another.

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

/// Whether a request has one host, and a body, if any, that ends in one place.
pub(super) fn is_unambiguous(version: Version, headers: &HeaderMap) -> bool {
    // HTTP/2 has frames instead of transfer codings, and its host in the URI.
    version > Version::HTTP_11 || (has_one_host(version, headers) && is_chunked_once(headers))
}

/// RFC 9112 §3.2: one `Host` that can be one; HTTP/1.0 knows none.
fn has_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => host.as_bytes().iter().all(|byte| is_of_host(*byte)),
        (Some(_), Some(_)) => false,
    }
}

/// RFC 3986 §3.2.2 and §3.2.3: a name, an address in brackets, a port.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}

/// RFC 9112 §6.1, §7: of the transfer codings the service knows one, which must not stand twice.
fn is_chunked_once(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn one_host_and_one_way_to_find_the_end_of_the_body() {
        const NONE: &[(&str, &str)] = &[];
        for (headers, http10, http11) in [
            (NONE, true, false),
            (&[("host", "a.example")], true, true),
            (&[("host", "")], true, true),
            (&[("host", "[::1]:8000")], true, true),
            (
                &[("host", "a.example"), ("host", "a.example")],
                false,
                false,
            ),
            (&[("host", "a.example, b.example")], false, false),
            (&[("host", "a b")], false, false),
            (&[("host", "a/b")], false, false),
            (&[("host", "user@a")], false, false),
            (
                &[("host", "a"), ("transfer-encoding", "Chunked")],
                true,
                true,
            ),
            (
                &[("host", "a"), ("transfer-encoding", "chunked, chunked")],
                false,
                false,
            ),
            (
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                false,
                false,
            ),
            (
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
                false,
            ),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    let name: HeaderName = name.parse().unwrap();
                    (name, HeaderValue::from_static(value))
                })
                .collect();
            let found = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]
                .map(|version| is_unambiguous(version, &map));
            assert_eq!(found, [http10, http11, true], "{headers:?}");
        }
    }
}
