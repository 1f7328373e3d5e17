//! JSON as JOSE needs it: an object in which no name stands twice.
//!
//! serde keeps the last of two equal names, other parsers the first; a verifier and a consumer
//! that read one token differently is an attack (RFC 7515 §4, RFC 7519 §4, RFC 8725 §2.4).
//! [`object`] therefore refuses duplicates at every depth, after unescaping.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How serde_json hands over a number when some crate in the build turned on its
/// `arbitrary_precision` feature: as a map with this one name. Without this case a number would
/// then read as an object.
const ARBITRARY_PRECISION_NUMBER: &str = "$serde_json::private::Number";

/// A JSON value as far as a registered claim or header parameter needs it.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'de> {
    Null,
    Number(f64),
    Text(Cow<'de, str>),
    /// An array of strings.
    Texts(Vec<Cow<'de, str>>),
    /// A boolean, an object, or an array with something else than strings in it.
    Other,
}

impl<'de> Value<'de> {
    pub(crate) fn into_text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Parses a JSON object from `bytes`, giving each top-level member to `member`.
///
/// Fails on anything but one object, on invalid UTF-8, on a name that stands twice at any depth,
/// and on nesting deeper than serde_json's 128.
pub(crate) fn object<'de>(
    bytes: &'de [u8],
    member: impl FnMut(Cow<'de, str>, Value<'de>),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(ObjectVisitor(member))?;
    deserializer.end()
}

struct ObjectVisitor<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, Value<'de>)> Visitor<'de> for ObjectVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            names.push(name.clone());
            let value = map.next_value_seed(ValueSeed)?;
            (self.0)(name, value);
        }
        names.check_unique()
    }
}

/// The names seen in one object.
#[derive(Default)]
struct Names<'de>(Vec<Cow<'de, str>>);

impl<'de> Names<'de> {
    fn push(&mut self, name: Cow<'de, str>) {
        self.0.push(name);
    }

    /// Sorting once keeps an object with thousands of members cheap.
    fn check_unique<E: Error>(mut self) -> Result<(), E> {
        self.0.sort_unstable();
        match self
            .0
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b))
        {
            true => Err(E::custom("a member name stands twice")),
            false => Ok(()),
        }
    }
}

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

struct ValueSeed;

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    // A NumericDate beyond 2^53 is beyond every plausible time, so the rounding does no harm.
    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Some(Vec::new());
        while let Some(element) = seq.next_element_seed(ValueSeed)? {
            match (&mut texts, element) {
                (Some(list), Value::Text(text)) => list.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Value::Other, Value::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Names::default();
        let mut number = None;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let value = map.next_value_seed(ValueSeed)?;
            if let (ARBITRARY_PRECISION_NUMBER, Value::Text(digits)) = (&*name, value) {
                number = digits.parse().ok();
            }
            names.push(name);
        }
        let single = names.0.len() == 1;
        names.check_unique()?;
        Ok(number
            .filter(|_| single)
            .map_or(Value::Other, Value::Number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Result<Vec<(String, String)>, String> {
        let mut members = Vec::new();
        object(json.as_bytes(), |name, value| {
            members.push((name.into_owned(), format!("{value:?}")))
        })
        .map_err(|error| error.to_string())?;
        Ok(members)
    }

    #[test]
    fn each_kind_of_value_is_told_apart() {
        for (json, expected) in [
            (r#""x""#, r#"Text("x")"#),
            (r#""a\u0062""#, r#"Text("ab")"#),
            ("1.5", "Number(1.5)"),
            ("-3", "Number(-3.0)"),
            ("18446744073709551615", "Number(1.8446744073709552e19)"),
            ("null", "Null"),
            ("true", "Other"),
            ("{}", "Other"),
            (r#"["a","b"]"#, r#"Texts(["a", "b"])"#),
            ("[]", "Texts([])"),
            (r#"["a",1]"#, "Other"),
        ] {
            let parsed = members(&format!(r#"{{"m":{json}}}"#));
            assert_eq!(
                parsed,
                Ok(vec![("m".to_owned(), expected.to_owned())]),
                "{json}"
            );
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_every_depth_and_however_escaped() {
        for json in [
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"aud":1,"\u0061ud":2}"#,
            r#"{"o":{"x":1,"x":1}}"#,
            r#"{"l":[{"x":[{"y":1,"y":2}]}]}"#,
        ] {
            assert!(members(json).is_err(), "{json}");
        }
        assert!(members(r#"{"a":{"x":1},"b":{"x":1}}"#).is_ok());
    }

    #[test]
    fn only_one_whole_object_is_accepted() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        for json in [
            "",
            "[]",
            "1",
            "null",
            r#""a""#,
            "{} {}",
            "{}x",
            "{\"a\":1",
            "{\"a\":1e999}",
            &deep,
        ] {
            assert!(members(json).is_err(), "{json}");
        }
        assert!(object(b"{\"a\":\"\xff\"}", |_, _| {}).is_err());
        assert_eq!(members(" {} \n"), Ok(vec![]));
    }
}
