#!/usr/bin/env bash
# Installs what the contract tests need:
#   - the linters and the comparison of documents, from npm, into tests/contract/node_modules;
#   - a real Better Auth server, from npm, into tests/better-auth/node_modules, if it is not there;
#   - schemathesis, from PyPI, into target/contract-venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/packages.sh

npm_ci tests/contract
if [ ! -d tests/better-auth/node_modules ]; then
    npm_ci tests/better-auth
fi

need_python
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "tests/contract/install.sh: Python 3.11 or newer is needed" >&2; exit 1; }
venv=target/contract-venv
pip_install "$venv" tests/contract/requirements.txt
"$venv/bin/schemathesis" --version
