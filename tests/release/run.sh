#!/usr/bin/env bash
# What a release must hold: the package, the public API, the minimum Rust version.
set -euo pipefail
cd "$(dirname "$0")/../.."

bash tests/release/package.sh
bash tests/release/public-api.sh
node --test tests/release/semver.test.mjs
bash tests/release/msrv.sh
