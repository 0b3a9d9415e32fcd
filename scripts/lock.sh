#!/usr/bin/env bash
# Writes requirements.lock: exact versions and hashes of everything that running,
# testing and building need. Run after a change of the dependencies in pyproject.toml;
# `scripts/lock.sh --upgrade` also moves to the newest versions that the ranges allow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

# A local folder of wheels would put hashes of its own builds into the lock.
export PIP_CONFIG_FILE=/dev/null
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL

"$python" -m venv "$tools"
"$tools/bin/pip" install --quiet pip-tools==7.6.2
CUSTOM_COMPILE_COMMAND="make lock" "$tools/bin/pip-compile" \
    --quiet --generate-hashes --strip-extras --allow-unsafe \
    --all-extras --all-build-deps \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    --output-file requirements.lock "$@" pyproject.toml
