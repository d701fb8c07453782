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
unshare --mount true 2>/dev/null || refuse "no mounts can be made here."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Some kernels and outer containers refuse even a container with a single program.
mkdir "$folder/files"
cp --parents --dereference /bin/true $(ldd /bin/true | grep -o '/[^ ]*') "$folder/files"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
run_buildah() {
    command=$1
    shift
    buildah --root "$folder/store" --runroot "$folder/run" "$command" "$@" 2>/dev/null
}
limit_of() { prlimit "--$1" --output HARD --noheadings | tr -d ' '; } # raising one is refused
container=$(run_buildah from --ulimit "nofile=$(limit_of nofile)" --ulimit "nproc=$(limit_of nproc)" scratch) &&
    run_buildah add "$container" "$folder/files" / >/dev/null &&
    run_buildah run "$container" -- /bin/true || refuse "containers cannot be run here."
release=$folder/release
# mmdebstrap takes its packages from there, through the same proxies as apt.
/usr/lib/apt/apt-helper download-file http://deb.debian.org/debian/dists/trixie/Release "$release" >/dev/null 2>&1 ||
    refuse "Debian's archive cannot be reached."
