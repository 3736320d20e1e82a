#!/bin/sh
# Makes the pointer to the default generation. SYSROOT is where the root is, HOOK who calls.
set -u
state=${SYSROOT-}/var/lib/activate
default=$(readlink "$state/default") || exit 0
[ -d "$state/$default/tree" ] || exit 1
mkdir -p /run/activate/gen
ln -sfn "/var/lib/activate/$default/tree" /run/filesystem-overlay
