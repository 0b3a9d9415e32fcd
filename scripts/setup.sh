#!/usr/bin/env bash
# Makes .venv with every locked dependency and the project itself. Quick when nothing changed.
# Set PYTHON to choose the interpreter; otherwise the first Python 3.11 or newer of the PATH is taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

debian_install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "missing: $*. Install it (on Debian: apt-get install $*) and run again."
    fi
    echo "setup: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=$(find_python) || {
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11 or newer."
    debian_install python3 python3-venv
    python=$(find_python) || fail "needs Python 3.11 or newer; this system's python3 is older."
}

version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
lock_key="$version $PWD $(sha256sum <requirements.lock)"
project_key="$(cat pyproject.toml scripts/setup.sh | sha256sum)"

# Each stamp is written last, so that an interrupted set-up starts again.
if [ "$(cat .venv/lock.stamp 2>/dev/null)" != "$lock_key" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || debian_install "python${version%.*}-venv"
    echo "setup: installing the locked dependencies into .venv (Python $version)"
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    printf '%s\n' "$lock_key" >.venv/lock.stamp
fi
if [ "$(cat .venv/project.stamp 2>/dev/null)" != "$project_key" ]; then
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    printf '%s\n' "$project_key" >.venv/project.stamp
fi
