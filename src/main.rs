//! The `keyward` command.

use std::process::ExitCode;

use keyward::service::commands::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::read() {
        Ok(cli) => cli.run().await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, for people and for the log of whatever started the process.
            eprintln!("keyward: {error}");
            ExitCode::FAILURE
        }
    }
}
