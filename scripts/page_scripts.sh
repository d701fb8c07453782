#!/bin/sh
# Checks that each script of the desk and the console parses. Browsers get these files as they are.
# Without Node.js, this is skipped with a message; in CI, it fails.
set -eu

if ! command -v node >/dev/null 2>&1; then
    echo "The scripts of the desk and the console were not checked: Node.js is missing (Debian: package nodejs)." >&2
    [ -z "${CI:-}" ]
    exit
fi
broken=0
for script in supportbot/handoff/static/desk/*.js supportbot/console/static/console/*.js; do
    # From standard input, since node takes a .js file for CommonJS and then accepts anything with an import.
    node --input-type=module --check <"$script" || { echo "$script does not parse." >&2; broken=1; }
done
exit "$broken"
