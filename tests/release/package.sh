#!/usr/bin/env bash
# What `cargo publish` would upload: is it all of the sources and nothing else, does it build, and does
# docs.rs's way of documenting it work?
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "tests/release/package.sh: $*" >&2
    exit 1
}

# Compressed, in bytes. The package had 240,000 when this was written; a picture or a set of test
# vectors that slips in is more than the rest.
limit=350000

log=$(mktemp)
list=$(mktemp)
trap 'rm -f "$log" "$list"' EXIT

# Tracked files only, so that no editor's leftovers go out; and no kind of file that was not meant.
expected() {
    git ls-files build.rs Cargo.lock Cargo.toml LICENSE-APACHE LICENSE-MIT README.md \
        openapi/openapi.json 'docs/migrating-*.md' 'examples/*.rs' 'migrations/*.sql' 'src/*.rs'
    # Cargo's own.
    printf '%s\n' .cargo_vcs_info.json Cargo.toml.orig
}
cargo package --locked --allow-dirty --list 2>/dev/null | sort >"$list"
if ! expected | sort | diff - "$list" >&2; then
    fail "the package's files (>) are not those that git tracks and that belong into it (<)"
fi

# Builds what was packed, with this target directory's dependencies.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target} cargo package --locked --allow-dirty --color never 2>"$log" || {
    cat "$log" >&2
    exit 1
}
# Cargo says of each test and benchmark that it stays out, as it should. There is no public repository
# yet to be named in the manifest. Everything else is to be mended.
if grep -A5 '^warning' "$log" | grep '^warning' \
    | grep -vE '^warning: ignoring (test|benchmark) `[a-z_]+` as `(tests|benches)/[a-z_/]+\.rs` is not included in the published package$' \
    | grep -vxE 'warning: manifest has no documentation, homepage or repository' >&2; then
    fail "cargo package warns"
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
size=$(stat -c %s "${CARGO_TARGET_DIR:-target}/package/keyward-$version.crate")
[ "$size" -le "$limit" ] || fail "the package has $size bytes; more than $limit are not expected"
echo "keyward-$version.crate: $(wc -l <"$list") files, $size bytes, builds"

# docs.rs sets `docsrs`, on nightly, where each item can say which feature brings it.
RUSTDOC=$PWD/tests/release/rustdoc.sh \
    cargo rustdoc --locked --quiet --lib --all-features -- --cfg docsrs -D warnings
page=${CARGO_TARGET_DIR:-target}/doc/keyward/tower/struct.BearerAuthLayer.html
grep -q 'crate feature <code>tower</code>' "$page" || fail "$page does not name the feature it needs"
echo "documented as docs.rs does it"
