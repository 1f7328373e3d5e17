#!/usr/bin/env bash
# Makes the certificates in this directory anew. They are trusted by nobody but the tests, which name
# `authority.pem` as the only authority; its key is thrown away.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
cat >"$work/config" <<CONFIG
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
CONFIG

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

key "$work/authority.key"
openssl req -x509 -new -key "$work/authority.key" -subj "/CN=Keyward's tests" -days 36500 \
    -addext keyUsage=critical,keyCertSign -out authority.pem

key key.pem
while read -r name host from until; do
    openssl req -new -key key.pem -subj "/CN=$name" -addext "subjectAltName=DNS:$host" -out "$work/request"
    openssl ca -batch -notext -config "$work/config" -cert authority.pem -keyfile "$work/authority.key" \
        -in "$work/request" -startdate "$from" -enddate "$until" -out "$name.pem"
done <<'CERTIFICATES'
good localhost 20240101000000Z 21231231235959Z
expired localhost 20240101000000Z 20240201000000Z
other-host auth.example.com 20240101000000Z 21231231235959Z
CERTIFICATES
openssl req -x509 -new -key key.pem -subj /CN=self-signed -addext subjectAltName=DNS:localhost \
    -days 36500 -out self-signed.pem
