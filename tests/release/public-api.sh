#!/usr/bin/env bash
# Whether what users build on is what the listings here say: tests/release/public-api.sh [--update]
#   listing/library.txt       features, minimum Rust version, every public item of the library
#   listing/command-line.txt  commands, flags, environment variables and their defaults
# A change shows in the listing's diff, and so in review; --update writes them anew. What the last
# release had is in released/ (made by --release, once there is one): a line that is lost since needs a
# version that says so. docs/semver.md has the rules. What goes over the wire is openapi/released's.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/release
target=${CARGO_TARGET_DIR:-target}
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

# Each release of rustdoc writes its JSON a little differently, and the tool reads one kind.
rust=1.95
if ! rustc --version | grep -q "^rustc $rust\."; then
    echo "tests/release/public-api.sh: needs Rust $rust to read rustdoc's JSON; not checked: $(rustc --version)" >&2
    if [ -n "${CI:-}" ]; then exit 1; else exit 0; fi
fi

RUSTDOC=$PWD/$here/rustdoc.sh \
    cargo rustdoc --locked --quiet --lib --all-features -- -Z unstable-options --output-format json
CARGO_TARGET_DIR=$target/release-checks \
    cargo build --locked --quiet --manifest-path $here/public-api/Cargo.toml
{
    cargo metadata --locked --no-deps --format-version 1 | node -e '
        const { rust_version, features } = JSON.parse(require("fs").readFileSync(0)).packages[0];
        console.log(`rust-version ${rust_version}`);
        for (const name of Object.keys(features).sort()) {
            const brings = features[name].filter((other) => other in features);
            console.log([`feature ${name}`, ...brings.sort()].join(" "));
        }'
    "$target/release-checks/debug/keyward-public-api" "$target/doc/keyward.json"
} >"$new/library.txt"

cargo build --locked --quiet --bin keyward
help() { env -i "$target/debug/keyward" "$@" -h; }
{
    for command in $(help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on && $1 != "help" { print $1 }'); do
        echo "keyward $command"
        # A flag, its value, and of what follows the default and the variable, on one line.
        help "$command" | awk -v command="$command" '
            function flush() {
                if (flag == "") return
                line = "keyward " command " " flag
                if (match(text, /\[default: [^]]*\]/)) line = line " " substr(text, RSTART, RLENGTH)
                if (match(text, /\[env: [^]]*\]/)) line = line " " substr(text, RSTART, RLENGTH)
                print line
                flag = ""; text = ""
            }
            /^ +(-[a-zA-Z], )?--/ {
                flush()
                match($0, /--[a-z-]+( <[A-Z_]+>)?/)
                flag = substr($0, RSTART, RLENGTH); text = substr($0, RSTART + RLENGTH)
                next
            }
            /^ +</ {
                flush()
                flag = $1; text = $0
                next
            }
            { text = text " " $0 }
            END { flush() }'
    done
} >"$new/command-line.txt"

case ${1:-} in
--update)
    mkdir -p $here/listing
    cp "$new"/*.txt $here/listing/
    ;;
--release)
    mkdir -p $here/released
    cp "$new"/*.txt $here/released/
    cargo pkgid | sed 's/.*[@#]//' >$here/released/VERSION
    ;;
"") ;;
*)
    echo "usage: tests/release/public-api.sh [--update | --release]" >&2
    exit 2
    ;;
esac

for listing in library command-line; do
    if ! diff -U0 $here/listing/$listing.txt "$new/$listing.txt" >&2; then
        echo "tests/release/public-api.sh: $here/listing/$listing.txt is not what the code has." >&2
        echo "If the change is meant and docs/semver.md allows it: bash tests/release/public-api.sh --update" >&2
        exit 1
    fi
done
echo "the library: $(grep -cv '^feature \|^rust-version ' "$new/library.txt") public items, as listed;" \
    "the command line: $(grep -c -- ' --' "$new/command-line.txt") flags, as listed"
node $here/semver.mjs "$new" "$(cargo pkgid | sed 's/.*[@#]//')"
