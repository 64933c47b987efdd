#!/usr/bin/env bash
# Make the base image earshot/base from Debian packages, for machines that reach a Debian mirror but no image registry.
# Needs debootstrap and root. The image trusts the certificate authorities that this machine trusts beyond Debian's own.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=infra/images/engine.sh
. "$here/engine.sh"
missing() { echo "a base image cannot be made here: $1" >&2; exit 1; }
command -v debootstrap >/dev/null || missing "debootstrap is not on the PATH (Debian: apt-get install debootstrap)"
[ "$(id -u)" = 0 ] || missing "debootstrap needs root"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "making the base image earshot/base: debootstrap of Debian bookworm with Python 3.11 (some minutes)"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" >"$root.log" 2>&1 ||
    { tail -5 "$root.log" >&2; missing "debootstrap failed"; }
rm -f "$root.log"
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null 2>&1
fi
tar -C "$root" --exclude=./var/cache/apt/\* --exclude=./var/lib/apt/lists/\* --exclude=./usr/share/doc/\* \
    --exclude=./usr/share/man/\* --exclude=./usr/share/locale/\* --exclude=./var/log/\* -c . |
    "$engine" import --change 'CMD ["python3"]' - earshot/base:latest >/dev/null
