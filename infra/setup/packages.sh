#!/usr/bin/env bash
# Install a set of locked packages (runtime or dev) into .venv; resumes where it stopped.
set -euo pipefail
set=$1
count=$(grep -c '^[a-z]' "infra/requirements/$set.txt")
echo "setting up: $count locked packages for $set (the first time takes a minute or two)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "infra/requirements/$set.txt" || {
    echo "packages could not be installed: is a Python package index reachable from here (PIP_INDEX_URL)?" >&2
    exit 1
}
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch ".venv/.$set"
