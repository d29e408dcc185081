# Read by the run.sh of each example: starts programs, waits until they are ready, and ends them
# all. Everything that is written goes to the folder $RUN. Set CAMGATE, PYTHON, ENVOY or NGINX to
# use other programs than those that are found.

REPOSITORY=$(cd "$HERE/../.." && pwd)
RUN=${RUN:-$HERE/run}
PYTHON=${PYTHON:-python3}
if [ -z "${CAMGATE:-}" ]; then
  CAMGATE=$REPOSITORY/target/release/camgate
  [ -x "$CAMGATE" ] || CAMGATE=$REPOSITORY/target/debug/camgate
fi
# The password of everybody in this trial.
PASSWORD=Trial-2026-console
# Longest wait for one program, in tenths of a second.
TENTHS_MAX=300
PIDS=

umask 077
mkdir -p "$RUN"

fail() {
  echo "$1" >&2
  exit 1
}

end_all() {
  trap '' INT TERM
  trap - EXIT
  for pid in $PIDS; do kill "$pid" 2> /dev/null || :; done
  for pid in $PIDS; do wait "$pid" 2> /dev/null || :; done
}
trap 'end_all' EXIT
trap 'end_all; exit 0' INT TERM

# start NAME COMMAND...: runs it, its output in $RUN/NAME.out and $RUN/NAME.log.
start() {
  name=$1
  shift
  # Now, not when the program is there: what an earlier run has said must not count.
  : > "$RUN/$name.out"
  : > "$RUN/$name.log"
  "$@" >> "$RUN/$name.out" 2>> "$RUN/$name.log" &
  echo $! > "$RUN/$name.pid"
  PIDS="$PIDS $!"
}

# wait_for NAME TEXT: until the program has said it.
wait_for() {
  tenths=0
  until grep -q -- "$2" "$RUN/$1.out" "$RUN/$1.log"; do
    if ! kill -0 "$(cat "$RUN/$1.pid")" 2> /dev/null || [ $tenths -ge $TENTHS_MAX ]; then
      cat "$RUN/$1.out" "$RUN/$1.log" >&2
      fail "$1 did not start"
    fi
    tenths=$((tenths + 1))
    sleep 0.1
  done
}

# The server with its account, and the API behind the gate. $1: the folder of the account; the rest:
# the sub-accounts that get a key, in $RUN/NAME.json, and a password to sign in with.
start_camgate() {
  [ -x "$CAMGATE" ] || fail "no $CAMGATE: run cargo build --release first"
  account=$1
  shift
  start camgate "$CAMGATE" serve --dev --store memory --config "$HERE/camgate.toml"
  wait_for camgate '^ready$'
  tell apply "$account" > "$RUN/apply.out"
  for user in "$@"; do
    tell key create "$user" --output json > "$RUN/$user.json"
    echo "$PASSWORD" |
      tell user update "$user" --console-login --password-file - > "$RUN/password.out"
  done
  start im-api "$PYTHON" -B "$HERE/../im-api/im_api.py" --port 7500 --log "$RUN/requests.log"
  wait_for im-api 'listens on'
}

# A command to the server of this example.
tell() {
  "$CAMGATE" --server http://127.0.0.1:7401 "$@"
}
