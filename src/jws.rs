//! The compact serialization of a JWS (RFC 7515 §7.1), split and decoded within limits.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use base64_simd::{AsOut, URL_SAFE_NO_PAD};

use crate::algorithm::Algorithm;
use crate::error::VerifyError;
use crate::json::{Object, Value};
use crate::keys::key_set::KnownHeader;

/// The longest header in its encoded form. Better Auth's is about 80 bytes; the one thing that
/// makes a header long is `x5c`, which Keyward never reads.
const MAX_HEADER_LEN: usize = 4096;

/// The longest signature in its decoded form: that of RSA with 8192 bits.
const MAX_SIGNATURE_LEN: usize = 1024;

/// In its encoded form. Payloads of half a kilobyte are usual, and what is never longer than this
/// never needs the heap.
const SHORT_PART_LEN: usize = 768;

/// A token split at its dots; nothing is decoded yet.
#[derive(Clone, Copy)]
pub(crate) struct CompactJws<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a str,
}

/// Whether a token has at most `max_len` bytes.
pub(crate) fn check_len(token: &str, max_len: usize) -> Result<(), VerifyError> {
    match token.len() > max_len {
        true => Err(VerifyError::TokenTooLarge { limit: max_len }),
        false => Ok(()),
    }
}

impl<'a> CompactJws<'a> {
    /// Splits a token of at most `max_len` bytes into its three parts.
    pub(crate) fn split(token: &'a str, max_len: usize) -> Result<Self, VerifyError> {
        check_len(token, max_len)?;
        let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
        let (Some(first), Some(second)) = (dots.next(), dots.next()) else {
            return Err(not_three_parts(token));
        };
        match dots.count() {
            0 => {}
            // Five parts are a JWE (RFC 7516 §3.1), unless it is JSON with some dots in it.
            2 if token.bytes().all(is_compact) => return Err(VerifyError::TokenEncrypted),
            _ => return Err(VerifyError::TokenMalformed),
        }
        let (signing_input, signature) = (&token[..second], &token[second + 1..]);
        let (header, payload) = (&token[..first], &token[first + 1..second]);
        // An empty payload is a detached one (RFC 7515 App. F).
        if header.is_empty() || payload.is_empty() {
            return Err(VerifyError::TokenMalformed);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signing_input,
        })
    }

    /// The header as it stands in the token.
    pub(crate) fn encoded_header(&self) -> &'a str {
        self.header
    }

    /// The header's bytes.
    pub(crate) fn decode_header<'b>(
        &self,
        buffer: &'b mut Buffer,
    ) -> Result<&'b [u8], VerifyError> {
        if self.header.len() > MAX_HEADER_LEN {
            return Err(VerifyError::HeaderInvalid);
        }
        buffer.decode(self.header)
    }

    /// The payload's bytes.
    pub(crate) fn decode_payload<'b>(
        &self,
        buffer: &'b mut Buffer,
    ) -> Result<&'b [u8], VerifyError> {
        buffer.decode(self.payload)
    }

    /// What the signature signs (RFC 7515 §5.2 step 8).
    pub(crate) fn signing_input(&self) -> &'a [u8] {
        self.signing_input.as_bytes()
    }

    /// The signature's bytes.
    pub(crate) fn decode_signature<'b>(
        &self,
        buffer: &'b mut Buffer,
    ) -> Result<&'b [u8], VerifyError> {
        if self.signature.is_empty() {
            return Err(VerifyError::TokenMalformed);
        }
        let signature = buffer.decode(self.signature)?;
        match signature.len() > MAX_SIGNATURE_LEN {
            true => Err(VerifyError::SignatureInvalid),
            false => Ok(signature),
        }
    }
}

/// Room for a usual part on the stack; a longer one gets its own on the heap.
pub(crate) struct Buffer {
    /// Zeros would be written for nothing: a tenth of what a verification costs beside its signature.
    short: [MaybeUninit<u8>; SHORT_PART_LEN],
    long: Vec<u8>,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self {
            short: [const { MaybeUninit::uninit() }; SHORT_PART_LEN],
            long: Vec::new(),
        }
    }

    /// Strict base64url (RFC 7515 §2, RFC 4648 §3.5): no padding, no other alphabet, no white
    /// space, and unused bits zero, so that a token has one spelling.
    fn decode(&mut self, part: &str) -> Result<&[u8], VerifyError> {
        let room = match part.len() <= SHORT_PART_LEN {
            true => self.short.as_mut_slice().as_out(),
            false => {
                self.long.resize(part.len(), 0);
                self.long.as_mut_slice().as_out()
            }
        };
        URL_SAFE_NO_PAD
            .decode(part.as_bytes(), room)
            .map(|decoded| &*decoded)
            .map_err(|_| VerifyError::TokenMalformed)
    }
}

