#!/usr/bin/env bash
# Runs the Autobahn test suite: tests/autobahn/run.sh [server|client|both] [options of the suite]
#
# The suite is looked for in $AUTOBAHN, then in ../shared/autobahn beside the
# project: a folder with server.sh and client.sh. Without it this says that it
# was skipped, or fails if REQUIRE_AUTOBAHN=1.
set -euo pipefail
cd "$(dirname "$0")/../.."

role=${1:-both}
shift || true
options=("$@")

suite=${AUTOBAHN:-../shared/autobahn}
if [ ! -f "$suite/server.sh" ]; then
    echo "skipped: no Autobahn test suite in $suite (set AUTOBAHN)"
    [ "${REQUIRE_AUTOBAHN:-0}" != 1 ] || exit 1
    exit 0
fi

cargo build --release --features deflate --example echo_server --example autobahn_client
target=${CARGO_TARGET_DIR:-target}
examples=$(cd "$target/release/examples" && pwd)
reports=$target/autobahn
mkdir -p "$reports"

if [ "$role" != client ]; then
    echo "== Autobahn, server role"
    bash "$suite/server.sh" ${options[@]+"${options[@]}"} \
        --start "$examples/echo_server 127.0.0.1:{port}" 0 sansocket "$reports/server"
fi
if [ "$role" != server ]; then
    echo "== Autobahn, client role"
    bash "$suite/client.sh" ${options[@]+"${options[@]}"} \
        "$examples/autobahn_client {url} {agent}" sansocket "$reports/client"
fi
