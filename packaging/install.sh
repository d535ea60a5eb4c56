#!/bin/sh
# Installs the program from the folder that contains this file, on any Linux, as root:
#
#     ./install.sh [--prefix DIR] [--root DIR] [--no-service]
#     ./install.sh --uninstall [--purge] [--prefix DIR] [--root DIR]
#
# An upgrade replaces the program, the manuals and the services, and leaves the configuration and the data unchanged. The
# service is installed for systemd or OpenRC and restarted if it runs; otherwise you start and enable it, with the command
# printed at the end. --no-service installs no service. --uninstall keeps the configuration and the data, --purge removes them
# and the service's user too. The default --prefix is /usr/local; --root installs below another folder, such as a mounted
# memory card.
set -eu

name=ace-connection-logger
prefix=/usr/local root='' with_service=true task=install purge=false

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --root)
            [ $# -ge 2 ] || fail "$1: a folder is missing"
            if [ "$1" = --prefix ]; then prefix=$2; else root=${2%/}; fi
            shift
            ;;
        --prefix=*) prefix=${1#*=} ;;
        --root=*) root=${1#*=} root=${root%/} ;;
        --no-service) with_service=false ;;
        --uninstall) task=uninstall ;;
        --purge) purge=true ;;
        -h | --help)
            sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
            exit
            ;;
        *) fail "$1: unknown option; --help lists the options" ;;
    esac
    shift
done
case $prefix in
    /*) ;;
    *) fail "--prefix $prefix: is not an absolute path" ;;
esac
[ $task = uninstall ] || [ $purge = false ] || fail "--purge: requires --uninstall"
[ "$(id -u)" = 0 ] || fail "must be run as root: sudo $0"

here=$(cd "$(dirname "$0")" && pwd)
binary=$prefix/bin/$name
configuration=/etc/$name/config.yaml
data=/var/lib/$name

# The service manager whose files are installed. Only a running one on this machine, not one below --root, gets commands.
manager=none
if [ $with_service = true ]; then
    if [ -d "$root/run/systemd/system" ] || [ -d "$root/usr/lib/systemd/system" ] || [ -d "$root/lib/systemd/system" ]; then
        manager=systemd
    elif [ -x "$root/sbin/openrc-run" ]; then
        manager=openrc
    fi
fi
is_running_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}
units="$name.service $name-dashboard.service $name-cleanup.service $name-cleanup.timer"

# Replaces a file by a rename, so that a running program is not overwritten and a power failure leaves the old or the new one.
put() { # MODE FROM TO
    put_output "$1" "$3" cat "$2"
}
put_output() { # MODE TO COMMAND...
    mode=$1 to=$root$2
    shift 2
    mkdir -p "$(dirname "$to")"
    "$@" >"$to.new"
    chmod "$mode" "$to.new"
    mv -f "$to.new" "$to"
}
# A service file names the program at a distribution's path.
put_service() { # MODE FROM TO
    put_output "$1" "$3" sed "s|/usr/bin/$name|$binary|" "$2"
}

in_root() {
    if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi
}
has_user() {
    grep -q "^$name:" "$root/etc/passwd" 2>/dev/null
}
add_user() {
    has_user && return
    if in_root sh -c 'command -v useradd' >/dev/null 2>&1; then
        in_root useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin "$name"
    elif in_root sh -c 'command -v adduser' >/dev/null 2>&1; then
        # BusyBox, as on Alpine.
        in_root addgroup -S "$name"
        in_root adduser -S -D -H -h "$data" -s /sbin/nologin -G "$name" "$name"
    else
        fail "neither useradd nor adduser is installed; create a user $name with a group of that name, then run this again"
    fi
}

install_all() {
    [ -x "$here/$name" ] || fail "$here/$name does not exist; run this from the unpacked folder"
    "$here/$name" --version >/dev/null 2>&1 || fail "$here/$name does not run here: download the archive for this machine, whose processor is $(uname -m)"
    add_user
    put 0755 "$here/$name" "$binary"
    for manual in "$here"/man/man*/*.gz; do
        put 0644 "$manual" "$prefix/share/man/$(basename "$(dirname "$manual")")/$(basename "$manual")"
    done
    put 0644 "$here/completions/$name.bash" "$prefix/share/bash-completion/completions/$name"
    put 0644 "$here/completions/_$name" "$prefix/share/zsh/site-functions/_$name"
    put 0644 "$here/completions/$name.fish" "$prefix/share/fish/vendor_completions.d/$name.fish"

    if [ ! -e "$root$configuration" ]; then
        put 0640 "$here/config.yaml" "$configuration"
        in_root chown "root:$name" "$configuration"
    fi
    mkdir -p "$root$data"
    in_root chown "$name:$name" "$data"
    chmod 0750 "$root$data"

    case $manager in
        systemd)
            for unit in $units; do
                put_service 0644 "$here/systemd/$unit" "/etc/systemd/system/$unit"
            done
            if is_running_systemd; then
                systemctl daemon-reload
                systemctl try-restart "$name.service" "$name-dashboard.service"
            fi
            start="systemctl enable --now $name"
            ;;
        openrc)
            put_service 0755 "$here/openrc/$name" "/etc/init.d/$name"
            [ -e "$root/etc/conf.d/$name" ] || put 0644 "$here/openrc/$name.confd" "/etc/conf.d/$name"
            if [ -z "$root" ] && rc-service --quiet "$name" status >/dev/null 2>&1; then
                rc-service "$name" restart
            fi
            start="rc-update add $name && rc-service $name start"
            ;;
        none) start="$binary monitor --strict -c $configuration" ;;
    esac
    cat <<END
$name is installed: $root$binary
The configuration is $root$configuration, the data will be in $root$data.
Edit the list of hosts, then try it: $binary check -c $configuration
Start it, now and at every boot: $start
END
}

uninstall_all() {
    if is_running_systemd && [ -e "/etc/systemd/system/$name.service" ]; then
        systemctl disable --now "$name.service" "$name-dashboard.service" "$name-cleanup.timer" || true
    fi
    if [ -z "$root" ] && [ -e "/etc/init.d/$name" ] && command -v rc-service >/dev/null; then
        rc-service --ifstarted "$name" stop || true
        rc-update --quiet delete "$name" || true
    fi
    for unit in $units; do
        rm -f "$root/etc/systemd/system/$unit"
    done
    rm -f "$root/etc/init.d/$name" "$root$binary" "$root$prefix/share/man/man8/$name.8.gz" "$root$prefix/share/man/man5/$name.yaml.5.gz" \
        "$root$prefix/share/bash-completion/completions/$name" "$root$prefix/share/zsh/site-functions/_$name" \
        "$root$prefix/share/fish/vendor_completions.d/$name.fish"
    if is_running_systemd; then
        systemctl daemon-reload
    fi
    if [ $purge = false ]; then
        echo "$name is removed. $root$configuration and $root$data are kept; --uninstall --purge removes them too."
        return
    fi
    # $name is constant, so this never removes a folder of the system.
    # shellcheck disable=SC2115
    rm -rf "$root/etc/$name" "$root$data" "$root/etc/conf.d/$name"
    if has_user; then
        if in_root sh -c 'command -v userdel' >/dev/null 2>&1; then in_root userdel "$name"; else in_root deluser "$name"; fi
    fi
    if grep -q "^$name:" "$root/etc/group" 2>/dev/null; then
        if in_root sh -c 'command -v groupdel' >/dev/null 2>&1; then in_root groupdel "$name"; else in_root delgroup "$name"; fi
    fi
    echo "$name, its configuration and its data are removed."
}

if [ $task = install ]; then install_all; else uninstall_all; fi
