//! JSON as JOSE needs it: an object in which no name stands twice.
//!
//! serde keeps the last of two equal names, other parsers the first; a verifier and a consumer
//! that read one token differently is an attack (RFC 7515 §4, RFC 7519 §4, RFC 8725 §2.4).
//! [`Object::parse`] therefore refuses duplicates at every depth, after unescaping.
//!
//! A document is parsed once: claims are read from the parsed [`Object`], and so is the
//! application's type, for which it is a [`Deserializer`].

use std::borrow::Cow;
use std::fmt;
use std::iter;
use std::mem;
use std::sync::LazyLock;

use serde::de::value::{
    Error as ReadError, MapAccessDeserializer, MapDeserializer, SeqDeserializer,
};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// How serde_json hands over a number when some crate in the build turned on its
/// `arbitrary_precision` feature: as a map with this one name. Without this case a number would
/// then read as an object.
const ARBITRARY_PRECISION_NUMBER: &str = "$serde_json::private::Number";

/// Whether some crate did. If none did, such a map is an object that the document has, and no
/// number: no other parser would take it for one.
static ARBITRARY_PRECISION: LazyLock<bool> = LazyLock::new(|| {
    struct IsMap;

    impl<'d> Visitor<'d> for IsMap {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'d>>(self, _: A) -> Result<bool, A::Error> {
            Ok(true)
        }
    }

    let mut number = serde_json::Deserializer::from_str("1");
    number.deserialize_any(IsMap).unwrap_or(true)
});

/// Room for the members of a usual payload.
const USUAL_MEMBERS: usize = 16;

/// Up to this many names are compared with each other, more are sorted: an object with thousands
/// of members must not cost millions of comparisons.
const FEW_NAMES: usize = 32;

/// A JSON value. Strings without escapes are borrowed from the document.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'d> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A number as it is spelled.
    Digits(Cow<'d, str>),
    Text(Cow<'d, str>),
    Array(Vec<Self>),
    Object(Vec<(Cow<'d, str>, Self)>),
}

impl<'d> Value<'d> {
    pub(crate) fn into_text(self) -> Option<Cow<'d, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A NumericDate beyond 2⁵³ is beyond every plausible time, so the rounding does no harm.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Unsigned(number) => Some(*number as f64),
            Self::Signed(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Digits(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The strings of an array that holds nothing else.
    pub(crate) fn as_texts(&self) -> Option<impl Iterator<Item = &str> + Clone> {
        match self {
            Self::Array(values) if values.iter().all(|value| value.as_text().is_some()) => {
                Some(values.iter().filter_map(Self::as_text))
            }
            _ => None,
        }
    }
}

/// A whole document that is one JSON object.
#[derive(Debug)]
pub(crate) struct Object<'d>(Value<'d>);

impl<'d> Object<'d> {
    /// Fails on anything but one object, on invalid UTF-8, on a name that stands twice at any
    /// depth, and on nesting deeper than serde_json's 128.
    pub(crate) fn parse(bytes: &'d [u8]) -> Result<Self, serde_json::Error> {
        // Checked at once it is checked fast, and not again for each string.
        let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer.deserialize_map(ObjectVisitor)?;
        deserializer.end()?;
        Ok(Self(object))
    }

    /// The members at the top, in their order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value<'d>)> {
        let members: &[_] = match &self.0 {
            Value::Object(members) => members,
            _ => &[],
        };
        members.iter().map(|(name, value)| (&**name, value))
    }

    /// The members at the top, to keep.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        let members = match self.0 {
            Value::Object(members) => members,
            _ => Vec::new(),
        };
        members.into_iter()
    }

    /// Reads the object into a type. What borrows from the deserializer, or is private to
    /// serde_json as `RawValue` is, cannot be read this way.
    pub(crate) fn read<'o, T: Deserialize<'o>>(&'o self) -> Result<T, ReadError> {
        T::deserialize(&self.0)
    }
}

/// Whether a name stands twice. `members` were not checked before.
fn has_duplicate(members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    if members.len() > FEW_NAMES {
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        return names
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b));
    }
    // Names whose marks differ differ; few need comparing.
    let mut marks = 0_u64;
    members.iter().enumerate().any(|(at, (name, _))| {
        let mark = 1 << (mark(name.as_bytes()) & 63);
        let seen = marks & mark != 0;
        marks |= mark;
        seen && members.iter().take(at).any(|(earlier, _)| earlier == name)
    })
}

fn mark(name: &[u8]) -> usize {
    match name {
        [first, .., last] => usize::from(*first) * 7 + usize::from(*last) * 3 + name.len(),
        short => short.len(),
    }
}

type Members<'d> = Vec<(Cow<'d, str>, Value<'d>)>;

