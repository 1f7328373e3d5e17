#!/bin/sh
# rustdoc with what is nightly's, on the toolchain that is installed: for RUSTDOC. Cargo and rustc do
# not see the variable, so nothing else is built anew.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
