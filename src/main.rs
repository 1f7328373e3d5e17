//! The `keyward` command.

use std::process::ExitCode;

use clap::Parser;
use keyward::service::commands::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, for people and for the log of whatever started the process.
            eprintln!("keyward: {error}");
            ExitCode::FAILURE
        }
    }
}
