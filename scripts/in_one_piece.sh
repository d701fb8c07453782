#!/bin/sh
# Runs a command and prints its output once it has ended, so that it does not mix with another command's.
# Usage: in_one_piece.sh COMMAND...
set -u

output=$(mktemp)
trap 'cat "$output"; rm -f "$output"' EXIT
"$@" >"$output" 2>&1
