#!/bin/sh
# Succeeds if the image can be built here without a daemon, and says why otherwise. `.ci/run` then makes a skipped test of
# the image an error, since a run without it would be green.
set -eu

refuse() {
    echo "The image is not built in this run: $1" >&2
    exit 1
}
[ "$(id -u)" -eq 0 ] || refuse "only root can build it without a daemon."
for program in buildah mmdebstrap; do
    command -v "$program" >/dev/null 2>&1 || refuse "$program is not installed."
done
# A container has its own mounts, which some kernels and outer containers refuse.
unshare --mount true 2>/dev/null || refuse "no mounts can be made here."
release=$(mktemp)
trap 'rm -f "$release"' EXIT
# mmdebstrap takes its packages from there, by the same proxies as apt.
/usr/lib/apt/apt-helper download-file http://deb.debian.org/debian/dists/trixie/Release "$release" >/dev/null 2>&1 ||
    refuse "Debian's archive cannot be reached."
