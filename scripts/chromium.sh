#!/bin/sh
# Makes sure of a browser for the journeys in tests/browser; fails with one sentence where there is none to be had.
set -eu

has_browser() {
    for name in ${CHROMIUM:+"$CHROMIUM"} chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

install_browser() {
    echo "Installing Chromium for the browser journeys ..." >&2
    # A second source that cannot be reached must not hide the package of the first.
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 || true
}

has_browser && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    install_browser
fi
has_browser && exit 0
echo "Chromium is missing, so the browser journeys were not run: install the package chromium" \
    "(Debian: sudo apt-get install chromium), or name a browser: CHROMIUM=/path/to/chrome make test" >&2
exit 1
