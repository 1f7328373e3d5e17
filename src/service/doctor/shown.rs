//! What may be shown of a token and of what servers say.
//!
//! `iss`, `aud`, `typ`, `alg` and `kid` are configuration, but whoever has made the token has chosen
//! them: they are shown short, in quotes, with everything escaped that a terminal or a log could take
//! for more than text, and not at all if a person may be in them.

use std::time::{Duration, SystemTime};

/// As long as an origin with a path may sensibly be.
const MAX_SHOWN_CHARS: usize = 100;

/// A value, or why it is not shown. `personal`: values that must not be in it.
pub(super) fn shown(value: &str, personal: &[&str]) -> String {
    let chars = value.chars().count();
    // A name of three letters is in many a host's; it is personal if it is the whole value.
    let holds = |personal: &&str| match personal.len() {
        0 => false,
        1..6 => value == *personal,
        _ => value.contains(*personal),
    };
    if value.contains('@') || personal.iter().any(holds) {
        format!("(not shown: it may name a person; {chars} characters)")
    } else if chars > MAX_SHOWN_CHARS {
        format!("(not shown: {chars} characters)")
    } else {
        quoted(value)
    }
}

/// In quotes, and escaped: control characters, and what is not ASCII, since letters that look the
/// same are a mistake to be seen here.
pub(super) fn quoted(value: &str) -> String {
    let escaped: String = value
        .chars()
        .flat_map(|char| match char {
            ' '..='~' if !matches!(char, '"' | '\\') => char.to_string().chars().collect(),
            '"' | '\\' => vec!['\\', char],
            _ => char.escape_unicode().collect::<Vec<_>>(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// What a server has said, of at most this many characters, in one line.
pub(super) fn said(value: &str) -> String {
    let short: String = value.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("{}{more}", quoted(&short))
}

/// A span of time in its two largest units.
pub(super) fn span(duration: Duration) -> String {
    const UNITS: [(u64, &str); 5] = [
        (365 * 86_400, "years"),
        (86_400, "d"),
        (3600, "h"),
        (60, "min"),
        (1, "s"),
    ];
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (length, name) in UNITS {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / length));
            rest %= length;
        } else if !parts.is_empty() {
            break;
        }
    }
    match parts.is_empty() {
        true => "0 s".to_owned(),
        false => parts.join(" "),
    }
}

/// `in 5 min`, or `5 min ago`.
pub(super) fn relative(time: SystemTime, now: SystemTime) -> String {
    match time.duration_since(now) {
        Ok(ahead) => format!("in {}", span(ahead)),
        Err(behind) => format!("{} ago", span(behind.duration())),
    }
}

/// How long something took.
pub(super) fn took(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_escaped_and_nobodys_name() {
        for (value, expected) in [
            ("https://app.example.com/", "\"https://app.example.com/\""),
            ("a\u{1b}[31m\n\"\\", r#""a\u{1b}[31m\u{a}\"\\""#),
            (
                "https://\u{430}pp.example",
                r#""https://\u{430}pp.example""#,
            ),
            (
                "ada@example.com",
                "(not shown: it may name a person; 15 characters)",
            ),
            (
                "user:koHxfvpE7L2p",
                "(not shown: it may name a person; 17 characters)",
            ),
            ("ada", "(not shown: it may name a person; 3 characters)"),
            ("https://canada.example", "\"https://canada.example\""),
        ] {
            assert_eq!(shown(value, &["koHxfvpE7L2p", "ada", ""]), expected);
        }
        assert_eq!(shown(&"x".repeat(101), &[]), "(not shown: 101 characters)");
        assert_eq!(said(&"x".repeat(101)), format!("\"{}\"…", "x".repeat(100)));
    }

    #[test]
    fn times_are_relative() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (725, "12 min 5 s"),
            (7200, "2 h"),
            (7205, "2 h"),
            (90_061, "1 d 1 h"),
            (86_400 * 366, "1 years 1 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(relative(SystemTime::UNIX_EPOCH, now), "16 min 40 s ago");
        assert_eq!(relative(now + Duration::from_secs(5), now), "in 5 s");
    }
}
