# What the scripts that install packages share; sourced by them.

step() { printf '\n== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# Installs exactly what a package's lock file says.
npm_ci() {
    step "installing the npm packages of $1 (npm ci)"
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

need_python() {
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        step "installing Python (apt-get install python3 python3-venv)"
        apt_install python3 python3-venv
    fi
}

# Installs exactly what a requirements file says, in a virtual environment: pip_install VENV FILE
pip_install() {
    need_python
    step "installing what $2 lists (pip install, into $1)"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes -r "$2"
}
