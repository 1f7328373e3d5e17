//! The token on standard input, as it may come.
//!
//! Never from the command line, which everybody on the machine can read in the list of processes.

use std::io::{self, IsTerminal, Read};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::report::Check;
use crate::json::{Object, Value};

/// A token of the longest kind, in JSON, and some more.
const MAX_INPUT_LEN: u64 = 256 * 1024;

/// Standard input may be a pipe that nobody writes to nor closes.
const PATIENCE: Duration = Duration::from_secs(10);

const ID: &str = "token.input";

/// What there was.
pub(super) enum Input {
    Token(String),
    /// Why there is no token to look at.
    Nothing(Check),
}

/// Reads standard input, unless a person sits in front of it.
pub(super) async fn read() -> Input {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Input::Nothing(none());
    }
    let (send, receive) = oneshot::channel();
    // A thread of its own: one of the runtime's would hold the process until the pipe is closed.
    let reader = thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = stdin.lock().take(MAX_INPUT_LEN).read_to_end(&mut bytes);
        let _ = send.send(read.map(|_| bytes));
    });
    let Ok(_reader) = reader else {
        return Input::Nothing(none());
    };
    match timeout(PATIENCE, receive).await {
        Ok(Ok(Ok(bytes))) => find(&bytes),
        Ok(_) => Input::Nothing(none()),
        Err(_) => Input::Nothing(
            Check::skipped(ID, "standard input is open, and nothing came in time")
                .fix("pipe a token in, or give it nothing: keyward doctor < /dev/null"),
        ),
    }
}

fn none() -> Check {
    Check::skipped(ID, "no token on standard input")
        .fix("to find out why a token is refused, pipe it in: keyward doctor < token.txt")
}

/// The token in what was read: alone, behind `Bearer`, in quotes, or in the JSON that Better Auth's
/// `/token` answers.
fn find(bytes: &[u8]) -> Input {
    let wrong = |code, summary, fix| Input::Nothing(Check::wrong(ID, code, summary).fix(fix));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return wrong(
            "not_text",
            "standard input holds something that is not text",
            "pipe in the token alone, or what /api/auth/token answers",
        );
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Input::Nothing(none());
    }
    if text.starts_with('{') {
        let Ok(object) = Object::parse(text.as_bytes()) else {
            return wrong(
                "not_json",
                "standard input begins as JSON and is none",
                "pipe in the token alone, or what /api/auth/token answers",
            );
        };
        let mut members: Vec<_> = object.into_members().collect();
        let mut take = |name: &str| {
            let at = members.iter().position(|(other, _)| other == name)?;
            match members.swap_remove(at).1 {
                Value::Text(token) => Some(token.into_owned()),
                _ => None,
            }
        };
        return match take("token").or_else(|| take("access_token")) {
            Some(token) => bare(&token),
            None => wrong(
                "json_without_token",
                "standard input holds JSON without a token, as /api/auth/token answers whoever is not \
                 signed in",
                "ask for the token with a session: its cookie, or its session token as the bearer",
            ),
        };
    }
    if text == "null" || text.starts_with('<') {
        return wrong(
            "not_a_token",
            "standard input holds no token, but null or a web page",
            "pipe in the token alone, or what /api/auth/token answers",
        );
    }
    bare(text)
}

fn bare(text: &str) -> Input {
    let mut token = text.trim();
    if let Some(quoted) = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        token = quoted;
    }
    for prefix in ["authorization:", "bearer"] {
        if let Some((head, rest)) = token.split_at_checked(prefix.len())
            && head.eq_ignore_ascii_case(prefix)
            && (prefix.ends_with(':') || rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            token = rest.trim_start();
        }
    }
    if token.is_empty() {
        return Input::Nothing(none());
    }
    if token.contains(|char: char| char.is_whitespace() || char.is_control()) {
        let summary = "there is white space within the token, which no token has";
        return Input::Nothing(
            Check::wrong(ID, "white_space", summary)
                .fix("copy it as one line, without what stands before or behind it"),
        );
    }
    Input::Token(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_however_it_comes() {
        for input in [
            "a.b.c",
            "a.b.c\n",
            "\u{feff} a.b.c\r\n",
            "Bearer a.b.c",
            "bearer   a.b.c\n",
            "Authorization: Bearer a.b.c",
            "\"a.b.c\"\n",
            r#"{"token":"a.b.c"}"#,
            r#"{"token":"Bearer a.b.c"}"#,
            r#"{"access_token":"a.b.c","token_type":"Bearer"}"#,
        ] {
            match find(input.as_bytes()) {
                Input::Token(token) => assert_eq!(token, "a.b.c", "{input}"),
                Input::Nothing(check) => panic!("{input}: {check:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_token_is_called_what_it_is() {
        for (input, expected) in [
            (&b""[..], None),
            (b" \n", None),
            (b"Bearer \n", None),
            (b"null", Some("not_a_token")),
            (b"<!DOCTYPE html>", Some("not_a_token")),
            (b"{\"token\":", Some("not_json")),
            (b"{\"token\":null}", Some("json_without_token")),
            (
                b"{\"message\":\"Unauthorized\"}",
                Some("json_without_token"),
            ),
            (b"a.b c.d", Some("white_space")),
            (b"a.b\0.c", Some("white_space")),
            (b"\xff\xfe", Some("not_text")),
        ] {
            match find(input) {
                Input::Token(_) => panic!("{input:?}"),
                Input::Nothing(check) => assert_eq!(check.code.as_deref(), expected, "{input:?}"),
            }
        }
    }
}
