#!/usr/bin/env bash
# Fuzzes each target for a while: bash tests/fuzz/run.sh [SECONDS]
# SECONDS in all, 60 unless given, are divided among the targets. Fails on a crash, a hang or a leak
# of memory, and keeps the input below target/fuzz/crashes.
#
# Stable Rust is enough: the instrumentation is LLVM's own SanitizerCoverage, switched on by codegen
# flags, and the fuzzer is libFuzzer, compiled from the libfuzzer-sys crate by the C++ compiler. The
# sanitizers themselves, which cargo-fuzz turns on by default, need nightly; this crate forbids unsafe
# code, and what they would find in it overflow checks and debug assertions find here.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
targets=(token claims authorization key_set cursor body)
each=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))

command -v c++ >/dev/null || {
    echo "tests/fuzz/run.sh: no C++ compiler (c++); on Debian: apt-get install g++" >&2
    exit 1
}

export CARGO_TARGET_DIR=$PWD/target/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
sancov=-sanitizer-coverage
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=$sancov-level=4 -Cllvm-args=$sancov-inline-8bit-counters"
RUSTFLAGS+=" -Cllvm-args=$sancov-pc-table -Cllvm-args=$sancov-trace-compares -Ccodegen-units=1"
export RUSTFLAGS
# With a target named, build scripts and macros are not instrumented.
cargo build --locked --release --quiet --target "$host" --manifest-path tests/fuzz/Cargo.toml
fuzzer=$CARGO_TARGET_DIR/$host/release/keyward-fuzz

work=$CARGO_TARGET_DIR/run
mkdir -p "$work"
rm -rf "$work/seeds"
KEYWARD_FUZZ_SEEDS=$work/seeds "$fuzzer" >"$work/seeds.log" 2>&1 || { cat "$work/seeds.log" >&2; exit 1; }

crashes=$CARGO_TARGET_DIR/crashes
failed=0
for target in "${targets[@]}"; do
    # What an earlier run has found interesting is where the next one goes on from.
    mkdir -p "$work/corpus/$target" "$crashes/$target"
    log=$work/$target.log
    status=0
    KEYWARD_FUZZ_TARGET=$target "$fuzzer" \
        -max_total_time="$each" -timeout=20 -rss_limit_mb=2048 -max_len=20000 -len_control=20 \
        -use_value_profile=1 -dict=tests/fuzz/dictionary.txt -artifact_prefix="$crashes/$target/" \
        "$work/corpus/$target" "$work/seeds/$target" >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
    last=$(grep -aE 'cov: [0-9]+' "$log" | tail -1 || true)
    first=$(grep -aE 'INITED' "$log" | tail -1 || true)
    field() { sed -nE "s/.*$1: ([0-9]+).*/\\1/p" <<<"$2"; }
    echo "ran ${runs:-0} cases: fuzzing $target, ${each} s, $(field cov "$first") edges covered by seeds, $(field cov "$last") in all"
    if [ "$status" -ne 0 ] || [ -z "$runs" ]; then
        failed=1
        tail -40 "$log" >&2
        echo "tests/fuzz/run.sh: $target failed. Again: KEYWARD_FUZZ_TARGET=$target $fuzzer $crashes/$target/..." >&2
        ls -l "$crashes/$target" >&2
    fi
done
exit "$failed"
