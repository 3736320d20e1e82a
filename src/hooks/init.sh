#!/bin/sh
# The init of a machine that has no initrd: init=/usr/lib/activate/init on the kernel command line.
#
# Shows the default generation before the real init reads /etc. Where none can be shown it waits for somebody to mend that: it
# never goes on onto links that lead nowhere.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
SELF=/usr/lib/activate/init
REALS='/usr/lib/systemd/systemd /lib/systemd/systemd /sbin/init'

say() {
  echo "activate: $*" >/dev/console 2>/dev/null || echo "activate: $*"
}

# Whether something is mounted at a path.
is_mounted() {
  [ -r /proc/self/mountinfo ] || return 1
  while read -r _ _ _ _ at _; do
    [ "$at" != "$1" ] || return 0
  done </proc/self/mountinfo
  return 1
}

# The same mounts as systemd makes, which keeps those that are there.
prepare() {
  is_mounted /proc || mount -t proc -o nosuid,nodev,noexec proc /proc
  is_mounted /dev || mount -t devtmpfs -o mode=0755,nosuid,strictatime,size=4m devtmpfs /dev
  is_mounted /run || mount -t tmpfs -o mode=0755,nosuid,nodev,strictatime,size=20%,nr_inodes=800k tmpfs /run
}

# Somebody at the console may mend it, and leaves the shell for another try.
rescue() {
  say "$1"
  say 'Leave the shell to try again.'
  if command -v sulogin >/dev/null; then
    sulogin /dev/console
  elif command -v setsid >/dev/null; then
    setsid -c sh </dev/console >/dev/console 2>&1
  else
    sh </dev/console >/dev/console 2>&1
  fi
  # Without a console, or with a locked root, there is nobody to wait for.
  sleep 5
}

start() {
  for real in $REALS; do
    # /sbin/init may be this very script. dash and busybox know -ef.
    # shellcheck disable=SC3013
    if [ ! -x "$real" ] || [ "$real" -ef "$SELF" ]; then continue; fi
    # shellcheck disable=SC2093 # this is for good
    exec "$real" "$@"
  done
  return 1
}

prepare
# Each program that starts takes its time: this one is read by a shell that ends with it.
# shellcheck disable=SC1091,SC2034
until (SYSROOT='' HOOK=init && . /usr/lib/activate/boot); do rescue 'No generation can be shown.'; done
until start "$@"; do rescue "There is no init to start: $REALS."; done
