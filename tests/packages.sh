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
