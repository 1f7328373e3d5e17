//! The `keyward` service: what the binary runs. Not a public API of the crate.

pub mod api;
pub mod commands;
pub mod config;
pub mod dev_issuer;
pub mod doctor;
mod error_chain;
pub mod http;
pub mod limits;
pub mod oauth;
pub mod process;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod variable;
