//! An error with its causes, for one line of a log or a terminal.

use std::error::Error;

/// The error and what caused it, outermost first. A cause that the text before it already ends
/// with, as sqlx's do, is not said again.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn every_cause_is_said_once_and_in_one_line() {
        let root = Link("refused\nby the server", None);
        let repeated = Link(
            "cannot connect: refused\nby the server",
            Some(Box::new(root)),
        );
        let outer = Link("the database is not available", Some(Box::new(repeated)));
        assert_eq!(
            chain(&outer),
            "the database is not available: cannot connect: refused by the server"
        );
    }
}
