//! The real `keyward serve` when everything around it fails: clients that misbehave, a database
//! that hangs, is full or is killed, a process that is stopped or killed under load, one of several
//! replicas too.
//!
//! Every test here has a bound in time. `KEYWARD_SOAK_SECONDS` makes the loads last longer.

#[path = "../support/better_auth.rs"]
mod better_auth_server;
#[path = "../support/postgres.rs"]
mod cluster;
#[path = "../support/http_auth_server.rs"]
mod http_auth_server;
#[path = "../support/keyward.rs"]
mod keyward_process;

mod client;
mod connections;
mod http2;
mod load;
mod postgres;
mod process;
mod proxy;
mod replicas;
mod requests;
mod service;
mod shutdown;
mod sqlite;
