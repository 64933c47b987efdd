#!/usr/bin/env bash
# Make .venv with a Python that Earshot runs on, or say what is missing.
set -euo pipefail
python=${1:-}
say() { printf '%s\n' "$*" >&2; exit 1; }
[ -n "$python" ] || say "Python 3.11 or 3.12 is needed and no python3 is on the PATH (Debian: apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' ||
    say "Python 3.11 or 3.12 is needed; $python is $("$python" -V 2>&1). Name another one: make PYTHON=/path/to/python3.11"
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) ;;
    *) say "Linux on x86-64 is needed: the SIP stack's wheel (pjsua2-python) is built for nothing else; this is $(uname -s) $(uname -m)." ;;
esac
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    say "$python has no venv module (Debian: apt-get install python3-venv)."
[ -x .venv/bin/python ] || { echo "setting up: virtual environment .venv"; "$python" -m venv .venv; }
touch .venv/.python