/// What a compact serialization consists of.
fn is_compact(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Tells the opaque tokens that people send by mistake from garbage: Better Auth's session token
/// is 32 letters and digits, alone or, as `set-auth-token` hands it out, with a dot and a base64
/// signature behind it.
fn not_three_parts(token: &str) -> VerifyError {
    let (id, signature) = token.split_once('.').unwrap_or((token, "signature"));
    let opaque = id.len() >= 16
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    // A JWT that was cut off begins like every JSON object in base64url.
    match opaque && !signature.is_empty() && !id.starts_with("eyJ") {
        true => VerifyError::SessionToken,
        false => VerifyError::TokenMalformed,
    }
}

/// The header parameters that Keyward reads. `jwk`, `jku`, `x5u` and `x5c` are not among them:
/// a token has no say in which key proves it (RFC 8725 §3.10).
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'h> {
    /// `None`: a name that is none of [`Algorithm::ALL`].
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) key_id: Option<Cow<'h, str>>,
    pub(crate) token_type: Option<Cow<'h, str>>,
}

impl<'h> Header<'h> {
    /// Parses a decoded header.
    pub(crate) fn parse(bytes: &'h [u8]) -> Result<Self, VerifyError> {
        let mut algorithm = None;
        let (mut key_id, mut token_type) = (None, None);
        let (mut critical, mut unencoded) = (false, false);
        let parameters = Object::parse(bytes).map_err(|_| VerifyError::HeaderInvalid)?;
        for (name, value) in parameters.into_members() {
            match &*name {
                "alg" => algorithm = Some(value),
                "kid" => key_id = Some(value),
                "typ" => token_type = Some(value),
                "crit" => critical = true,
                "b64" => unencoded = true,
                _ => {}
            }
        }
        if critical {
            return Err(VerifyError::CriticalHeader);
        }
        if unencoded {
            return Err(VerifyError::UnencodedPayload);
        }
        let algorithm = algorithm
            .and_then(Value::into_text)
            .ok_or(VerifyError::HeaderInvalid)?;
        Ok(Self {
            algorithm: algorithm.parse().ok(),
            key_id: optional_text(key_id)?,
            token_type: optional_text(token_type)?,
        })
    }
}

impl<'h> From<&'h KnownHeader> for Header<'h> {
    /// The key is known too, so that its `kid` is not needed.
    fn from(known: &'h KnownHeader) -> Self {
        Self {
            algorithm: Some(known.algorithm),
            key_id: None,
            token_type: known.token_type.as_deref().map(Cow::Borrowed),
        }
    }
}

