#!/bin/sh
# Loads modules and runs commands, as [initrd] of activation.toml says, before the root is mounted; never goes on without them.
#
# What opens encrypted devices comes first: a pool may be on them.
case ${1-} in
  prereqs)
    echo mdadm cryptroot lvm2 multipath
    exit 0
    ;;
esac
# shellcheck source=/dev/null
. /scripts/functions

until /usr/lib/activate/before-mount; do
  panic 'activate: what has to be done before the root is mounted failed. Leave the shell to try again.'
  sleep 1
done
