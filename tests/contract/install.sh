#!/usr/bin/env bash
# Installs what the contract tests need:
#   - the linters and the comparison of documents, from npm, into tests/contract/node_modules;
#   - a real Better Auth server, from npm, into tests/better-auth/node_modules, if it is not there;
#   - schemathesis, from PyPI, into target/contract-venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/packages.sh

step "installing linters (npm ci in tests/contract)"
npm ci --prefix tests/contract --no-audit --no-fund --loglevel=error

if [ ! -d tests/better-auth/node_modules ]; then
    step "installing Better Auth (npm ci in tests/better-auth)"
    npm ci --prefix tests/better-auth --no-audit --no-fund --loglevel=error
fi

venv=target/contract-venv
if ! python3 -c 'import ensurepip' 2>/dev/null; then
    step "installing Python (apt-get install python3 python3-venv)"
    apt_install python3 python3-venv
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "tests/contract/install.sh: Python 3.11 or newer is needed" >&2; exit 1; }
step "installing schemathesis (pip install schemathesis, into $venv)"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes -r tests/contract/requirements.txt
"$venv/bin/schemathesis" --version
