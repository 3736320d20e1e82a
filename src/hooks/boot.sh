#!/bin/sh
# Shows the generation that a boot begins with, before anything reads /etc. Made by activate.
#   SYSROOT  where the machine is: nothing, or e.g. /sysroot in an initrd
#   HOOK     who runs this: initrd, init or oneshot; fallback: oneshot where the hook that is installed has not run
# Status 0: it is shown, or there is nothing to show. 1: nothing can be shown, and the boot must not go on.
# For dash and busybox. Needs mount umount modprobe ln mkdir cat mv readlink systemd-tmpfiles.
# shellcheck disable=SC1090,SC2034,SC2154,SC2317,SC2329,SC3045
set -uf
export LC_ALL=C PATH="${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}"
SYSROOT=${SYSROOT-} HOOK=${HOOK-oneshot}
STATE=$SYSROOT/var/lib/activate RUN=/run/activate POINTER=/run/filesystem-overlay JOURNAL=$STATE/boot.journal
nl='
'

say() {
  printf 'activate: %s\n' "$*" >&2
  { printf '<5>activate: %s\n' "$*" >/dev/kmsg; } 2>/dev/null
}
has() { command -v "$1" >/dev/null 2>&1; }
is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
is_there() { [ -e "$1" ] || [ -h "$1" ]; }

