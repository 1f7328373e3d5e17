//! The attack table, one file a topic. A row is a case: its name, how it is made, what it gets.

mod algorithm;
mod claims;
mod ecdsa;
mod eddsa;
mod encoding;
mod header;
mod key_set;
mod rsa;
mod token_type;
pub mod transport;

use std::sync::LazyLock;

use crate::case::Case;

/// Each topic with its rows. Made once: some take thousands of hashes or a private operation.
pub static TOPICS: LazyLock<Vec<(&str, Vec<Case>)>> = LazyLock::new(|| {
    vec![
        ("algorithm", algorithm::cases()),
        ("header", header::cases()),
        ("token type", token_type::cases()),
        ("encoding", encoding::cases()),
        ("ECDSA", ecdsa::cases()),
        ("EdDSA", eddsa::cases()),
        ("RSA", rsa::cases()),
        ("claims", claims::cases()),
        ("key set", key_set::cases()),
    ]
});

/// All rows.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    TOPICS.iter().flat_map(|(_, cases)| cases)
}
