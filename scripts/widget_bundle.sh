#!/bin/sh
# Builds supportbot/widget/dist from its sources and the catalogues, or checks that it is up to date.
# Without npm, a check is skipped with a message; in CI, it fails.
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
.venv/bin/python scripts/messages.py widget  # the texts, from the catalogues
cd supportbot/widget/frontend
# npm writes this file last; once it exists, all packages of the lock are installed.
installed=node_modules/.package-lock.json

is_installed() {
    [ -e "$installed" ] && ! [ package-lock.json -nt "$installed" ]
}

# `npm ci` deletes node_modules first, so two of them at once would break each other. The kernel holds this lock for the
# shell's file descriptor, so a killed run leaves no lock behind.
wait_for_turn() {
    exec 9<package.json
    if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
        echo "Waiting for another make that is installing the widget's packages..." >&2
        flock 9
    fi
}

is_installed || wait_for_turn
if ! is_installed; then
    # No package's scripts run here, since esbuild's binary is a separate package.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        give_up "$1" "the packages of supportbot/widget/frontend/package-lock.json could not be installed."
fi
exec npm run --silent "$1"
