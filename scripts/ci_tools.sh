#!/bin/sh
# Installs the Debian packages without which some tests are skipped: of the image, the alert rules, the pooler and the clock.
# A test says itself which program it lacks, so what cannot be installed here fails nothing.
set -eu

missing=
for pair in buildah:buildah mmdebstrap:mmdebstrap promtool:prometheus pgbouncer:pgbouncer faketime:faketime; do
    PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -z "$missing" ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed, so their tests are skipped:$missing" >&2
    exit 0
fi
echo "Installing$missing ..." >&2
apt-get update -qq >/dev/null 2>&1 || true
for package in $missing; do
    # In run level 1 the servers among them are not started.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq "$package" >/dev/null 2>&1 ||
        echo "$package could not be installed, so its tests are skipped." >&2
done
