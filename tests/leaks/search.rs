//! The search for what must not be there: any piece of a token, and whatever tells who a user is or
//! opens a door, in each form that text takes on its way into a log.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// So many characters of a token are a piece of it. Of its header too, although that is the same for
/// all tokens of a key: nothing needs it.
const PIECE: usize = 12;

/// What must not be found.
#[derive(Default)]
pub struct Secrets {
    /// The secret, and one of its forms in lower case.
    texts: Vec<(String, String)>,
    /// The same for forms whose case matters.
    exact: Vec<(String, String)>,
    /// Every piece of a token.
    pieces: HashSet<[u8; PIECE]>,
}

/// A secret, and the line it was found in.
#[derive(Debug)]
pub struct Finding {
    pub secret: String,
    pub line: String,
}

impl Secrets {
    /// Text, which must be ASCII and of one word: encodings of text leave such words as they are,
    /// with few exceptions, and those are forms of their own.
    pub fn add(&mut self, secret: &str) {
        assert!(
            secret.len() >= 6
                && secret
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        );
        let bytes = secret.as_bytes();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = |bytes: &[u8]| {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            numbers.join(", ")
        };
        let folded = [
            secret.to_lowercase(),
            hex(bytes),
            // As `Debug` prints bytes, and as JSON does.
            list(bytes),
            list(bytes).replace(' ', ""),
            // Of a name that can be guessed, a hash without a key tells as much.
            hex(digest(&SHA256, bytes).as_ref()),
        ];
        self.texts
            .extend(folded.map(|form| (secret.to_owned(), form)));
        for padding in 0..3 {
            let padded = [&b"\0\0"[..padding], bytes].concat();
            for encoded in [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                // Without the characters that hold bits of its neighbours.
                let (from, to) = ([0, 2, 3][padding], padded.len() * 8 / 6);
                self.exact
                    .push((secret.to_owned(), encoded[from..to].to_owned()));
            }
        }
    }

    /// A compact JWS, or whatever else was sent as a bearer token.
    pub fn add_token(&mut self, token: &str) {
        for part in token.split('.') {
            let pieces = part.as_bytes().windows(PIECE);
            self.pieces
                .extend(pieces.map(|piece| <[u8; PIECE]>::try_from(piece).unwrap()));
        }
    }

    /// How many secrets there are.
    pub fn count(&self) -> usize {
        let names: HashSet<&String> = self.texts.iter().map(|(secret, _)| secret).collect();
        names.len()
    }

    /// How many pieces of tokens there are.
    pub fn count_pieces(&self) -> usize {
        self.pieces.len()
    }

    /// What is found in a text, once for each secret.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut found = |secret: &str, at: usize| {
            let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let to = text[at..].find('\n').map_or(text.len(), |end| at + end);
            let line = &text[from..to];
            let around = |range: std::ops::Range<usize>| line.get(range).unwrap_or(line).to_owned();
            let near = (at - from).saturating_sub(200)..(at - from + 100).min(line.len());
            findings.push(Finding {
                secret: secret.to_owned(),
                line: around(near),
            });
        };
        let lower = text.to_ascii_lowercase();
        let mut last = "";
        let folded = self.texts.iter().map(|form| (&*lower, form));
        let exact = self.exact.iter().map(|form| (text, form));
        for (text, (secret, form)) in folded.chain(exact) {
            if last != secret
                && let Some(at) = text.find(form.as_str())
            {
                found(secret, at);
                last = secret;
            }
        }
        let of_a_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte);
        let bytes = text.as_bytes();
        let mut run = 0;
        for (at, byte) in bytes.iter().enumerate() {
            run = if of_a_token(*byte) { run + 1 } else { 0 };
            if run >= PIECE {
                let from = at + 1 - PIECE;
                let piece: [u8; PIECE] = bytes[from..=at].try_into().unwrap();
                if self.pieces.contains(&piece) {
                    found(&format!("a piece of a token: {}", &text[from..=at]), from);
                    break;
                }
            }
        }
        findings
    }

    /// # Panics
    /// With what was found, and where.
    pub fn assert_absent(&self, place: &str, text: &str) {
        let findings = self.find(text);
        if !findings.is_empty() {
            let lines: Vec<String> = findings
                .iter()
                .map(|finding| format!("{}: {}", finding.secret, finding.line))
                .collect();
            panic!("in {place}:\n{}", lines.join("\n"));
        }
    }
}

