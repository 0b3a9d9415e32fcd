#!/usr/bin/env bash
# Installs SoftHSM, the software token that the tests of PKCS#11 run against, when it is missing. Nothing else needs it.
set -euo pipefail

command -v softhsm2-util >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "softhsm: missing: softhsm2. Install it (on Debian: apt-get install softhsm2) and run again." >&2
    exit 1
fi
echo "softhsm: installing softhsm2"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends softhsm2 >/dev/null
