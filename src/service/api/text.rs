//! Text that a user writes: what it may hold, for the check and for the document.

use poem_openapi::registry::MetaSchema;
use serde_json::Value;

use super::body::Field;
use super::parameter::Parameter;

/// Characters (Unicode scalar values, as JSON Schema counts) of a title or a search text.
const MAX_CHARS: usize = 200;

/// No control character. The C0 and C1 sets are spelled out: not every regular expression dialect
/// knows `\p{Cc}`.
const NO_CONTROL_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// As above, and somewhere a character that is not white space (Unicode's White_Space).
const TITLE_PATTERN: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\u0000-\u001f\u007f-\u009f]*$"
);

fn schema(pattern: &str, example: &str) -> MetaSchema {
    MetaSchema {
        min_length: Some(1),
        max_length: Some(MAX_CHARS),
        pattern: Some(pattern.to_owned()),
        example: Some(example.into()),
        ..MetaSchema::new("string")
    }
}

/// Control characters have no place in one line of text, and PostgreSQL stores no NUL.
fn fits(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control)
}

/// What is to be done.
#[derive(Clone)]
pub struct Title(pub String);

impl Title {
    fn check(text: &str) -> bool {
        fits(text) && !text.trim().is_empty()
    }
}

impl Field for Title {
    const RULE: &'static str =
        "must be a string of 1 to 200 characters, not blank and without control characters";

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("What is to be done. Kept as it is, surrounding spaces included."),
            ..schema(TITLE_PATTERN, "Buy milk")
        }
    }

    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::String(text) if Self::check(&text) => Some(Self(text)),
            _ => None,
        }
    }
}

/// A text to look for in titles.
#[derive(Clone)]
pub struct SearchText(pub String);

impl Parameter for SearchText {
    const RULE: &'static str = "must be a text of 1 to 200 characters without control characters";

    fn schema() -> MetaSchema {
        schema(NO_CONTROL_PATTERN, "milk")
    }

    fn parse(text: &str) -> Option<Self> {
        fits(text).then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_visible_line() {
        let title = |text: &str| Title::from_json(text.into()).is_some();
        for good in ["a", " a ", "\u{1f95b}", &"\u{e9}".repeat(200), "\u{200b}"] {
            assert!(title(good), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "\u{3000}\u{a0}",
            "a\nb",
            "a\0",
            "a\u{85}",
            "\u{7f}",
            &"a".repeat(201),
        ] {
            assert!(!title(bad), "{bad:?}");
        }
        for bad in [Value::Null, 1.into(), true.into(), vec!["a"].into()] {
            assert!(Title::from_json(bad.clone()).is_none(), "{bad}");
        }
        assert!(SearchText::parse(" ").is_some() && SearchText::parse("").is_none());
    }

    #[test]
    fn the_title_pattern_excludes_exactly_what_the_check_does() {
        // The class of the pattern's middle part, read back from its own text.
        let classes: Vec<_> = TITLE_PATTERN.split("[^").skip(1).collect();
        let ranges = |class: &str| {
            let class = class.split(']').next().unwrap().replace("\\u", "");
            let mut ranges = Vec::new();
            let mut rest = class.as_str();
            while !rest.is_empty() {
                let hex = |text: &str| u32::from_str_radix(text, 16).unwrap();
                let first = hex(&rest[..4]);
                rest = &rest[4..];
                let last = match rest.strip_prefix('-') {
                    Some(after) => {
                        rest = &after[4..];
                        hex(&after[..4])
                    }
                    None => first,
                };
                ranges.push(first..=last);
            }
            ranges
        };
        let (control, invisible) = (ranges(classes[0]), ranges(classes[1]));
        for c in '\0'..=char::MAX {
            let within = |ranges: &[std::ops::RangeInclusive<u32>]| {
                ranges.iter().any(|range| range.contains(&u32::from(c)))
            };
            assert_eq!(within(&control), c.is_control(), "{c:?}");
            assert_eq!(
                within(&invisible),
                c.is_control() || c.is_whitespace(),
                "{c:?}"
            );
        }
    }
}
