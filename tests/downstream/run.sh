#!/usr/bin/env bash
# Builds and tests this project, which depends on Keyward as a user's would: against the crate in this
# repository, then against what `cargo package` makes of it. Says what else comes with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

export CARGO_TARGET_DIR=$PWD/target/downstream
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

test_project() {
    local log=$CARGO_TARGET_DIR/$2.log
    cargo test --locked --quiet --manifest-path "$1/Cargo.toml" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    # A project without tests passes too.
    grep -q '^test result: ok\. [1-9]' "$log" || { echo "tests/downstream/run.sh: no test ran" >&2; exit 1; }
    echo "$2: $(awk '/^test result: ok/ { sum += $4 } END { print sum }' "$log") tests passed"
}

mkdir -p "$CARGO_TARGET_DIR"
test_project tests/downstream "path dependency"

# What is published: the dependencies that a user pays for, and all files that they need.
tree=$(cargo tree --locked --manifest-path tests/downstream/Cargo.toml -e normal,build --prefix none |
    sed 's/ .*//' | sort -u)
if grep -E '^(poem|sqlx|tonic|opentelemetry|prometheus|clap|tracing-subscriber|proptest)' <<<"$tree"; then
    echo "tests/downstream/run.sh: these come with keyward's features remote and tower, and should not" >&2
    exit 1
fi
echo "crates in its build: $(wc -l <<<"$tree")"

# The archive, unpacked, and the project beside it, where `..` leads to nothing of the repository's.
packaged=$CARGO_TARGET_DIR/packaged
rm -rf "$packaged"
mkdir -p "$packaged/reports"
package() { cargo package --locked --no-verify --allow-dirty --quiet "$@"; }
# It looks for news of the registry's, which nothing here needs.
package --offline 2>/dev/null || package
version=$(cargo pkgid --locked | sed 's/.*[#@]//')
# With the time of now: in the archive all files have one and the same, and Cargo would build none anew.
tar -xzmf "$CARGO_TARGET_DIR/package/keyward-$version.crate" -C "$packaged"
mv "$packaged/keyward-$version" "$packaged/keyward"
cp -r tests/downstream/{Cargo.toml,Cargo.lock,src,tests} "$packaged/reports"
sed -i 's|path = "\.\./\.\."|path = "../keyward"|' "$packaged/reports/Cargo.toml"
test_project "$packaged/reports" "packaged crate"
