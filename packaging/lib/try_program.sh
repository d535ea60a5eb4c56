#!/bin/bash
# Tries an installed program in its root file system, as root, in a network namespace that has only loopback:
#
#     packaging/lib/try_program.sh ROOT PROGRAM VERSION [USER [DATA]]
#
# Runs PROGRAM in ROOT as USER with no capability but CAP_NET_RAW. A USER of the form UID:GID, a container's, gets no capability,
# but its group may ping, as Docker and Podman set it up. Without USER it runs as root. The program must print VERSION, find no
# problem in its installed configuration, check 127.0.0.1, monitor it for three rounds into the folder DATA while it serves the
# page and `status --fresh` succeeds, and end on SIGTERM with every check in the database.
set -euo pipefail
# For 32-bit programs: qemu 7.2 writes the details of ICMP errors to a wrong address of the program, unless the program's
# memory is separate from qemu's own.
[ "$(uname -m)" != x86_64 ] || export QEMU_GUEST_BASE=0x100000000
root=$1 program=$2 version=$3 user=${4:-} data=${5:-/var/lib/ace-connection-logger}
if [ -z "${TRIAL_INSIDE:-}" ]; then
    TRIAL_INSIDE=1 exec unshare --net --mount --pid --fork --kill-child "$0" "$@"
fi
ip link set lo up
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
command=(chroot "$root")
if [[ $user == *:* ]]; then
    command=(chroot --userspec="$user" "$root")
    echo "${user#*:} ${user#*:}" >/proc/sys/net/ipv4/ping_group_range
elif [ -n "$user" ]; then
    # shellcheck disable=SC2054 # the commas are setpriv's
    command+=(setpriv "--reuid=$user" "--regid=$user" --clear-groups --no-new-privs --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw)
fi
command+=("$program")
run() {
    "${command[@]}" "$@"
}

[ "$(run --version)" = "ace-connection-logger $version" ] || fail "--version prints $(run --version)"
configuration=/etc/ace-connection-logger/config.yaml
if [ -e "$root$configuration" ]; then
    run check-config --strict -c $configuration
fi

mkdir -p "$root/tmp" "$root$data"
cat >"$root/tmp/trial.yaml" <<END
monitoring: {interval_seconds: 1, ping_count: 3, ping_spacing_ms: 20, timeout_seconds: 0.5}
hosts:
  - {name: This machine, address: 127.0.0.1}
database: {path: $data/connection_logs.db}
END
chmod 0644 "$root/tmp/trial.yaml"
output=$(run check --no-store -c /tmp/trial.yaml) || fail "a check of 127.0.0.1 exits with $?: $output"
[[ $output == *3/3* ]] || fail "a check of 127.0.0.1 prints: $output"
echo "$output"

# Not with `run`: $! would be the subshell that runs the function, and the signal would not reach the program.
"${command[@]}" monitor --strict -c /tmp/trial.yaml &
monitor=$!
rows() {
    sqlite3 "file:$root$data/connection_logs.db?mode=ro" 'select count(*) from ping_results where success_count = 3' 2>/dev/null || echo 0
}
before=$(rows)
deadline=$((SECONDS + 60))
until [ "$(rows)" -ge $((before + 3)) ]; do
    kill -0 $monitor 2>/dev/null || fail "the monitor has ended"
    [ $SECONDS -lt $deadline ] || fail "no three rounds within a minute"
    sleep 0.2
done
[[ $(curl --silent --fail http://127.0.0.1:8501/) == *'<title>'* ]] || fail "the page is not served"
[[ $(curl --silent --fail http://127.0.0.1:8501/health) == *'"healthy"'* ]] || fail "/health is not healthy"
run status -q --fresh -c /tmp/trial.yaml >/dev/null || fail "status --fresh exits with $?"
kill -TERM $monitor
status=0
wait $monitor || status=$?
[ $status = 0 ] || fail "the monitor exits with $status"
after=$(rows)
[ "$after" -ge $((before + 3)) ] || fail "only $after checks are in the database"
[ "$(sqlite3 "$root$data/connection_logs.db" 'pragma integrity_check')" = ok ] || fail "the database is damaged"
exported=$(($(run export -q -c /tmp/trial.yaml | wc -l) - 1))
[ $exported = "$after" ] || fail "export writes $exported checks, the database has $after"
echo "$after checks recorded and exported; page and /health served; exit status 0"
