#!/usr/bin/env bash
# Verifies tokens of several real Better Auth versions with the real `keyward serve`:
#   tests/better-auth-versions/run.sh [VERSION...]     1.2, 1.3, 1.4, 1.6, 1.7; all by default
# Installs their npm packages unless they are there. Servers listen on free loopback ports and end
# with the script.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/packages.sh

here=tests/better-auth-versions
if [ ! "$here/node_modules/.package-lock.json" -nt "$here/package-lock.json" ]; then
    npm_ci "$here"
fi
cargo build --locked --quiet --bin keyward
node "$here/run.mjs" "$@"
