#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/*.txt: pinned, with hashes, for every platform, without naming any host.
#
#   build.txt    what builds the package
#   runtime.txt  what the server needs
#   dev.txt      both of them, and what tests, lint and benchmarks need
#   clients.txt  what the generated clients and other people's clients need, in an environment of their own
#   spark.txt    Spark, for the tests that run on it
#
# What is locked stays, unless it is asked for: scripts/lock.sh --upgrade, or scripts/lock.sh --upgrade-package NAME.
set -euo pipefail
cd "$(dirname "$0")/.."

resolve() {
    local name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --output-file "requirements/$name.txt" "$@"
}

resolve runtime pyproject.toml "$@"
resolve build --group build "$@"
resolve dev pyproject.toml --group dev --constraint requirements/runtime.txt --constraint requirements/build.txt "$@"
resolve clients --group clients "$@"

resolve spark --group spark "$@"

if grep -nE -e '^-|https?://' requirements/*.txt; then
    echo "lock: a requirement names a host or an option; requirements hold pinned versions and hashes only" >&2
    exit 1
fi
