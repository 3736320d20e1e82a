#!/bin/sh
# Shows the default generation before the real init starts; never goes on onto links that lead nowhere.
#
# That of udev comes first: it moves /dev to the root.
case ${1-} in
  prereqs)
    echo udev
    exit 0
    ;;
esac
# shellcheck source=/dev/null
. /scripts/functions

# shellcheck disable=SC2154 # the init of the initramfs exports rootmnt
until SYSROOT=$rootmnt HOOK=initrd /usr/lib/activate/boot; do
  panic 'activate: no generation can be shown. Leave the shell to try again.'
  sleep 1
done