# number LINK: sets `n` to the generation that a link names, or 0; a program starts only where it leads nowhere
number() {
  if cd -P "$1" 2>/dev/null; then n=$PWD; else n=$(readlink "$1" 2>/dev/null); fi
  cd /
  n=${n##*/}
  is_number "$n" || n=0
}
# before N: sets `found` to the generation before it, or 0
before() {
  found=0
  set +f
  for each in "$STATE"/generations/*; do
    each=${each##*/}
    if is_number "$each" && [ "$each" -lt "$1" ] && [ "$each" -gt "$found" ]; then found=$each; fi
  done
  set -f
}
digest() {
  if has sha256sum; then x=$(sha256sum <"$1")
  else x=$(chroot "${SYSROOT:-/}" sha256sum <"$1" 2>/dev/null) || return 2; fi
  x=${x%% *}
}
# writable PATH: makes the filesystem of a path writable, and remembers to take that back
writable() {
  at='' options=
  while read -r _ where _ each _; do
    case $1/ in "${where%/}"/*) [ "${#where}" -lt "${#at}" ] || at=$where options=$each ;; esac
  done </proc/mounts
  case $options in ro | ro,*) mount -o remount,rw "$at" && readonly_again="$readonly_again$nl$at" ;; esac
}
is_mounted() {
  while read -r _ where _; do [ "$where" != "$1" ] || return 0; done </proc/mounts
  return 1
}
# Those of the machine alone: others may be slow.
flush() { if has sync; then sync -f "$STATE" "${SYSROOT:-/}" 2>/dev/null || sync; fi; }

# ---- what the boot list of a generation says; see boot-list.ts -------------------------------------------------
# whole LIST: 0 it is whole, and what it names is there; 3 it is whole, and something is not there
whole() (
  ended='' missing=''
  g() { :; }
  l() { [ -h "$SYSROOT$2" ] || [ -e "$SYSROOT$2" ] || missing=1; }
  c() { l "$@"; }
  d() { [ -d "$SYSROOT$2" ] || missing=1; }
  s() { :; }
  e() { :; }
  m() { :; }
  x() { :; }
  p() { :; }
  q() { :; }
  f() { :; }
  z() { ended=1; }
  [ -f "$1" ] && . "$1" && [ -n "$ended" ] || exit 1
  [ -z "$missing" ] || exit 3
)
g() {
  carrier=$2 overlay=$3 file=$4 kept=$5 sum=${6-}
  [ "$1" = 1 ] || carrier=newer
}

# verified: what is shown is what the boot list says
verified() (
  is() { digest "$overlay$1" && [ "$x" = "$2" ]; }
  l() {
    case $# in
      3) is "$2" "$3" ;;
      4) [ "$(readlink "$overlay$2")" = "$4" ] ;;
      *) is_there "$overlay$2" ;;
    esac || exit 1
  }
  c() { is "$2" "$3" || exit 1; }
  s() { :; }
  e() { :; }
  d() { :; }
  z() { exit 0; }
  . "$1"
)

# ---- choosing --------------------------------------------------------------------------------------------------
# usable N: shows what it shows; else `why`
usable() {
  here=$STATE/generations/$1 list=$STATE/generations/$1/boot/entries.sh missing=''
  [ -d "$here" ] || { why='it is not there'; return 1; }
  left=
  if [ -f "$here/tries" ]; then
    read -r left <"$here/tries" || left=0
    is_number "$left" || left=0
    if [ "$left" = 0 ] && [ "$1" != "$asked" ]; then why='it has no tries left'; return 1; fi
  fi
  whole "$list" 2>/dev/null
  case $? in
    0) ;;
    3) missing=yes ;;
    *)
      why='its boot list is missing or damaged'
      [ ! -e "$list" ] && [ -d "$here/tree" ] || return 1
      list='' missing=yes carrier=tree overlay=/var/lib/activate/generations/$1/tree file=$overlay ;;
  esac
  if [ -n "$list" ]; then IFS= read -r line <"$list" && eval "$line"; fi
  show "$1" || return 1
  [ -z "$verify" ] || [ -z "$list" ] || verified "$list" && return
  why='what it shows is not what was recorded'
  return 1
}
show() {
  at=$SYSROOT$file
  case $carrier in
    store | tree)
      [ -d "$at" ] || { why='what it shows is not there'; return 1; }
      [ "$overlay" != "$file" ] || return 0
      is_mounted "$overlay" && return
      in_memory "$at" && return
      mkdir -p "$overlay" && mount --bind "$at" "$overlay" && mount -o remount,bind,ro "$overlay" && return
      why='it cannot be mounted' ;;
    squashfs | erofs)
      [ -f "$at" ] || { why='its image is not there'; return 1; }
      is_mounted "$overlay" && return
      digest "$at"
      case $? in
        0) [ "$x" = "$sum" ] || { why='its image is damaged'; return 1; } ;;
        *) say "generation $1: there is no sha256sum here; its image is not checked" ;;
      esac
      for module in loop "$carrier"; do
        # The initrd's own, those that the add-on brought, those of the machine.
        for base in / /usr/lib/activate/kernel "$SYSROOT/"; do modprobe -q -d "$base" "$module" 2>/dev/null && break; done
      done
      if [ "$kept" = memory ] && mount_image "$at" "$RUN/image"; then
        in_memory "$RUN/image"
        x=$?
        umount "$RUN/image"
        [ "$x" != 0 ] || return 0
      fi
      mount_image "$at" "$overlay" && return
      why='its image cannot be mounted' ;;
    *) why='it was made by a newer activate' ;;
  esac
  return 1
}
mount_image() { mkdir -p "$2" && mount -t "$carrier" -o loop,ro,nosuid,nodev "$1" "$2"; }
# in_memory DIRECTORY: shows a copy of it; what is in a store stays there until the next switch
in_memory() {
  [ "$carrier" != store ] && has cp || return
  mkdir -p "$overlay" && mount -t tmpfs -o mode=0755,nosuid,nodev activate "$overlay" || return
  cp -a "$1/." "$overlay/" && mount -o remount,ro "$overlay" && return
  umount "$overlay"
  return 1
}
# count_down N: one try less, durably; a boot that cannot count is no trial
count_down() {
  [ -n "$left" ] && [ "$left" -gt 0 ] || return
  left=$((left - 1))
  writable "$STATE"
  if (echo "$left" >"$here/tries.new") 2>/dev/null; then
    flush
    mv "$here/tries.new" "$here/tries"
    flush
  else say "generation $1: its tries cannot be counted"; fi
}
menu() {
  ( : <>/dev/console) 2>/dev/null && has sleep || return
  {
    echo 'activate: the generations, the newest last:'
    found=1000000000 all=
    while before "$found" && [ "$found" != 0 ]; do all="$found $all"; done
    echo "  $all"
    printf 'activate: which one? [%s] (%s s) ' "$wanted" "$timeout"
    # Not $$, which the init wrapper is, who reads this in a shell of its own.
    read -r self _ </proc/self/stat
    trap : ALRM
    (sleep "$timeout" && kill -s ALRM "$self") 2>/dev/null &
    timer=$!
    answer=
    IFS= read -r answer || answer=
    kill "$timer"
    trap - ALRM
    echo
  } <>/dev/console >&0 2>/dev/null
  if is_number "$answer" && [ "${answer#0}" = "$answer" ]; then wanted=$answer asked=$answer reason='chosen on the console'; fi
}

# ---- links of ours -----------------------------------------------------------------------------------------------
# text PATH TEXT: whether a link of that text is there, and not through a link in the way
text() { [ -h "$SYSROOT$1" ] && [ "$(readlink "$SYSROOT$1"; echo .)" = "$2$nl." ] && reachable "$1"; }
reachable() {
  up=${1%/*}
  while [ -n "$up" ]; do
    [ ! -h "$SYSROOT$up" ] || return 1
    up=${up%/*}
  done
}
# drop PATH: a link of ours, or an empty directory
drop() {
  if [ -h "$SYSROOT$1" ] && has rm; then rm -f "$SYSROOT$1"; return; fi
  gone=$((gone + 1))
  mkdir -p "$RUN/gone/$gone" && mv "$SYSROOT$1" "$RUN/gone/$gone/"
}
# walk DIRECTORY: takes away the links through the pointer that lead nowhere
walk() {
  set +f
  for entry in "$1"/* "$1"/.[!.]*; do
    set -f
    if [ -h "$entry" ]; then
      if [ ! -e "$entry" ] && text "${entry#"$SYSROOT"}" "$POINTER${entry#"$SYSROOT"}"; then
        if [ -n "${dangling_only_asked-}" ]; then dangling=1; else drop "${entry#"$SYSROOT"}"; fi
      fi
    elif [ -d "$entry" ]; then walk "$entry"; fi
  done
  set -f
}
# sweep: where nothing can be brought, at least nothing leads nowhere
sweep() {
  writable "$SYSROOT/etc"
  walk "$SYSROOT/etc"
}
# brings: what is needed where another generation was shown before; it lies beside the generation's boot list
brings() {
  for each in "$STATE/generations/$chosen/boot" "$STATE/generations/$live/boot" "$SYSROOT/usr/lib/activate" /usr/lib/activate; do
    if [ -s "$each/bring.sh" ]; then
      . "$each/bring.sh"
      return
    fi
  done
  say 'links and files cannot be brought to it: bring.sh is missing'
  return 1
}
# units: those of the chosen generation, for the system that is about to start
units() {
  set +f
  for unit in "$STATE/generations/$chosen"/systemd/*; do
    set -f
    name=${unit##*/}
    case $name in '*' | run-activate-*) continue ;; esac
    mkdir -p /run/systemd/system /run/tmpfiles.d
    cat "$unit" >"/run/systemd/system/$name"
    ln -sf "/var/lib/activate/generations/$chosen/tmpfiles.d/activate.conf" /run/tmpfiles.d/activate.conf
    while IFS='=' read -r key value; do
      case $key in WantedBy) kind=wants ;; RequiredBy) kind=requires ;; *) continue ;; esac
      mkdir -p "/run/systemd/system/$value.$kind"
      ln -sf "../$name" "/run/systemd/system/$value.$kind/$name"
    done <"$unit"
  done
  set -f
}
finish() {
  printf '{"schema":1,"hook":"%s","wanted":%s,"chosen":%s,"why":"%s","passed":[%s]%s,"brought":%s}\n' \
    "$HOOK" "$wanted" "$chosen" "$reason" "$passed" "${left:+,\"trial\":$left}" "$1" >$RUN/boot.json
  IFS=$nl
  for at in $readonly_again; do
    flush
    mount -o remount,ro "$at"
  done
  exit 0
}

