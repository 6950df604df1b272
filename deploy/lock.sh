#!/usr/bin/env bash
# Renew requirements.lock: one universal lock with hashes and no addresses, used as constraints by every install.
set -euo pipefail
cd "$(dirname "$0")/.."
skip=()
for name in contracts kit models kafka-local ingest detect embed match alert console cli demo; do
    skip+=(--no-emit-package "lamplight-$name")
done
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url "${skip[@]}" "$@" requirements.in -o requirements.lock
