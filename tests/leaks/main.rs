//! Nothing tells who a user is, what a token holds, or a secret of the configuration: no log line, no
//! span, no label of a metric, no header, no error document, no panic message, no `Debug`.
//!
//! What must not be found is planted wherever it can come in, with a word of its own for each place,
//! and everything that comes out is searched for all of them, in all forms (`search`).

#[path = "../support/http_auth_server.rs"]
mod auth_server;
#[path = "../support/postgres.rs"]
mod cluster;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
#[path = "../support/keyward.rs"]
mod process;
#[path = "../support/raw_server.rs"]
mod raw_server;

mod configuration;
mod hostile_auth_server;
mod http2;
mod library;
mod panics;
mod search;
mod service;
mod traffic;
