#!/usr/bin/env bash
# Builds the `keyward` binary linked statically, twice, in two directories and with two cargo homes,
# and compares the bytes: tests/release/binary.sh [FILE]
# The binary is left at FILE (target/release-binary/keyward unless given). What is built is the last
# commit, not the work tree. Takes two release builds: not part of tests/run.sh.
#
# The target is TARGET, this machine's own (GNU libc) unless set. A musl target does as well where
# rustup has one and a C compiler for it is there (Debian: musl-tools).
set -euo pipefail
cd "$(dirname "$0")/../.."

host=$(rustc -vV | sed -n 's/^host: //p')
target=${TARGET:-$host}
out=${1:-target/release-binary/keyward}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
commit=$(git rev-parse HEAD)
work=$(mktemp -d "${TMPDIR:-/tmp}/keyward-release.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The same commit has the same bytes whatever its directory is called, with the same Rust and the same C
# compiler: no path of the builder's is in the binary, neither by the one nor by the other.
build() {
    local sources=$work/$1 home=$work/$2
    mkdir -p "$sources" "$home"
    git archive "$commit" | tar -x -C "$sources"
    # What is downloaded already is used again, under another name.
    find "$cargo_home" -mindepth 1 -maxdepth 1 -exec ln -s {} "$home/" \;
    (
        cd "$sources"
        export CARGO_HOME=$home
        # A target that is named keeps the flags from build scripts and macros, which run here.
        export RUSTFLAGS="-C target-feature=+crt-static \
            --remap-path-prefix=$sources=/keyward --remap-path-prefix=$home=/cargo"
        export CFLAGS="-ffile-prefix-map=$sources=/keyward -ffile-prefix-map=$home=/cargo"
        unset CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS
        cargo build --release --locked --quiet --target "$target" --bin keyward
    )
    mv "$sources/target/$target/release/keyward" "$work/keyward-$1"
    rm -rf "$sources"
}

started=$SECONDS
build first cargo
echo "the first build took $((SECONDS - started)) s"
started=$SECONDS
build a-directory-with-a-longer-name another-cargo
echo "the second build took $((SECONDS - started)) s"

first=$work/keyward-first
second=$work/keyward-a-directory-with-a-longer-name
sha256sum "$first" "$second" | cut -c1-64
if ! cmp "$first" "$second"; then
    echo "tests/release/binary.sh: the two binaries differ" >&2
    mkdir -p "$(dirname "$out")"
    cp "$first" "$out.first"
    cp "$second" "$out.second"
    exit 1
fi
if grep -aqF -e "$work" -e "$cargo_home" "$first"; then
    echo "tests/release/binary.sh: the binary names directories of this machine" >&2
    exit 1
fi
# A dynamic binary names its interpreter.
if readelf --program-headers --wide "$first" | grep -q INTERP; then
    echo "tests/release/binary.sh: the binary is not static" >&2
    exit 1
fi
"$first" --version
mkdir -p "$(dirname "$out")"
install -m 755 "$first" "$out"
echo "$out: $target, static, $(stat -c %s "$out") bytes, the same from two directories"
