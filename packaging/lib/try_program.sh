#!/bin/bash
# Tries a program that is installed below a folder, as root: packaging/lib/try_program.sh ROOT PROGRAM VERSION [USER [DATA]]
#
# ROOT/PROGRAM is run with ROOT as its root, as USER with no privilege but CAP_NET_RAW; as UID:GID, which a container's user is,
# with no privilege at all, but in a network in which that group may ping, as Docker and Podman make it; or as root where there is
# no USER. It must say VERSION, find its own configuration right (where the package has one), check 127.0.0.1, monitor it for
# three rounds into DATA and serve the page, be found fresh meanwhile, and end on SIGTERM with everything on the disk. All of it
# in namespaces with nothing but a loopback.
set -euo pipefail
# For another machine's program with 32 bits: qemu 7.2 puts what the kernel says of an ICMP error at a wrong address of the
# program unless its memory is apart from qemu's own.
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
within=(chroot "$root")
if [[ $user == *:* ]]; then
    within=(chroot --userspec="$user" "$root")
    echo "${user#*:} ${user#*:}" >/proc/sys/net/ipv4/ping_group_range
elif [ -n "$user" ]; then
    # shellcheck disable=SC2054 # the commas are setpriv's
    within+=(setpriv "--reuid=$user" "--regid=$user" --clear-groups --no-new-privs --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw)
fi
within+=("$program")
inside() {
    "${within[@]}" "$@"
}

[ "$(inside --version)" = "ace-connection-logger $version" ] || fail "--version says $(inside --version)"
configuration=/etc/ace-connection-logger/config.yaml
if [ -e "$root$configuration" ]; then
    inside check-config --strict -c $configuration
fi

mkdir -p "$root/tmp" "$root$data"
cat >"$root/tmp/trial.yaml" <<END
monitoring: {interval_seconds: 1, ping_count: 3, ping_spacing_ms: 20, timeout_seconds: 0.5}
hosts:
  - {name: This machine, address: 127.0.0.1}
database: {path: $data/connection_logs.db}
END
chmod 0644 "$root/tmp/trial.yaml"
said=$(inside check --no-store -c /tmp/trial.yaml) || fail "a check of 127.0.0.1 ends with $?: $said"
[[ $said == *3/3* ]] || fail "a check of 127.0.0.1 says: $said"
echo "$said"

# Not by `inside`, whose shell would stand between it and the signal.
"${within[@]}" monitor --strict -c /tmp/trial.yaml &
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
[[ $(curl --silent --fail http://127.0.0.1:8501/health) == *'"healthy"'* ]] || fail "/health does not say that it is healthy"
inside status -q --fresh -c /tmp/trial.yaml >/dev/null || fail "status --fresh ends with $?"
kill -TERM $monitor
status=0
wait $monitor || status=$?
[ $status = 0 ] || fail "the monitor ends with $status"
after=$(rows)
[ "$after" -ge $((before + 3)) ] || fail "of the rounds $after are in the database"
[ "$(sqlite3 "$root$data/connection_logs.db" 'pragma integrity_check')" = ok ] || fail "the database is damaged"
read_back=$(($(inside export -q -c /tmp/trial.yaml | wc -l) - 1))
[ $read_back = "$after" ] || fail "export reads $read_back checks, the database has $after"
echo "$after checks recorded and read back; page and /health served; ended with 0"
