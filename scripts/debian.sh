#!/usr/bin/env bash
# scripts/debian.sh COMMAND PACKAGE TESTS: what tests need and PyPI has not, Debian's own, installed where it is missing and may be installed.
set -euo pipefail

command -v "$1" >/dev/null && exit
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "$3 needs $1; install it (Debian: apt-get install $2)." >&2
    exit
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$2" >/dev/null
