//! `keyward doctor`: each broken set-up is made for real, and doctor names its cause.

#[path = "../support/better_auth.rs"]
mod auth_server;
#[path = "../support/postgres.rs"]
mod cluster;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
#[path = "../support/raw_server.rs"]
mod raw_server;
#[path = "../support/keyward.rs"]
mod service;
#[path = "../support/tls_server.rs"]
mod tls_server;

mod better_auth;
mod command;
mod command_line;
mod database;
mod network;
mod secrecy;
mod telemetry;
