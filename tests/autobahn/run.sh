#!/usr/bin/env bash
# Runs the Autobahn test suite: tests/autobahn/run.sh [server|client|both] [options of the suite]
#
# The suite is looked for in $AUTOBAHN, then in ../shared/autobahn beside the
# project: a folder with server.sh and client.sh. Without it this says that it
# was skipped, or fails if REQUIRE_AUTOBAHN=1. ADAPTERS="blocking" leaves out
# the others.
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

cargo build --release --features deflate,tokio \
    --example echo_server --example echo_tokio --example autobahn_client
target=${CARGO_TARGET_DIR:-target}
examples=$(cd "$target/release/examples" && pwd)
reports=$target/autobahn
mkdir -p "$reports"

# The adapters whose cases are run: the blocking one, and that for tokio.
for adapter in ${ADAPTERS:-blocking tokio}; do
    case $adapter in
    blocking) server=echo_server client="autobahn_client {url} {agent}" ;;
    tokio) server=echo_tokio client="autobahn_client {url} {agent} --tokio" ;;
    esac
    if [ "$role" != client ]; then
        echo "== Autobahn, server role, $adapter"
        bash "$suite/server.sh" ${options[@]+"${options[@]}"} \
            --start "$examples/$server 127.0.0.1:{port}" 0 sansocket "$reports/$adapter-server"
    fi
    if [ "$role" != server ]; then
        echo "== Autobahn, client role, $adapter"
        bash "$suite/client.sh" ${options[@]+"${options[@]}"} \
            "$examples/$client" sansocket "$reports/$adapter-client"
    fi
done