# ---- what is asked for ---------------------------------------------------------------------------------------------
gone=0 tried_already='' asked='' mode='' verify='' interactive='' timeout=10 readonly_again='' passed='' left='' phase='' why=''
read -r line </proc/cmdline
for word in $line; do
  case $word in
    activate.generation=*) asked=${word#*=} ;;
    activate.mode=*) mode=${word#*=} ;;
    activate.verify=1) verify=1 ;;
    activate.interactive=1) interactive=1 ;;
    activate.timeout=*) timeout=${word#*=} ;;
    activate.debug | activate.debug=1) set -x ;;
  esac
done
case $mode in
  off)
    say 'off, as the kernel command line says: links of a generation lead nowhere'
    exit 0 ;;
  shell)
    say 'a shell, as the kernel command line says; the boot goes on when it ends'
    sh <>/dev/console >&0 2>&0 ;;
esac
[ -d $RUN/gen ] || mkdir -p $RUN/gen

number "$STATE/live"
live=$n
number "$STATE/default"
default=$n linked=$n from='' to=''
if [ -f "$STATE/transition.json" ]; then
  IFS= read -r head <"$STATE/transition.json" || :
  x=${head#*\"from\":} from=${x%%,*} x=${head#*\"to\":} to=${x%%,*}
  case $head in *'"phase":"swap"'*) phase=swap ;; *) phase=create ;; esac
  [ ! -e "$STATE/transition.undo" ] || [ "$phase" != swap ] || phase=undo
  case $head in
    *'"role":"default","from":'*)
      x=${head#*\"role\":\"default\",\"from\":} default=${x%%,*}
      [ "$phase" != swap ] || default=$to ;;
  esac
  if ! is_number "$from" || ! is_number "$to" || ! is_number "$default"; then
    say 'the journal is damaged'
    from=$live to=$live phase='' default=$linked
  fi
  say "the transition from generation $from to $to was interrupted"
  if [ "$phase" = swap ] && [ "$to" != 0 ] && [ ! -e "$STATE/generations/$to/ledger.next.json" ]; then
    # That was the last act of its commit: nothing but cleaning up is left.
    phase='' live=$to default=$linked
  fi
fi
# What may be in /etc: the generation that was live, those of a transition, and those of boots that nobody settled.
placed=$live sure=$live room=
case $phase in swap | undo) placed="$from $to" ;; esac
if [ -f "$JOURNAL" ]; then
  while read -r what rest; do
    case $what in
      from)
        for each in $rest; do case " $placed " in *" $each "*) ;; *) ! is_number "$each" || placed="$placed $each" ;; esac; done
        x=${rest##* to }
        [ "${x%% *}" = "$room" ] || room='' ;;
      room) room=$rest ;;
      done) placed=$rest sure=$rest room='' ;;
    esac
  done <"$JOURNAL"