/// Only an object.
struct ObjectVisitor;

impl<'d> Visitor<'d> for ObjectVisitor {
    type Value = Value<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'d>>(self, map: A) -> Result<Value<'d>, A::Error> {
        members(map, Vec::with_capacity(USUAL_MEMBERS)).map(Value::Object)
    }
}

fn members<'d, A: MapAccess<'d>>(
    mut map: A,
    mut members: Members<'d>,
) -> Result<Members<'d>, A::Error> {
    while map.next_key_seed(NewMember(&mut members))?.is_some() {
        if let Some((_, value)) = members.last_mut() {
            map.next_value_seed(Place(value))?;
        }
    }
    match has_duplicate(&members) {
        true => Err(A::Error::custom("a member name stands twice")),
        false => Ok(members),
    }
}

/// Reads a name, and appends a member with it.
struct NewMember<'m, 'd>(&'m mut Members<'d>);

impl<'d> DeserializeSeed<'d> for NewMember<'_, 'd> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'d> Visitor<'d> for NewMember<'_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'d str) -> Result<(), E> {
        self.0.push((Cow::Borrowed(name), Value::Null));
        Ok(())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.push((Cow::Owned(name.to_owned()), Value::Null));
        Ok(())
    }
}

/// Reads a value to where it will stay: moving each through the results of four functions costs as
/// much as parsing it.
struct Place<'m, 'd>(&'m mut Value<'d>);

impl<'d> DeserializeSeed<'d> for Place<'_, 'd> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Place<'_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        *self.0 = Value::Null;
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        *self.0 = Value::Bool(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        *self.0 = Value::Unsigned(number);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        *self.0 = Value::Signed(number);
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        *self.0 = Value::Float(number);
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'d str) -> Result<(), E> {
        *self.0 = Value::Text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        *self.0 = Value::Text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut values = Vec::new();
        let mut value = Value::Null;
        while seq.next_element_seed(Place(&mut value))?.is_some() {
            values.push(mem::replace(&mut value, Value::Null));
        }
        *self.0 = Value::Array(values);
        Ok(())
    }

    fn visit_map<A: MapAccess<'d>>(self, map: A) -> Result<(), A::Error> {
        let mut members = members(map, Vec::new())?;
        *self.0 = match &mut *members {
            [(name, Value::Text(digits))]
                if name == ARBITRARY_PRECISION_NUMBER && *ARBITRARY_PRECISION =>
            {
                Value::Digits(mem::take(digits))
            }
            _ => Value::Object(members),
        };
        Ok(())
    }
}

