#!/usr/bin/env bash
# Make the virtual environment: the locked third-party versions by hash, then the project's own packages, editable.
# usage: deploy/setup.sh VENV [SERVICE]   with SERVICE, only what that one service needs, not editable (for images)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 service=${2:-}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "setup: $("$python" --version) found, Python 3.11 or newer expected; set PYTHON=/path/to/python3.11" >&2; exit 2; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
if [ ! -x "$venv/bin/uv" ]; then
    echo "setup: fetching uv, the installer (1 of 3)"
    awk '/^uv==/{on=1} on{print} on&&!/\\$/{exit}' requirements.lock > "$venv/uv.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.txt"
fi
export VIRTUAL_ENV="$PWD/$venv"
[[ $venv = /* ]] && export VIRTUAL_ENV="$venv"
uv="$venv/bin/uv"
progress=(--quiet)
[ -t 2 ] && progress=()
if [ -n "$service" ]; then
    echo "setup: what lamplight-$service needs, and nothing else"
    skip=()
    for name in contracts kit models kafka-local ingest detect embed match alert console cli demo; do
        skip+=(--no-emit-package "lamplight-$name")
    done
    "$uv" pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements.lock \
        "${skip[@]}" "services/$service/pyproject.toml" -o "$venv/service.txt"
    "$uv" pip install "${progress[@]}" --require-hashes -r "$venv/service.txt"
    "$uv" pip install "${progress[@]}" --no-deps ./libs/contracts ./libs/kit "./services/$service"
    exit 0
fi
echo "setup: fetching $(grep -c '^[a-z0-9].*==' requirements.lock) locked packages, about 400 MB (2 of 3)"
"$uv" pip install "${progress[@]}" --require-hashes -r requirements.lock
echo "setup: installing Lamplight's own packages (3 of 3)"
own=()
for folder in libs/contracts libs/kit libs/models deploy/kafka services/{ingest,detect,embed,match,alert,console,cli} examples/demo; do
    own+=(-e "$folder")
done
"$uv" pip install "${progress[@]}" --no-deps --no-build-isolation "${own[@]}"
touch "$venv/.ready"