fi

is_number "$timeout" || timeout=10
if [ "$live" = 0 ] && [ "$default" = 0 ] && [ -z "$phase" ]; then
  dangling_only_asked=1 dangling=
  walk "$SYSROOT/etc"
  [ -z "$dangling" ] && exit 0
  say "$STATE: there is no record of any generation, and links in /etc lead to one"
  exit 1
fi
if [ -n "$SYSROOT" ]; then
  for each in /var/lib/activate /nix /gnu; do
    if [ -d "$SYSROOT$each" ] && ! is_there "$each"; then
      [ -d "${each%/*}/" ] || mkdir -p "${each%/*}"
      ln -s "$SYSROOT$each" "$each"
    fi
  done
fi

wanted=$default reason='the default'
case $asked in
  '') ;;
  previous)
    before "$default"
    wanted=$found reason='the one before the default, as the kernel command line says' ;;
  *) if is_number "$asked" && [ "${asked#0}" = "$asked" ]; then wanted=$asked reason='as the kernel command line says'; fi ;;
esac
asked=$wanted
[ -n "${reason#the default}" ] || asked=
[ -z "$interactive" ] || menu
if [ "$wanted" = 0 ] && [ "$default" = 0 ]; then
  chosen=0 reason='nothing is managed'
  say "$reason"
  if brings; then bring; else sweep; fi
  finish true
fi
before "$default"
first=$found
before "$first"
chosen=
for candidate in "$wanted" "$default" "$first" "$found"; do
  case " $tried_already " in *" $candidate "*) continue ;; esac
  [ "$candidate" != 0 ] || continue
  tried_already="$tried_already $candidate"
  if usable "$candidate"; then
    chosen=$candidate
    break
  fi
  say "generation $candidate cannot be shown: $why"
  passed="$passed${passed:+,}{\"generation\":$candidate,\"why\":\"$why\"}"
done
if [ -z "$chosen" ]; then
  say 'no generation can be shown; activate.generation=N on the kernel command line asks for one'
  exit 1
fi
[ "$chosen" = "$wanted" ] || reason="what was wanted cannot be shown"
count_down "$chosen"
ln -sfn "$overlay" $POINTER
brought=false
for each in $placed; do [ "$each" = "$chosen" ] || brought=true; done
if [ "$brought" = true ] || [ -n "$phase" ]; then
  if brings; then bring; else sweep; fi
elif [ -n "$missing" ] && brings; then fill; fi
units
say "generation $chosen: $reason"
[ "$HOOK" != fallback ] || say 'the boot hook has not run: what was read in /etc before this was not there'
finish "$brought"
