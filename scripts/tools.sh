#!/usr/bin/env bash
# Installs Debian packages whose programs the tests run, where they are missing: tools.sh PROGRAM=PACKAGE...
set -euo pipefail

missing=()
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "tools: missing: ${missing[*]}. Install them (on Debian: apt-get install ${missing[*]}) and run again." >&2
    exit 1
fi
echo "tools: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
