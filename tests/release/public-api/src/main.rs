//! Prints the public API that a rustdoc JSON file describes, an item a line.

use std::process::ExitCode;

/// Every type has these, and what would take them away is not a decision of this crate's.
const NOISE: [&str; 5] = [
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
    "core::marker::Freeze",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
];

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: keyward-public-api RUSTDOC_JSON");
        return ExitCode::FAILURE;
    };
    // Blanket implementations are other crates'. `Send` and `Sync` stay: they are lost unnoticed.
    let api = public_api::Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .build();
    match api {
        Ok(api) => {
            for item in api.items() {
                let line = item.to_string();
                let noise = |name: &&str| line.contains(&format!("{name} for "));
                if !(line.starts_with("impl") && NOISE.iter().any(noise)) {
                    println!("{line}");
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
