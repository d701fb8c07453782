#!/bin/sh
# Installs the Debian packages without which some tests are skipped: those of the image, the alert rules, the pooler,
# the clock and the files of Compose, Kubernetes, Caddy and systemd (without its init). In CI, a package that cannot be
# installed is an error, or a run without half of the tests would be green; WITHOUT_TOOLS=true allows it. Elsewhere,
# each test says which program it lacks.
set -eu

missing=
for pair in buildah:buildah mmdebstrap:mmdebstrap promtool:prometheus pgbouncer:pgbouncer faketime:faketime \
    docker-compose:docker-compose kustomize:kustomize caddy:caddy systemd-analyze:systemd; do
    PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -z "$missing" ]; then exit 0; fi
skip() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] && [ "${WITHOUT_TOOLS:-}" != true ]; then
        echo "CI needs them. WITHOUT_TOOLS=true skips their tests." >&2
        exit 1
    fi
    exit 0
}
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    skip "Not installed, so their tests are skipped:$missing"
fi
echo "Installing$missing..." >&2
apt-get update -qq >/dev/null 2>&1 || true
failed=
for package in $missing; do
    # In run level 1, servers in these packages are not started.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq "$package" >/dev/null 2>&1 || failed="$failed $package"
done
if [ -n "$failed" ]; then skip "Could not be installed, so their tests are skipped:$failed"; fi
