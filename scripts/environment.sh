#!/bin/sh
# Creates .venv from a lock file, or does nothing if it already contains that lock's packages.
# Usage: environment.sh LOCK   (PYTHON is the interpreter; if it is not set, one of 3.11 to 3.13 is searched for)
set -eu

lock=$1
stamp=.venv/installed.sha256

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if fits "$name"; then
            printf '%s\n' "$name"
            return
        fi
        if [ "$name" = "${PYTHON:-}" ]; then
            echo "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13. Choose another one." >&2
            return 1
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 was not found. Install one (Debian, Ubuntu: python3 and python3-venv)," \
        "or give its path: make run PYTHON=/path/to/python3.11" >&2
    return 1
}

make_environment() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python cannot create virtual environments. Install its venv package" \
            "(Debian, Ubuntu: python$(version_of "$python")-venv) and try again." >&2
        return 1
    fi
    echo "Creating the environment in .venv..." >&2
    "$python" -m venv --clear .venv
}

# Only a lock's content counts: a fresh clone has new file times.
hash_of() {
    .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# An environment in use must not be replaced under its processes, so another version is refused.
check_version() {
    if [ -z "${PYTHON:-}" ] || ! fits .venv/bin/python; then
        return
    fi
    python=$(find_python)
    if [ "$(version_of "$python")" != "$(version_of .venv/bin/python)" ]; then
        echo ".venv was created with Python $(version_of .venv/bin/python), but PYTHON=$PYTHON is" \
            "$(version_of "$python"). Delete .venv to create it again, or omit PYTHON." >&2
        return 1
    fi
}

is_complete() {
    fits .venv/bin/python && grep -qs "$(hash_of "$lock")" "$stamp"
}

# The kernel holds this lock for the shell's file descriptor, so a killed start leaves no lock behind.
wait_for_turn() {
    python=$(find_python)
    exec 9<"$0"
    if ! "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
        echo "Waiting for another make that is working on .venv..." >&2
        "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    fi
}

check_version
if is_complete; then
    exit 0
fi
wait_for_turn
fits .venv/bin/python || make_environment
if is_complete; then
    exit 0
fi
echo "Installing packages (takes about a minute the first time)..." >&2
# A lock lists all packages, so there is nothing to resolve (--no-deps). The product's packages are compiled here: it
# may run as a user without write access, and would compile them again in each process. The development packages are
# not compiled, because tests use only a sixth of them.
compile=--compile
if [ "$lock" = requirements-dev.lock ]; then compile=--no-compile; fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --progress-bar off \
    --require-hashes --only-binary :all: --no-deps "$compile" -r "$lock" || {
    echo "The packages of $lock could not be installed. See pip's output above; a package index must be reachable." >&2
    exit 1
}
# The development lock includes the product's lock.
hash_of "$lock" >"$stamp"
if [ "$lock" = requirements-dev.lock ]; then
    hash_of requirements.lock >>"$stamp"
fi
