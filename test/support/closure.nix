# A NixOS-shaped system, in need of nothing but /bin/sh and coreutils: no nixpkgs, no network, no sandbox.
# Its etc is laid out as nixpkgs' make-etc.sh does it, its top as nixos/modules/system/activation/top-level.nix.
{ label, files }:
let
  quote = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] text + "'";
  run = name: script: derivation {
    inherit name script;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-euc" ". \"$scriptPath\"" ];
    passAsFile = [ "script" ];
    PATH = "/usr/bin:/bin";
  };

  # Store names allow few characters; what a file is called in the store is of no interest.
  store = text: builtins.toFile "file" text;
  linesFor = attributes: line: builtins.concatStringsSep "" (map (name: line name attributes.${name}) (builtins.attrNames attributes));
  directory = texts: run "directory" (''
    mkdir "$out"
  '' + linesFor texts (name: text: ''
    cp ${store text} "$out"/${quote name}
  ''));

  sourceOf = file:
    if file ? link then file.link
    else if file ? storeDirectory then "${directory file.storeDirectory}"
    else "${store file.text}";
  modeOf = file: if file ? link then "direct-symlink" else file.mode or "symlink";

  etc = run "etc" (''
    entry() {
      mkdir -p "$(dirname "$out/etc/$1")"
      ln -s "$2" "$out/etc/$1"
      [ "$3" = symlink ] && return
      echo "$3" >"$out/etc/$1.mode"
      echo "$4" >"$out/etc/$1.uid"
      echo "$5" >"$out/etc/$1.gid"
    }
    mkdir -p "$out/etc"
  '' + linesFor files (path: file: ''
    entry ${quote path} ${quote (sourceOf file)} ${modeOf file} ${quote (file.uid or "+0")} ${quote (file.gid or "+0")}
  ''));
in
run "nixos-system-test-${label}" ''
  mkdir -p "$out/bin"
  ln -s ${etc}/etc "$out/etc"
  ln -s ${builtins.toFile "kernel" "not a kernel"} "$out/kernel"
  ln -s ${builtins.toFile "initrd" "not an initrd"} "$out/initrd"
  for script in init activate bin/switch-to-configuration; do
    printf '#!/bin/sh\n' >"$out/$script"
    chmod +x "$out/$script"
  done
  printf %s ${quote label} >"$out/nixos-version"
  printf %s x86_64-linux >"$out/system"
  printf %s loglevel=4 >"$out/kernel-params"
  printf %s 10 >"$out/init-interface-version"
''