/// A search that finds nothing proves something only if it would have found it.
mod tests {
    use super::*;

    const SECRET: &str = "Marker-5d2-of-Ada";
    const TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtleS0xIn0.eyJzdWIiOiJhZGEtbG92ZWxhY2UiLCJleHAiOjk5OTk5OTk5OTk5fQ.wZ8n0bFqk2X_-Pp3uT7vY9rS1mQdEoGhJ4kLaWcB6xN5tRfVyUiKzMlDjHgFeOsA";

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(SECRET);
        secrets.add_token(TOKEN);
        secrets
    }

    /// What a log or a span is made of, with something in its middle.
    fn around(leak: &str) -> [String; 5] {
        [
            format!(
                "a line before\n2026-11-24T12:00:00Z DEBUG h2::server: malformed path ({leak})\n"
            ),
            serde_json::json!({"level": "INFO", "message": format!("x {leak}"), "n": 1})
                .to_string(),
            format!("{:?}", [("db.query.text", leak)]),
            format!("http_requests_total{{path=\"{leak}\"}} 1\n# EOF\n"),
            format!("{}{leak}{}", "a".repeat(3), "-".repeat(3)),
        ]
    }

    #[test]
    fn each_form_of_a_secret_is_found_wherever_it_stands() {
        let bytes = SECRET.as_bytes();
        let upper_hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let hash = digest(&SHA256, bytes);
        let hash: String = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut leaks = vec![
            SECRET.to_owned(),
            SECRET.to_lowercase(),
            SECRET.to_uppercase(),
            format!("ada%40{SECRET}%2Fx"),
            format!("{SECRET:?}"),
            format!("{bytes:?}"),
            format!("{:?}", bytes::Bytes::from_static(SECRET.as_bytes())),
            serde_json::to_string(bytes).unwrap(),
            upper_hex,
            hash,
        ];
        for before in [
            "",
            "a",
            "ab",
            "abc",
            r#"{"sub":""#,
            r#"{"email":"x","sub":""#,
        ] {
            for after in ["", "b", "bc", r#"","iss":"x"}"#] {
                let text = format!("{before}{SECRET}{after}");
                leaks.push(STANDARD.encode(&text));
                leaks.push(URL_SAFE_NO_PAD.encode(&text));
            }
        }
        let secrets = secrets();
        for leak in &leaks {
            for text in around(leak) {
                let found = secrets.find(&text);
                assert!(
                    found.iter().any(|finding| finding.secret == SECRET),
                    "{text}"
                );
            }
        }
        println!("ran {} cases: planted leaks of a secret", leaks.len() * 5);
    }

    #[test]
    fn each_piece_of_a_token_is_found() {
        let secrets = secrets();
        let mut planted = 0;
        for part in TOKEN.split('.') {
            for from in 0..=part.len() - PIECE {
                for text in around(&part[from..from + PIECE]) {
                    let found = secrets.find(&text);
                    assert!(
                        found.iter().any(|it| it.secret.starts_with("a piece")),
                        "{text}"
                    );
                    planted += 1;
                }
            }
        }
        println!("ran {planted} cases: planted pieces of a token");
    }

    #[test]
    fn what_is_no_leak_is_not_found() {
        let shorter = &TOKEN[..PIECE - 1];
        for text in around(&format!(
            "marker, ada, {shorter}, 4bf92f3577b34da6a3ce929d0e0e4736"
        )) {
            secrets().assert_absent("text", &text);
        }
    }
}