fn optional_text(value: Option<Value<'_>>) -> Result<Option<Cow<'_, str>>, VerifyError> {
    value
        .map(|value| value.into_text().ok_or(VerifyError::HeaderInvalid))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(token: &str) -> Result<(), VerifyError> {
        CompactJws::split(token, 16 * 1024).map(|_| ())
    }

    #[test]
    fn only_three_parts_make_a_token() {
        let id = "koHxfvpE7L2pT78wzAph8z2dfJ9aw8L8";
        for (token, expected) in [
            ("a.b.c", Ok(())),
            ("a.b.", Ok(())), // an unsecured JWS: refused for its `alg`
            ("", Err(VerifyError::TokenMalformed)),
            ("garbage", Err(VerifyError::TokenMalformed)),
            ("..", Err(VerifyError::TokenMalformed)),
            (".b.c", Err(VerifyError::TokenMalformed)),
            ("a..c", Err(VerifyError::TokenMalformed)),
            ("a.b", Err(VerifyError::TokenMalformed)),
            ("eyJhbGciOiJFZERTQSJ9", Err(VerifyError::TokenMalformed)),
            (
                "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0",
                Err(VerifyError::TokenMalformed),
            ),
            ("a.b.c.d", Err(VerifyError::TokenMalformed)),
            ("a.b.c.d.e", Err(VerifyError::TokenEncrypted)),
            ("{a.b.c.d.e}", Err(VerifyError::TokenMalformed)),
            ("a.b.c.d.e.f", Err(VerifyError::TokenMalformed)),
            (id, Err(VerifyError::SessionToken)),
            (
                &format!("{id}.wGx3CqoNvGSnZzTn+5QyyR/AQ4bJ6Kw2P9hG8v0iBfE="),
                Err(VerifyError::SessionToken),
            ),
            (
                &format!("{id}.wGx3CqoNvGSnZzTn%2B5QyyR%2FAQ4bJ6Kw2P9hG8v0iBfE%3D"),
                Err(VerifyError::SessionToken),
            ),
            (&format!("{id}."), Err(VerifyError::TokenMalformed)),
        ] {
            assert_eq!(split(token), expected, "{token}");
        }
    }

    #[test]
    fn the_size_limit_comes_before_everything_else() {
        let token = "x".repeat(101);
        assert_eq!(
            CompactJws::split(&token, 100).err(),
            Some(VerifyError::TokenTooLarge { limit: 100 })
        );
    }

    #[test]
    fn base64url_has_one_spelling() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.decode("_-8"), Ok(&[0xff, 0xef][..]));
        for part in ["_-9", "_-8=", "/+8", "_- 8", "_-8\n", "_", "é"] {
            assert_eq!(
                buffer.decode(part),
                Err(VerifyError::TokenMalformed),
                "{part}"
            );
        }
    }

    #[test]
    fn a_part_of_any_length_is_decoded() {
        for len in [0, 1, 2, 3, 575, 576, 577, 578, 579, 800, 20_000] {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let part = URL_SAFE_NO_PAD.encode_to_string(&bytes);
            assert_eq!(Buffer::new().decode(&part), Ok(&bytes[..]), "{len}");
        }
    }

    #[test]
    fn a_signature_longer_than_any_algorithms_is_refused_without_being_kept() {
        let token = format!("a.b.{}", "A".repeat(4000));
        let jws = CompactJws::split(&token, 16 * 1024).unwrap();
        assert_eq!(
            jws.decode_signature(&mut Buffer::new()),
            Err(VerifyError::SignatureInvalid)
        );
    }

    #[test]
    fn a_header_over_its_limit_is_refused() {
        let token = format!("{}.b.c", "A".repeat(MAX_HEADER_LEN + 1));
        assert_eq!(
            CompactJws::split(&token, 16 * 1024)
                .unwrap()
                .decode_header(&mut Buffer::new()),
            Err(VerifyError::HeaderInvalid)
        );
    }

    #[test]
    fn headers() {
        let ok = Header::parse(
            br#"{"alg":"EdDSA","kid":"k","typ":"JWT","jku":"https://evil.example","x":[1]}"#,
        );
        assert_eq!(
            ok,
            Ok(Header {
                algorithm: Some(Algorithm::EdDsa),
                key_id: Some("k".into()),
                token_type: Some("JWT".into())
            })
        );
        for (header, expected) in [
            (r#"{"alg":"none"}"#, None),
            (r#"{"alg":"HS256"}"#, None),
            (r#"{"alg":"ES256"}"#, Some(Algorithm::Es256)),
        ] {
            assert_eq!(
                Header::parse(header.as_bytes()).unwrap().algorithm,
                expected,
                "{header}"
            );
        }
        for (header, expected) in [
            ("[]", VerifyError::HeaderInvalid),
            ("{}", VerifyError::HeaderInvalid),
            (r#"{"alg":1}"#, VerifyError::HeaderInvalid),
            (r#"{"alg":null}"#, VerifyError::HeaderInvalid),
            (r#"{"alg":"ES256","kid":1}"#, VerifyError::HeaderInvalid),
            (r#"{"alg":"ES256","kid":null}"#, VerifyError::HeaderInvalid),
            (r#"{"alg":"ES256","typ":{}}"#, VerifyError::HeaderInvalid),
            (
                r#"{"alg":"ES256","alg":"ES256"}"#,
                VerifyError::HeaderInvalid,
            ),
            (r#"{"alg":"ES256","x":1,"x":1}"#, VerifyError::HeaderInvalid),
            (
                r#"{"alg":"ES256","crit":["exp"]}"#,
                VerifyError::CriticalHeader,
            ),
            (r#"{"alg":"ES256","crit":[]}"#, VerifyError::CriticalHeader),
            (
                r#"{"alg":"ES256","b64":true}"#,
                VerifyError::UnencodedPayload,
            ),
        ] {
            assert_eq!(Header::parse(header.as_bytes()), Err(expected), "{header}");
        }
    }
}
