#!/bin/sh
# Adds what shows the default generation to the initrds of each new kernel. See kernel-install(8).
set -eu

[ "$1" = add ] || exit 0
staging=${KERNEL_INSTALL_STAGING_AREA:?}
[ $# -le 4 ] || [ ! -f "$5" ] || has_initrd=yes
for initrd in "$staging"/initrd*; do
  [ ! -f "$initrd" ] || has_initrd=yes
done
# On Debian a plugin that comes later stages it.
[ ! -e /usr/lib/kernel/install.d/85-initrd.install ] || [ ! -f "/boot/initrd.img-$2" ] || has_initrd=yes
# Alone it is no initrd.
[ -n "${has_initrd-}" ] || exit 0

[ "${KERNEL_INSTALL_VERBOSE:-0}" = 0 ] || echo "Adding /usr/lib/activate/addon.cpio"
# Initrds are unpacked in the order of their names.
cp /usr/lib/activate/addon.cpio "$staging/initrd-zz-activate.cpio"
