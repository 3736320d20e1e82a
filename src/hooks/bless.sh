#!/bin/sh
# Trusts the generation that this boot shows: it is on trial no longer. Started once the boot is complete.
#
# ROOT: the tree to work on, instead of /.
set -eu

state=${ROOT-}/var/lib/activate
record=${ROOT-}/run/activate/boot.json

[ -r "$record" ] || exit 0
line=
IFS= read -r line <"$record" || :

# The boot hook wrote one line, and what was chosen comes before anything that is free text.
chosen=${line#*'"chosen":'}
chosen=${chosen%%[!0-9]*}
if [ -z "$chosen" ]; then
  echo "$record does not say what was chosen" >&2
  exit 1
fi

generation=$state/generations/$chosen
[ -e "$generation/tries" ] || exit 0
rm -f "$generation/tries"
# An old sync takes no names.
sync "$generation" 2>/dev/null || sync
echo "generation $chosen is trusted: it booted"
