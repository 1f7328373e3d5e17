//! The `keyward` service: what the binary runs. Not a public API of the crate.

pub mod api;
pub mod store;
