//! What the benches share: tokens as a real Better Auth issues them, the same key in aws-lc-rs and
//! in jsonwebtoken, and a record of what was measured.

// Each bench uses a part of it.
#![allow(dead_code)]

pub mod contenders;
pub mod paired;
pub mod record;
pub mod table;
pub mod token;

/// Whether the command line asks for what has this id, as criterion understands it: `cargo bench --
/// FILTER` runs what has the filter in its name.
pub fn is_wanted(id: &str) -> bool {
    let mut filters = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| id.contains(&filter))
}
