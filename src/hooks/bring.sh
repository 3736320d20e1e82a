# Brings links and files to the generation that a boot shows, where another one placed them. Made by activate.
# Read by the script `boot`, which has chosen it; see there.
# shellcheck shell=sh disable=SC1090,SC2034,SC2154,SC2317,SC2329
# away PATH: out of the way, never gone: `activate resume` looks at it
away() {
  is_there "$SYSROOT$1" && reachable "$1" || return
  note "aside $asides $1"
  mv "$SYSROOT$1" "$SYSROOT${1%/*}/.activate.boot.$asides"
  asides=$((asides + 1))
}
note() {
  printf '%s\n' "$*" >>"$JOURNAL"
  flush
}
# original KEY PATH: what the machine had there comes back, where nothing is
original() {
  eval "kept=\${b_$1-}"
  if [ -z "$kept" ] || is_there "$SYSROOT$2" || ! reachable "$2"; then return; fi
  stored=$STATE/backups/$kept/content
  is_there "$stored" || return
  note "restored $kept $2"
  if [ -f "$stored" ] && [ ! -h "$stored" ] && ln "$stored" "$SYSROOT$2" 2>/dev/null; then return; fi
  if has cp; then
    new=$SYSROOT${2%/*}/.activate.boot.new
    cp -a "$stored" "$new" && mv "$new" "$SYSROOT$2"
  else mv "$stored" "$SYSROOT$2"; fi
}
# wants: what the chosen generation has is in w_KEY; what its ledger leaves alone in k_KEY
wants() {
  l() { eval "w_$1=l"; }
  s() { eval "w_$1=\"s\$3\""; }
  c() { eval "w_$1=\"c\$3 \$4 \$5 \$6\""; }
  e() { eval "w_$1=e"; }
  d() { eval "w_$1=d"; }
}
# gives_up: what another generation placed, and the chosen one does not have so
gives_up() {
  l() {
    eval "w=\${w_$1-}"
    if [ "$w" = l ]; then eval "o_$1=1"; return; fi
    eval "[ -z \"\${k_$1-}\" ]" && text "$2" "$POINTER$2" && drop "$2"
    [ -n "$w" ] || original "$1" "$2"
  }
  s() {
    eval "w=\${w_$1-}"
    if [ "$w" = "s$3" ]; then eval "o_$1=1"; return; fi
    eval "[ -z \"\${k_$1-}\" ]" && text "$2" "$3" && drop "$2"
    [ -n "$w" ] || original "$1" "$2"
  }
  c() {
    [ -z "$links_alone" ] || return
    eval "w=\${w_$1-}"
    if [ "$w" = "c$3 $4 $5 $6" ]; then eval "o_$1=1"; return; fi
    if eval "[ -n \"\${k_$1-}\" ]"; then return; fi
    if [ "$w" != e ] && [ -f "$SYSROOT$2" ] && [ ! -h "$SYSROOT$2" ]; then away "$2"; fi
    [ -n "$w" ] || original "$1" "$2"
  }
  e() { eval "[ \"\${w_$1-}\" != e ] || o_$1=1"; }
  d() {
    eval "w=\${w_$1-}"
    if [ "$w" = d ]; then eval "o_$1=1"; else emptied="$1 $2$nl$emptied"; fi
  }
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
      case $w in '' | e) ;; *) [ -n "$links_alone" ] || away "$path" ;; esac
    else
      mkdir -p "$RUN/gone/empty" && mv "$SYSROOT$path" "$RUN/gone/empty/$key" 2>/dev/null
      [ -n "$w" ] || original "$key" "$path"
    fi
  done
  IFS=' '$nl
}
# makes_room: the machine's own gives way to what the chosen generation has and the one before did not
makes_room() {
  room() { eval "[ -z \"\${o_$1-}\${k_$1-}\" ]" && is_there "$SYSROOT$2"; }
  l() { if room "$1" "$2" && ! text "$2" "$POINTER$2"; then away "$2"; fi; }
  s() { if room "$1" "$2" && ! text "$2" "$3"; then away "$2"; fi; }
  c() { if room "$1" "$2"; then away "$2"; fi; }
  e() { :; }
  d() { if room "$1" "$2" && { [ ! -d "$SYSROOT$2" ] || [ -h "$SYSROOT$2" ]; }; then away "$2"; fi; }
}
g_and_z() {
  g() { :; }
  z() { :; }
  k() { :; }
  b() { :; }
}
# ledger N: what is left alone in it, or what comes back when it is given up
ledger() { if [ -f "$STATE/generations/$1/boot/ledger.sh" ]; then . "$STATE/generations/$1/boot/ledger.sh"; fi; }
# read_list FILE: where it is whole
read_list() { if whole "$1" 2>/dev/null || [ $? = 3 ]; then . "$1"; else return 1; fi; }

# bring: from `placed`, the generations that may have something in /etc, to `chosen`
bring() {
  writable "$STATE"
  writable "$SYSROOT/etc"
  g_and_z
  asides=0 emptied='' links_alone=
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
  b() { eval "b_$1=$2"; }
  for each in $placed; do ledger "$each"; done
  b() { :; }
  gives_up
  if [ -n "$phase" ]; then read_list "$STATE/transition.sh" || walk "$SYSROOT/etc"; fi
  case $links_alone:$chosen in
    "1:$from" | "1:$to") ;;
    *) for each in $placed; do [ "$each" = 0 ] || read_list "$STATE/generations/$each/boot/entries.sh" || walk "$SYSROOT/etc"; done ;;
  esac
  empty_out
  if [ "$chosen" != 0 ] && [ -z "$links_alone" ]; then
    makes_room
    read_list "$list"
  fi
  [ -n "$phase" ] || note "done $chosen"
}
is_noted() {
  [ -f "$JOURNAL" ] || return 1
  while read -r what n _; do [ "$what $n" = "aside $1" ] && return; done <"$JOURNAL"
  return 1
}
# fill: what is missing is made by the full snippet
fill() {
  snippet=$STATE/generations/$chosen/tmpfiles.d/activate.conf
  [ -f "$snippet" ] || return
  writable "${SYSROOT:-/}"
  mkdir -p "$SYSROOT/etc"
  writable "$SYSROOT/etc"
  bound=
  if [ -n "$SYSROOT" ] && [ "${overlay#/run/}" != "$overlay" ]; then
    # Copies are made from what is mounted below /run, which systemd-tmpfiles looks for below its root.
    mount --rbind /run "$SYSROOT/run" && mount --make-rprivate "$SYSROOT/run" && bound=1
  fi
  if has systemd-tmpfiles; then
    systemd-tmpfiles ${SYSROOT:+"--root=$SYSROOT"} --exclude-prefix=/run --create "$snippet"
  elif [ -n "$SYSROOT" ] && has chroot; then
    chroot "$SYSROOT" systemd-tmpfiles --exclude-prefix=/run --create "${snippet#"$SYSROOT"}"
  else say 'there is no systemd-tmpfiles here: what is missing in /etc stays so'; fi
  [ -z "$bound" ] || umount -l "$SYSROOT/run"
  flush
}
