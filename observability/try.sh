#!/usr/bin/env bash
# Starts Keyward with a real OTLP receiver and a real Prometheus beside it, sends good and bad
# requests, and prints what they leave: the span tree of an accepted and of a refused request, and
# where to look at the metrics. Ends with Ctrl-C, or after so many seconds: try.sh 60
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/install-telemetry.sh
cargo build --locked
exec target/telemetry-venv/bin/python observability/try.py "$@"
