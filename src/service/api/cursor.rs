//! The position where the next page of a list begins.
//!
//! It is the id of the page's last task, which says nothing to a stranger: the store looks below
//! it among the caller's own tasks only, so a made-up cursor gives nothing away.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::registry::MetaSchema;
use uuid::Uuid;

use super::error::{CURSOR_INVALID, Kind};
use super::parameter::Parameter;

/// Where the next page begins: after this task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

impl Cursor {
    /// Its text, to be sent back as it is.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_bytes())
    }
}

impl Parameter for Cursor {
    const RULE: &'static str = "must be the nextCursor of a page";
    const KIND: &'static Kind = &CURSOR_INVALID;

    fn schema() -> MetaSchema {
        MetaSchema {
            // 16 bytes; the last character carries two bits of them.
            pattern: Some("^[A-Za-z0-9_-]{21}[AQgw]$".to_owned()),
            example: Some("AZqyw9Tlf2CKGyw9Tl9gcQ".into()),
            ..MetaSchema::new("string")
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Uuid::from_slice(&bytes).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_has_one_spelling() {
        let cursor = Cursor(Uuid::from_u128(0x019a_b2c3_d4e5_7f60_8a1b_2c3d_4e5f_6071));
        let text = cursor.encode();
        assert_eq!(Cursor::parse(&text), Some(cursor));
        for bad in [
            "",
            "x",
            "AZqyw9Tlf2CKGyw9Tl9gcQ==",
            "AZqyw9Tlf2CKGyw9Tl9gc",
            "AZqyw9Tlf2CKGyw9Tl9gcR",
            "null",
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
