# shellcheck shell=bash
# Sourced by the scripts here: finds podman or docker, and the settings podman needs on a machine without systemd.
# Sets `engine` (podman or docker) and the array `build_flags`. Returns 1 and prints what is missing if neither is there.
build_flags=()
engine=${ENGINE:-$(command -v podman >/dev/null && echo podman || { command -v docker >/dev/null && echo docker; } || true)}
case $engine in
    docker) ;;
    podman)
        if [ ! -d /run/systemd/system ] && [ -z "${CONTAINERS_CONF:-}" ]; then
            CONTAINERS_CONF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/containers.conf
            export CONTAINERS_CONF
        fi
        # The build's processes share the machine's network: no bridge is needed to fetch packages.
        build_flags+=(--isolation chroot --network host)
        ;;
    *)
        echo "neither podman nor docker is on the PATH (Debian: apt-get install podman netavark aardvark-dns)" >&2
        return 1
        ;;
esac
