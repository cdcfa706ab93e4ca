#!/usr/bin/env bash
# Chromium for the tests in tests/browser: Debian's own, installed where it is missing and may be installed.
set -euo pipefail

command -v chromium >/dev/null && exit
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "The tests in tests/browser need chromium; install it (Debian: apt-get install chromium)." >&2
    exit
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null
