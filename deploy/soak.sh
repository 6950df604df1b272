#!/usr/bin/env bash
# make soak: the long proofs, beside those of make test; the figures go to bench/.
set -euo pipefail
cd "$(dirname "$0")/.."
export LAMPLIGHT_SOAK=1
exec .venv/bin/pytest -q -m soak --timeout 3600 "$@"
