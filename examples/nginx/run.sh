#!/bin/sh
# nginx with camgate in front of a small fake IM API, all on loopback; Ctrl-C ends everything.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../lib.sh"

# Debian has it in a folder that is not on the path of ordinary users.
NGINX=${NGINX:-$(PATH="$PATH:/usr/sbin" command -v nginx || :)}
[ -n "$NGINX" ] || fail "no nginx: install it, on Debian with apt-get install nginx"

start_camgate "$REPOSITORY/policies/examples/statistics-operator" alice bob
# A password of the trial's staff: the word `trial`, for whoever is to be found in nginx.conf.
printf 'alice:{PLAIN}trial\ndave:{PLAIN}trial\nmallory:{PLAIN}trial\n' > "$RUN/staff"
cp "$HERE"/*.conf "$RUN"
# Run by root, its workers would be another user, to whom $RUN is closed.
AS=
[ "$(id -u)" != 0 ] || AS='user root;'
start nginx "$NGINX" -p "$RUN" -c "$RUN/nginx.conf" -e stderr -g "$AS"
wait_for nginx 'start worker process'
echo "ready: nginx on http://127.0.0.1:8080, for staff on :8081; alice and bob have keys in $RUN"
wait
