#!/bin/sh
# Takes into each initramfs what shows the default generation. See initramfs-tools(7).
case ${1-} in prereqs) exit 0 ;; esac
# shellcheck source=/dev/null
. /usr/share/initramfs-tools/hook-functions

copy_file script /usr/lib/activate/boot /usr/lib/activate/boot
# Those of busybox and klibc know neither loop devices nor all the options.
for program in mount umount modprobe readlink ln mv cp rm mkdir chown chmod cat sync sleep sha256sum chroot systemd-tmpfiles; do
  path=$(command -v "$program") || { echo "activate: $program is missing" >&2; exit 1; }
  copy_exec "$path" "/usr/bin/$program"
done
manual_add_modules loop squashfs erofs overlay

# What the closure asks for.
if [ -e /usr/lib/activate/before-mount ]; then
  copy_file script /usr/lib/activate/before-mount /usr/lib/activate/before-mount
fi
if [ -d /usr/lib/activate/kernel ]; then
  # shellcheck disable=SC2154 # mkinitramfs exports DESTDIR
  cp -a /usr/lib/activate/kernel "$DESTDIR/usr/lib/activate/kernel"
fi
