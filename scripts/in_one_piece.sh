#!/bin/sh
# Runs a command and passes on what it said in one piece, once it has ended: another one speaks meanwhile.
# Usage: in_one_piece.sh COMMAND...
set -u

said=$(mktemp)
trap 'cat "$said"; rm -f "$said"' EXIT
"$@" >"$said" 2>&1
