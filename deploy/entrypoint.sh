#!/bin/sh
# Runs a management command. Each file in SECRETS_DIR (/run/secrets) or OWNER_SECRETS_DIR whose name is in capitals is a
# setting: its name is the variable, its content the value. Variables that are already set take precedence.
set -eu
cd "$(dirname "$0")"
for file in "${SECRETS_DIR:-/run/secrets}"/[A-Z]* "${OWNER_SECRETS_DIR:-/run/owner-secrets}"/[A-Z]*; do
    name=${file##*/}
    case $name in *[!A-Z0-9_]*) continue ;; esac
    if [ -f "$file" ] && ! printenv "$name" >/dev/null; then
        export "$name=$(cat "$file")"
    fi
done
exec python manage.py "$@"
