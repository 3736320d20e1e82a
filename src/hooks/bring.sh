# Brings links and files to the generation that a boot shows, where another one placed them. Made by activate.
# Read by the script `boot`, which has chosen it; see there.
# shellcheck shell=sh disable=SC1090,SC2034,SC2154,SC2317,SC2329
# away KEY PATH: out of the way, never gone: `activate resume` looks at it
away() {
  is_there "$SYSROOT$2" && reachable "$2" || return
  eval "[ -n \"\${p_$1-}\" ]" && what=ours || what=own
  note "$what $asides $1 $2"
  mv "$SYSROOT$2" "$SYSROOT${2%/*}/.activate.boot.$asides"
  asides=$((asides + 1))
}
note() {
  printf '%s\n' "$*" >>"$JOURNAL"
  flush
}
# originals: what the machine had comes back, where the chosen generation has nothing and nothing is
originals() {
  a() { :; }
  b() {
    eval "w=\${w_$1-}"
    stored=$STATE/backups/$2/content
    # A transition that was interrupted has it beside its place already.
    if ! is_there "$stored"; then
      eval "aside=\${f_$2-}"
      [ -n "$aside" ] || return
      stored=$SYSROOT$aside
    fi
    if [ -n "$w" ] || is_there "$SYSROOT$3" || [ ! -d "$SYSROOT${3%/*}" ] || ! is_there "$stored" || ! reachable "$3"; then return; fi
    note "restored $2 $3"
    if [ -f "$stored" ] && [ ! -h "$stored" ] && ln "$stored" "$SYSROOT$3" 2>/dev/null; then return; fi
    if has cp; then
      new=${3%/*}/.activate.boot.new
      ! is_there "$SYSROOT$new" || drop "$new"
      cp -a "$stored" "$SYSROOT$new" && mv "$SYSROOT$new" "$SYSROOT$3"
    else mv "$stored" "$SYSROOT$3"; fi
  }
  for each in $placed; do ledger "$each"; done
  while IFS= read -r line; do
    case $line in own\ *) ;; *) continue ;; esac
    line=${line#own } n=${line%% *} line=${line#* } key=${line%% *} path=${line#* }
    stored=$SYSROOT${path%/*}/.activate.boot.$n
    eval "w=\${w_$key-}"
    if [ -n "$w" ] || is_there "$SYSROOT$path" || ! is_there "$stored" || ! reachable "$path"; then continue; fi
    mv "$stored" "$SYSROOT$path"
  done <"$JOURNAL"
}
# wants: what the chosen generation has is in w_KEY; what its ledger leaves alone in k_KEY
wants() {
  l() { eval "w_$1=l"; }
  s() { eval "w_$1=\"s\$3\""; }
  c() { eval "w_$1=\"c\$3 \$4 \$5 \$6\""; }
  e() { eval "w_$1=e"; }
  d() { eval "w_$1=\"d\${3-} \${4-} \${5-}\""; }
}
# placed KEY: the generation that was shown has it
placed() { [ -z "$is_sure" ] || eval "p_$1=1"; }
# had KEY: what is there is what the chosen generation has, and no original
had() { [ -z "$is_sure" ] || eval "o_$1=1"; }
# is_given_up KEY: what changes its kind in a transition that was swapping is left to `activate resume`
is_given_up() { [ -z "$links_alone" ] || [ -z "$w" ] && eval "[ -z \"\${k_$1-}\" ]"; }
# gives_up: what another generation placed, and the chosen one does not have so
gives_up() {
  l() {
    placed "$1"
    eval "w=\${w_$1-}"
    if [ "$w" = l ]; then had "$1"; return; fi
    is_given_up "$1" && text "$2" "$POINTER$2" && drop "$2"
  }
  s() {
    placed "$1"
    eval "w=\${w_$1-}"
    if [ "$w" = "s$3" ]; then had "$1"; return; fi
    is_given_up "$1" && text "$2" "$3" && drop "$2"
  }
  c() {
    placed "$1"
    [ -z "$links_alone" ] || return
    eval "w=\${w_$1-}"
    if [ "$w" = "c$3 $4 $5 $6" ]; then had "$1"; return; fi
    if eval "[ -n \"\${k_$1-}\" ]"; then return; fi
    if [ "$w" != e ] && [ -f "$SYSROOT$2" ] && [ ! -h "$SYSROOT$2" ]; then away "$1" "$2"; fi
  }
  e() { :; }
  d() {
    placed "$1"
    eval "w=\${w_$1-}"
    case $w in
      d*)
        had "$1"
        [ "$w" = "d${3-} ${4-} ${5-}" ] || eval "[ -n \"\${a_$1-}\" ]" || owner "$2" "${w#d}"
        return ;;
    esac
    if eval "[ -z \"\${a_$1-}\" ]" || [ -n "$w" ]; then emptied="$1 $2$nl$emptied"; fi
  }
}
# owner PATH MODE-AND-OWNER: of a directory that both generations have
owner() {
  if [ -d "$SYSROOT$1" ] && [ ! -h "$SYSROOT$1" ] && reachable "$1" && has chown && has chmod; then
    x=${2#* }
    chown "${x% *}:${x#* }" "$SYSROOT$1" && chmod "${2%% *}" "$SYSROOT$1"
  fi
}
# The deepest first; what somebody has something in stays, unless something else must be there.
empty_out() {
  IFS=$nl
  for each in $emptied; do
    IFS=' '
    key=${each%% *} path=${each#* }
    eval "w=\${w_$key-}"
    if [ ! -d "$SYSROOT$path" ] || [ -h "$SYSROOT$path" ] || ! reachable "$path"; then continue; fi
    set +f
    set -- "$SYSROOT$path"/* "$SYSROOT$path"/.[!.]* "$SYSROOT$path"/..?*
    set -f
    if is_there "$1" || is_there "$2" || is_there "$3"; then
      case $w in '' | e) ;; *) [ -n "$links_alone" ] || away "$key" "$path" ;; esac
    else
      drop "$path"
    fi
  done
  IFS=' '$nl
}
# makes_room: the machine's own gives way to what the chosen generation has and the one before did not
makes_room() {
  room() { eval "[ -z \"\${o_$1-}\${k_$1-}\" ]" && is_there "$SYSROOT$2"; }
  l() { if room "$1" "$2" && ! text "$2" "$POINTER$2"; then away "$1" "$2"; fi; }
  # What looks the same is the machine's own all the same.
  s() { if room "$1" "$2"; then away "$1" "$2"; fi; }
  c() { s "$@"; }
  e() { :; }
  d() { if room "$1" "$2" && { [ ! -d "$SYSROOT$2" ] || [ -h "$SYSROOT$2" ]; }; then away "$1" "$2"; fi; }
}
g_and_z() {
  g() { :; }
  z() { :; }
  a() { :; }
  b() { :; }
  k() { :; }
  m() { if [ "$phase" = create ] && text "$1" "$2"; then drop "$1"; fi; }
  x() { :; }
  p() { :; }
  q() { :; }
  f() { eval "f_$1=\$2"; }
}
# takes_place: what a transition has beside a path comes to it, where nothing is: what it exchanges either way, what is new with
# it, and what it parked where it is undone
takes_place() {
  l() { :; }
  s() { :; }
  d() { :; }
  m() { :; }
  x() { is_there "$SYSROOT$1" || ! is_there "$SYSROOT$2" || ! reachable "$1" || mv "$SYSROOT$2" "$SYSROOT$1"; }
  case $chosen in
    "$to") p() { x "$@"; } ;;
    "$from") q() { x "$@"; } ;;
    *) x() { :; } ;;
  esac
}
# ledger N: what is left alone in it, and the originals that are kept
ledger() { if [ -f "$STATE/generations/$1/boot/ledger.sh" ]; then . "$STATE/generations/$1/boot/ledger.sh"; fi; }
# read_list FILE: where it is whole
read_list() { if whole "$1" 2>/dev/null || [ $? = 3 ]; then . "$1"; else return 1; fi; }

# bring: from `placed`, the generations that may have something in /etc, to `chosen`
bring() {
  writable "$STATE"
  writable "$SYSROOT/etc"
  g_and_z
  asides=0 is_sure='' emptied='' links_alone=
  while is_noted "$asides"; do asides=$((asides + 1)); done
  # Copies of a transition that was swapping are whole, old or new: `activate resume` sees to them.
  case $phase in swap | undo) links_alone=1 ;; esac
  note "from $placed to $chosen $phase"
  if [ "$chosen" != 0 ]; then
    k() { eval "k_$1=1"; }
    ledger "$chosen"
    wants
    read_list "$list"
  fi
  k() { :; }
  a() { eval "a_$1=1"; }
  for each in $placed; do ledger "$each"; done
  gives_up
  # What a transition creates is made where nothing was: whatever of it is there is no original.
  [ "$phase" != create ] || is_sure=1
  if [ -n "$phase" ]; then read_list "$STATE/transition.sh" || walk "$SYSROOT/etc"; fi
  for each in $placed; do
    is_sure=
    case $each in "$sure" | "$room") is_sure=1 ;; esac
    [ "$each" = 0 ] || read_list "$STATE/generations/$each/boot/entries.sh" || walk "$SYSROOT/etc"
  done
  empty_out
  if [ -n "$links_alone" ]; then
    takes_place
    read_list "$STATE/transition.sh"
  fi
  if [ "$chosen" != 0 ] && [ "$chosen" != "$room" ] && [ -z "$links_alone" ]; then
    makes_room
    read_list "$list"
    note "room $chosen"
  fi
  case $links_alone:$chosen in
    :*)
      fill
      originals ;;
    "1:$from" | "1:$to") fill ;;
  esac
  flush
  [ -n "$phase" ] || note "done $chosen"
}
is_noted() {
  [ -f "$JOURNAL" ] || return 1
  while read -r what n _; do
    case "$what $n" in "ours $1" | "own $1") return ;; esac
  done <"$JOURNAL"
  return 1
}
# fill: what is missing is made by the full snippet
fill() {
  snippet=$STATE/generations/$chosen/tmpfiles.d/activate.conf
  [ -f "$snippet" ] || return
  writable "${SYSROOT:-/}"
  mkdir -p "$SYSROOT/etc"
  writable "$SYSROOT/etc"
  bound='' skipped=--exclude-prefix=/run
  g_and_z
  k() { skipped="$skipped$nl--exclude-prefix=$2"; }
  ledger "$chosen"
  if [ -n "$SYSROOT" ] && [ "${overlay#/run/}" != "$overlay" ]; then
    # Copies are made from what is mounted below /run, which systemd-tmpfiles looks for below its root.
    mount --rbind /run "$SYSROOT/run" && mount --make-rprivate "$SYSROOT/run" && bound=1
  fi
  IFS=$nl
  # shellcheck disable=SC2086 # one argument a line
  if has systemd-tmpfiles; then systemd-tmpfiles ${SYSROOT:+"--root=$SYSROOT"} $skipped --create "$snippet"
  elif [ -n "$SYSROOT" ] && has chroot; then
    chroot "$SYSROOT" systemd-tmpfiles $skipped --create "${snippet#"$SYSROOT"}"
  else say 'there is no systemd-tmpfiles here: what is missing in /etc stays so'; fi
  IFS=' '$nl
  [ -z "$bound" ] || umount -l "$SYSROOT/run"
  if [ -n "$list" ]; then completes; fi
  flush
}
# completes: what systemd-tmpfiles does not make. A directory that is somebody else's it copies as a whole where it is empty, and
# else not at all.
completes() {
  lacks() { ! is_there "$SYSROOT$2" && [ -d "$SYSROOT${2%/*}" ] && reachable "$2" && eval "[ -z \"\${k_$1-}\" ]"; }
  owned() { ! has chown || ! has chmod || { chown "$2:$3" "$4" && chmod "$1" "$4"; }; }
  g_and_z
  k() { eval "k_$1=1"; }
  ledger "$chosen"
  l() { :; }
  e() { :; }
  s() { if lacks "$1" "$2"; then ln -s "$3" "$SYSROOT$2"; fi; }
  d() { if [ $# -gt 2 ] && lacks "$1" "$2" && mkdir "$SYSROOT$2"; then owned "$3" "$4" "$5" "$SYSROOT$2"; fi; }
  c() {
    if ! lacks "$1" "$2" || [ ! -f "$overlay$2" ]; then return; fi
    new=${2%/*}/.activate.boot.new
    # Whoever has the directory may have put a link there.
    ! is_there "$SYSROOT$new" || drop "$new"
    # Without cp it is root's alone, which `verify` tells.
    { if has cp; then cp -aL "$overlay$2" "$SYSROOT$new"; else (umask 077 && cat "$overlay$2" >"$SYSROOT$new"); fi; } &&
      owned "$4" "$5" "$6" "$SYSROOT$new" && mv "$SYSROOT$new" "$SYSROOT$2"
  }
  read_list "$list"
}
