//! Users under pseudonyms: what connects the traces of one user without saying who it is.
//!
//! Off unless there is a key. A keyed hash, since ids can be tried out.

use std::fmt::Write as _;
use std::sync::OnceLock;

use aws_lc_rs::hmac;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};

/// Of the hash, in bytes: enough to tell a billion users apart.
const LEN: usize = 16;

static HASHER: OnceLock<SubjectHasher> = OnceLock::new();

/// Makes pseudonyms of subjects.
#[derive(Debug)]
pub struct SubjectHasher(hmac::Key);

impl SubjectHasher {
    /// With a secret: whoever has it can find out which pseudonym is whose.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The pseudonym: 32 hexadecimal digits.
    pub fn pseudonym(&self, subject: &str) -> String {
        let tag = hmac::sign(&self.0, subject.as_bytes());
        let mut text = String::with_capacity(2 * LEN);
        for byte in tag.as_ref().iter().take(LEN) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// Switches pseudonyms on for the process.
pub(super) fn install(hasher: SubjectHasher) {
    // The first one stays, as with the subscriber.
    let _ = HASHER.set(hasher);
}

/// Writes the user's pseudonym into the current span, if that is switched on and the span is kept.
pub(in crate::service) fn record(subject: &str) {
    let Some(hasher) = HASHER.get() else {
        return;
    };
    Context::map_current(|current| {
        let span = current.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new(
                "enduser.pseudo.id",
                hasher.pseudonym(subject),
            ));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_the_subject_and_the_secret() {
        let hasher = SubjectHasher::new(b"a secret of sixteen");
        let ada = hasher.pseudonym("ada");
        assert_eq!(ada, hasher.pseudonym("ada"));
        assert_ne!(ada, hasher.pseudonym("bob"));
        assert_ne!(ada, SubjectHasher::new(b"another secret").pseudonym("ada"));
        assert!(ada.len() == 32 && ada.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
