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

cargo build --release --workspace --all-features \
    --example echo_server --example echo_tokio --example autobahn_client --bin axum
target=${CARGO_TARGET_DIR:-target}
examples=$(cd "$target/release/examples" && pwd)
reports=$target/autobahn
mkdir -p "$reports"

# The cases of one adapter.
run() {
    case $1 in
    blocking) server=echo_server client="autobahn_client {url} {agent}" ;;
    # Long compressed messages run over `blocking`: the core is the same.
    tokio) server=echo_tokio client="autobahn_client {url} {agent} --tokio" options+=(--light) ;;
    axum) server=../axum client= options+=(--light) ;;
    esac
    if [ "$role" != client ]; then
        echo "== Autobahn, server role, $1"
        bash "$suite/server.sh" ${options[@]+"${options[@]}"} \
            --start "$examples/$server 127.0.0.1:{port}" 0 sansocket "$reports/$1-server"
    fi
    if [ "$role" != server ] && [ -n "$client" ]; then
        echo "== Autobahn, client role, $1"
        bash "$suite/client.sh" ${options[@]+"${options[@]}"} \
            "$examples/$client" sansocket "$reports/$1-client"
    fi
}

# The adapters at once, as the suite itself is busy on one core for each.
declare -A running
for adapter in ${ADAPTERS:-blocking tokio axum}; do
    run "$adapter" >"$reports/$adapter.log" 2>&1 &
    running[$adapter]=$!
done
failed=0
for adapter in "${!running[@]}"; do
    wait "${running[$adapter]}" || failed=1
    cat "$reports/$adapter.log"
done
exit "$failed"
