#!/usr/bin/env bash
# `make deploy-check`: validate the compose file and the chart and, where podman is installed, build all images and pass
# the demo's call through them. Nothing stays but the images and, in .run/deploy-check, the logs.
# Environment: BASE (base image). A base image and a broker image are made here if none can be pulled.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${BIN:-.venv/bin}
logs=.run/deploy-check
project=earshot-check-$$
services=(ringcentral-sim event-ingestor supervision-orchestrator media-gateway transcriber insights recorder assist-gateway)

say() { printf '· %s\n' "$*"; }
fail() { printf 'deploy-check failed: %s\n' "$*" >&2; exit 1; }

say "compose file and chart"
"$bin/python" -m pytest -q --no-header tests/deploy

if ! command -v podman >/dev/null; then
    say "SKIPPED: building the images and the call through them, for podman is not installed"
    exit 0
fi
ENGINE=podman
# shellcheck source=infra/images/engine.sh
. infra/images/engine.sh

default_base=$(sed -n 's/^ARG BASE=//p' infra/images/Dockerfile)
if [ -z "${BASE:-}" ] && ! podman pull --quiet "$default_base" >/dev/null 2>&1; then
    say "$default_base cannot be pulled"
    BASE=localhost/earshot/base
    podman image exists "$BASE" || infra/images/base.sh
fi
export BASE=${BASE:-$default_base} ENGINE

files=(-f docker-compose.yml)
images=()
# shellcheck disable=SC2016  # the dollar sign is searched for
kafka=$(sed -n 's/^ *image: ${KAFKA_IMAGE:-\(.*\)}/\1/p' docker-compose.yml)
if ! podman pull --quiet "${KAFKA_IMAGE:-$kafka}" >/dev/null 2>&1; then
    say "${KAFKA_IMAGE:-$kafka} cannot be pulled: the broker is built here"
    files+=(-f infra/images/compose.offline.yml)
    images=(kafka)
fi
say "building the images on $BASE"
infra/images/build.sh
if [ ${#images[@]} -gt 0 ]; then infra/images/build.sh "${images[@]}"; fi

free_port() { "$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
EARSHOT_SIM_PORT=$(free_port)
EARSHOT_PAGE_PORT=$(free_port)
export EARSHOT_SIM_PORT EARSHOT_PAGE_PORT
compose() { "$bin/podman-compose" --in-pod 0 --profile "${PROFILE:-none}" -p "$project" "${files[@]}" "$@"; }

clean_up() {
    rm -rf "$logs" && mkdir -p "$logs"
    for name in kafka topics "${services[@]}"; do
        podman logs "${project}_${name}_1" >"$logs/$name.log" 2>&1 || true
    done
    compose down --volumes --timeout 10 >"$logs/down.log" 2>&1 || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "starting the containers"
compose up --detach --no-build >/dev/null 2>&1 || fail "the containers did not start; see $logs"
deadline=$((SECONDS + 240))
for name in "${services[@]}"; do
    until podman healthcheck run "${project}_${name}_1" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "$name is not ready; the end of its log: $(podman logs --tail 3 "${project}_${name}_1" 2>&1)"
        sleep 2
    done
    say "$name is ready"
done
say "playing the call"
mkdir -p "$(dirname "$logs")"
PROFILE=tools compose run --rm --no-deps -T cli demo --once --against http://ringcentral-sim:8090 2>"$logs.err" ||
    { tail -5 "$logs.err" >&2; fail "the call through the containers; logs in $logs"; }
rm -f "$logs.err"
say "the call passed through the containers"
