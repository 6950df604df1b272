#!/usr/bin/env bash
# Make the committed stubs from proto/. usage: deploy/proto.sh [--check] libs/contracts
set -euo pipefail
cd "$(dirname "$0")/.."
check=
[ "$1" = --check ] && { check=1; shift; }
into=$1 out=$1
[ -n "$check" ] && out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
mapfile -t files < <(find proto -name '*.proto' | LC_ALL=C sort)
python -m grpc_tools.protoc -I proto --python_out="$out" --mypy_out="quiet,readable_stubs:$out" "${files[@]}"
mapfile -t services < <(grep -l '^service ' "${files[@]}")
python -m grpc_tools.protoc -I proto --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" "${services[@]}"
if [ -n "$check" ]; then
    diff -r -x __pycache__ -x py.typed "$out/lamplight" "$into/lamplight" ||
        { echo "proto: the committed stubs are not what proto/ makes; run 'make proto' and commit" >&2; exit 1; }
fi
