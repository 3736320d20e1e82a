#!/bin/sh
# Mounts what holds the state of activate and the stores, where the fstab of the root says that these are filesystems of their
# own: an initramfs mounts the root and /usr alone.
case ${1-} in prereqs) exit 0 ;; esac
# shellcheck source=/dev/null
. /scripts/functions
# shellcheck source=/dev/null
. /scripts/local

# What was done for the root is not done again; and nothing remounts these later, as the root is: they are not mounted read-only.
# shellcheck disable=SC2034
local_premount_used=yes readonly=n

for place in /var /var/lib /var/lib/activate /nix /nix/store /gnu /gnu/store; do
  read_fstab_entry "$place" || continue
  case ,${MNT_OPTS-}, in *,noauto,*) continue ;; esac
  mountfs "$place"
done