impl<'de> Deserializer<'de> for &'de Value<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Unsigned(number) => visitor.visit_u64(*number),
            Value::Signed(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Digits(digits) => visitor.visit_map(MapDeserializer::new(iter::once((
                ARBITRARY_PRECISION_NUMBER,
                &**digits,
            )))),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Array(values) => {
                let mut elements = SeqDeserializer::new(values.iter());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
            Value::Object(members) => {
                let mut entries = entries(members);
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self {
            Value::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self {
            Value::Text(text) => visitor.visit_enum((&**text).into_deserializer()),
            Value::Object(members) if members.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(entries(members)))
            }
            _ => Err(ReadError::custom(
                "neither a variant's name nor an object of one",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

impl<'v> IntoDeserializer<'v, ReadError> for &'v Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn entries<'v, 'd>(
    members: &'v [(Cow<'d, str>, Value<'d>)],
) -> MapDeserializer<'v, impl Iterator<Item = (&'v str, &'v Value<'d>)>, ReadError> {
    MapDeserializer::new(members.iter().map(|(name, value)| (&**name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Result<Vec<(String, String)>, String> {
        let object = Object::parse(json.as_bytes()).map_err(|error| error.to_string())?;
        Ok(object
            .members()
            .map(|(name, value)| (name.to_owned(), format!("{value:?}")))
            .collect())
    }

    #[test]
    fn each_kind_of_value_is_told_apart() {
        for (json, expected) in [
            (r#""x""#, r#"Text("x")"#),
            (r#""a\u0062""#, r#"Text("ab")"#),
            ("1.5", "Float(1.5)"),
            ("-3", "Signed(-3)"),
            ("18446744073709551615", "Unsigned(18446744073709551615)"),
            ("null", "Null"),
            ("true", "Bool(true)"),
            ("{}", "Object([])"),
            (
                r#"{"$serde_json::private::Number":"1"}"#,
                r#"Object([("$serde_json::private::Number", Text("1"))])"#,
            ),
            (r#"["a"]"#, r#"Array([Text("a")])"#),
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
    fn values_are_read_as_what_they_are_and_nothing_else() {
        let json = br#"{"t":"x","u":7,"s":-7,"f":0.5,"texts":["a","b"],"none":[],"mixed":["a",1]}"#;
        let object = Object::parse(json).unwrap();
        let read = |wanted: &str| {
            let (_, value) = object.members().find(|(name, _)| *name == wanted).unwrap();
            (
                value.as_text(),
                value.as_number(),
                value.as_texts().map(Iterator::collect::<Vec<_>>),
            )
        };
        assert_eq!(read("t"), (Some("x"), None, None));
        assert_eq!(read("u"), (None, Some(7.0), None));
        assert_eq!(read("s"), (None, Some(-7.0), None));
        assert_eq!(read("f"), (None, Some(0.5), None));
        assert_eq!(read("texts"), (None, None, Some(vec!["a", "b"])));
        assert_eq!(read("none"), (None, None, Some(vec![])));
        assert_eq!(read("mixed"), (None, None, None));
        let spelled = Value::Digits("1.25".into());
        assert_eq!(spelled.as_number(), Some(1.25));
    }

    /// What serde_json reads from the text, [`Object::read`] reads from the parsed object.
    #[test]
    fn a_type_is_read_as_serde_json_reads_it() {
        use std::collections::BTreeMap;

        use serde::de::DeserializeOwned;

        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Plain {
            text: String,
            number: u32,
            float: f64,
            flag: bool,
            nothing: Option<String>,
            some: Option<i64>,
            list: Vec<Kind>,
            pair: (u8, char),
            unit: (),
            new: NewType,
            #[serde(default)]
            missing: u8,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct NewType(Vec<u8>);
        #[derive(Debug, PartialEq, serde::Deserialize)]
        enum Kind {
            Unit,
            New(u8),
            Tuple(u8, u8),
            Struct { a: String },
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Flat {
            text: String,
            #[serde(flatten)]
            rest: BTreeMap<String, serde_json::Value>,
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Whole(BTreeMap<String, serde_json::Value>);
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(untagged)]
        enum Untagged {
            Other { absent: u8 },
            Plain { text: String, number: u32 },
        }

        fn same<T: DeserializeOwned + PartialEq + fmt::Debug>(json: &str) -> bool {
            let object = Object::parse(json.as_bytes()).unwrap();
            let read = object.read::<T>().ok();
            assert_eq!(read, serde_json::from_str(json).ok(), "{json}");
            read.is_some()
        }

        let json = r#"{"text":"a\nb","number":7,"float":1,"flag":true,"nothing":null,"some":-1,
            "list":["Unit",{"New":1},{"Tuple":[1,2]},{"Struct":{"a":"b","z":[{}]}}],"pair":[1,"x"],
            "unit":null,"new":[1,2],"unknown":{"deep":[1.5,{"a":[]}]}}"#;
        assert!(same::<Plain>(json));
        assert!(same::<Flat>(json));
        assert!(same::<Whole>(json));
        assert!(same::<Untagged>(json));
        assert!(same::<serde_json::Value>(json));
        for wrong in [
            json.replace("7", "-7"),
            json.replace("7", "7.0"),
            json.replace("7", "4294967296"),
            json.replace("true", "1"),
            json.replace(r#"[1,"x"]"#, r#"[1,"x",2]"#),
            json.replace(r#"[1,"x"]"#, "[1]"),
            json.replace(r#""Unit""#, r#""Other""#),
            json.replace(r#"{"New":1}"#, r#"{"New":1,"Unit":null}"#),
            json.replace(r#""text""#, r#""test""#),
        ] {
            assert!(!same::<Plain>(&wrong), "{wrong}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_every_depth_and_however_escaped() {
        for json in [
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"aud":1,"\u0061ud":2}"#,
            r#"{"":1,"":2}"#,
            r#"{"o":{"x":1,"x":1}}"#,
            r#"{"l":[{"x":[{"y":1,"y":2}]}]}"#,
        ] {
            assert!(members(json).is_err(), "{json}");
        }
        assert!(members(r#"{"a":{"x":1},"b":{"x":1}}"#).is_ok());
        // Same mark, different names.
        assert!(members(r#"{"axb":1,"ayb":2,"x":3,"y":4,"":5}"#).is_ok());
        for count in [2, 31, 32, 33, 34, 500] {
            let unique: Vec<String> = (0..count).map(|at| format!(r#""n{at}":0"#)).collect();
            assert!(members(&format!("{{{}}}", unique.join(","))).is_ok());
            for twice in [0, count / 2, count - 1] {
                let repeated = format!(r#"{{{},"n{twice}":0}}"#, unique.join(","));
                assert!(members(&repeated).is_err(), "{repeated}");
            }
        }
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
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err());
        assert_eq!(members(" {} \n"), Ok(vec![]));
    }
}
