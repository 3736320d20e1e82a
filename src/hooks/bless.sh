#!/bin/sh
# Trusts the generation that this boot shows: it is on trial no longer. Started once the boot is complete.
#
# ROOT: the tree to work on, instead of /.
set -eu

state=${ROOT-}/var/lib/activate
record=${ROOT-}/run/activate/boot.json

[ -r "$record" ] || exit 0
IFS= read -r line <"$record" || [ -n "$line" ]

# The boot hook wrote one line, and what was chosen comes before anything that is free text.
chosen=${line#*'"chosen":'}
[ "$chosen" != "$line" ] || {
  echo "$record does not say what was chosen" >&2
  exit 1
}
chosen=${chosen%%[!0-9]*}
[ -n "$chosen" ] || {
  echo "$record does not say what was chosen" >&2
  exit 1
}

generation=$state/generations/$chosen
[ -e "$generation/tries" ] || exit 0
rm -f "$generation/tries"
# An old sync takes no names.
sync "$generation" 2>/dev/null || sync
echo "generation $chosen is trusted: it booted"
