#!/bin/sh
# Builds supportbot/widget/dist from its sources, or checks that it is what they make.
# Where there is no npm, a check is left out with one sentence; in CI it fails.
# Usage: widget_bundle.sh build|check
set -eu

give_up() {
    if [ "$1" = build ]; then
        echo "The widget's bundle was not built: $2" >&2
        exit 1
    fi
    echo "The widget's bundle was not checked: $2" >&2
    [ -z "${CI:-}" ]
    exit
}

command -v npm >/dev/null 2>&1 ||
    give_up "$1" "npm is missing. Install Node.js 18 or newer (Debian: the packages nodejs and npm)."
cd supportbot/widget/frontend
# npm writes this file last: once it is there, so are all packages of the lock.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
    # No script of a package runs here: esbuild's binary is a package of its own.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        give_up "$1" "the packages of supportbot/widget/frontend/package-lock.json could not be installed."
fi
exec npm run --silent "$1"
