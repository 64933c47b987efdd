#!/usr/bin/env bash
# Build the container images, tagged earshot/NAME:VERSION and earshot/NAME:latest, with podman or docker.
# Arguments: the images to build (default: all). Environment: BASE (base image), ENGINE (podman or docker), and
# PIP_INDEX_URL and NPM_CONFIG_REGISTRY where packages come from an index of your own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=infra/images/engine.sh
. infra/images/engine.sh
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
base=${BASE:-$(sed -n 's/^ARG BASE=//p' infra/images/Dockerfile)}
case $base in localhost/* | earshot/*) ;; *)
    "$engine" image inspect "$base" >/dev/null 2>&1 || "$engine" pull --quiet "$base" >/dev/null || {
        echo "the base image $base cannot be pulled; name another one with BASE=, or make one from Debian packages:" >&2
        echo "  infra/images/base.sh && make images BASE=localhost/earshot/base" >&2
        exit 1
    } ;;
esac
for name in PIP_INDEX_URL NPM_CONFIG_REGISTRY; do
    if [ -n "${!name:-}" ]; then build_flags+=(--build-arg "$name=${!name}"); fi
done
if [ $# = 0 ]; then
    mapfile -t names < <(sed -n 's/^FROM .* AS \([a-z_]*\)$/\1/p' infra/images/Dockerfile | grep -vxE 'shell|packages|foundation|console')
    set -- "${names[@]}"
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
for name in "$@"; do
    started=$SECONDS
    recipe=(-f infra/images/Dockerfile --target "$name")
    if [ "$name" = kafka ]; then recipe=(-f infra/images/kafka.Dockerfile); fi
    "$engine" build "${build_flags[@]}" --build-arg "BASE=$base" "${recipe[@]}" \
        -t "earshot/$name:$version" -t "earshot/$name:latest" . >"$output" 2>&1 || {
        tail -20 "$output" >&2
        echo "the image earshot/$name could not be built" >&2
        exit 1
    }
    size=$("$engine" image inspect --format '{{.Size}}' "earshot/$name:$version")
    printf '%-40s %5d MB %5d s\n' "earshot/$name:$version" $((size / 1000000)) $((SECONDS - started))
done
