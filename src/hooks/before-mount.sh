#!/bin/sh
# Loads modules and runs commands, as [initrd] of activation.toml says, before anything is mounted. Made by activate.
# Status 1: one of them failed, and nothing may be mounted. For dash and busybox; needs cat mkdir modprobe.
set -uf
export LC_ALL=C PATH="${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}"
DONE=/run/activate/before-mount KERNEL=/usr/lib/activate/kernel
[ ! -e $DONE ] || exit 0
version=$(cat /proc/sys/kernel/osrelease)

say() {
  printf 'activate: %s\n' "$*" >&2
  (printf '<3>activate: %s\n' "$*" >/dev/kmsg) 2>/dev/null
}
fail() {
  say "$*"
  exit 1
}
# load NAME: a module of the add-on, or of the initrd; fine where it is there
load() {
  [ ! -e "/sys/module/$1" ] || return 0
  modprobe -q -d "$KERNEL" "$1" || modprobe "$1" || fail "the module $1 cannot be loaded into the kernel $version"
}
# settle: what a module or the kernel has found has its name in /dev then
settle() {
  command -v udevadm >/dev/null 2>&1 || return 0
  udevadm settle || say 'udev has not settled'
}
# run NUMBER PROGRAM [ARGUMENT…]
run() {
  number=$1
  shift
  (exec "$@") || fail "before-mount[$number] failed with status $?: $*"
}
finish() {
  mkdir -p "${DONE%/*}"
  : >$DONE
}

