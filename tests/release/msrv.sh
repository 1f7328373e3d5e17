#!/usr/bin/env bash
# Whether Rust `rust-version` (Cargo.toml) is enough, as far as it can be told without having that Rust:
#   - clippy knows since when each function, type and constant of the standard library is stable, and
#     complains of newer ones (incompatible_msrv, in the library, the binary, tests and benches);
#   - no package in the lock file asks for a newer Rust;
#   - the resolver heeds rust-version when the lock file is updated (resolver 3, edition 2024's).
# Not seen: newer syntax, macros and trait implementations, and packages that ask for too little.
# Whoever has that toolchain proves it with: cargo +1.94 check --locked --all-targets
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/release
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT

cargo metadata --locked --format-version 1 | node $here/msrv.mjs

# Is clippy able to complain? Both of the probe's uses of Rust 1.95 must be found, with the
# configuration that the product has. It has no dependencies, and is looked at anew each time: cargo would
# not notice that the configuration has changed.
CLIPPY_CONF_DIR=$PWD CARGO_TARGET_DIR=$work/target cargo clippy --quiet --locked --color never \
    --all-targets --manifest-path $here/msrv-probe/Cargo.toml 2>"$log"
for file in src/lib.rs tests/integration.rs; do
    grep -A1 'is stable since `1.95.0`' "$log" | grep -q -- "--> $file" || {
        cat "$log" >&2
        echo "tests/release/msrv.sh: clippy does not see what is too new in the probe's $file" >&2
        exit 1
    }
done

# The lint is on by default; with the arguments that tests/run.sh lints with, there is nothing to redo.
cargo clippy --locked --quiet --all-targets -- -D warnings
echo "the standard library: nothing newer than rust-version, tests and benches included"
