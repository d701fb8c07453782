#!/bin/sh
# Finds or installs a browser for the tests in tests/browser; fails with a one-sentence error if it cannot.
set -eu

# The name of Debian's package and program: the engine without windows, with which the tests are fastest.
shell=chromium-headless-shell

has_one_of() {
    for name in ${CHROMIUM:+"$CHROMIUM"} "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

has_browser() {
    has_one_of "$shell" chromium chromium-browser google-chrome google-chrome-stable
}

# A CI machine gets the headless shell even if it has another browser; elsewhere, any installed browser will do.
has_wanted_browser() {
    if [ -n "${CI:-}" ]; then has_one_of "$shell"; else has_browser; fi
}

install_browser() {
    echo "Installing Chromium for the browser journeys..." >&2
    # An unreachable second source must not hide the first one's package.
    apt-get update -qq >/dev/null 2>&1 || true
    for package in "$shell" chromium; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || true
        if has_browser; then return; fi
    done
}

has_wanted_browser && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    install_browser
fi
has_browser && exit 0
echo "Chromium is missing, so the browser journeys were not run: install the package chromium" \
    "(Debian: sudo apt-get install chromium), or name a browser: CHROMIUM=/path/to/chrome make test" >&2
exit 1
