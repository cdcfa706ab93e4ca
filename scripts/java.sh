#!/usr/bin/env bash
# A Java runtime for the tests that run on Spark: Debian's own, installed where it is missing and may be installed.
set -euo pipefail

command -v java >/dev/null && exit
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "tests/analytics/test_spark.py needs Java 17 or newer; install it (Debian: apt-get install default-jre-headless)." >&2
    exit
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends default-jre-headless >/dev/null
