#!/usr/bin/env bash
# make soak: the long proofs and all benches. Rows go to bench/soak.tsv, figures to bench/figures.jsonl: commit them.
set -euo pipefail
cd "$(dirname "$0")/.."
export LAMPLIGHT_SOAK=1
mkdir -p .cache
.venv/bin/uv pip install --quiet --python .venv/bin/python --only-binary :all: --require-hashes -r deploy/soak-only.txt ||
    echo "soak: no Atheris for this Python; its tests are skipped"
deploy/live555.sh >/dev/null || echo "soak: the tests with live555 are skipped"
status=0
.venv/bin/pytest -q -m soak --timeout 3600 --junitxml .cache/soak.xml "$@" || status=$?
.venv/bin/python bench/record.py soak .cache/soak.xml
for name in bus detect gate ingest; do
    .venv/bin/lamplight bench "$name" --json | .venv/bin/python bench/record.py figures || status=$?
done
.venv/bin/python bench/up.py --json | .venv/bin/python bench/record.py figures || status=$?
exit "$status"
