#!/usr/bin/env bash
# Installs what listens to Keyward's telemetry, for the tests and for observability/try.sh:
#   - Prometheus, from Debian's packages, into target/prometheus;
#   - rotel, an OTLP receiver, from PyPI, into target/telemetry-venv.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/packages.sh

# Unpacked, not installed: the package would start a server.
prometheus=target/prometheus
if [ ! -x "$prometheus/usr/bin/promtool" ]; then
    step "fetching Prometheus (apt-get download prometheus, into $prometheus)"
    mkdir -p "$prometheus"
    (cd "$prometheus" && apt-get download -q prometheus) || {
        as_root apt-get update -q
        (cd "$prometheus" && apt-get download -q prometheus)
    }
    dpkg-deb -x "$prometheus"/prometheus_*.deb "$prometheus"
    rm "$prometheus"/prometheus_*.deb
fi

venv=target/telemetry-venv
pip_install "$venv" tests/telemetry-requirements.txt
rotel=$("$venv/bin/python" -c 'import os, sysconfig; print(os.path.join(sysconfig.get_path("purelib"), "rotel", "rotel-agent"))')
if [[ $(ldd "$rotel") == *libpython*"not found"* ]]; then
    libpython=$("$venv/bin/python" -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')
    step "installing Python's library (apt-get install $libpython)"
    apt_install "$libpython"
fi
"$rotel" version >/dev/null || { echo "tests/install-telemetry.sh: rotel does not run" >&2; exit 1; }
