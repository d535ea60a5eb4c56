# shellcheck shell=bash
# Sourced: installs what a script calls and this machine has not.

# need PROGRAM:PACKAGE... - a program may be a path, for what is no command.
need() {
    local entry missing=()
    for entry; do
        { [[ ${entry%%:*} == /* ]] && [ -e "${entry%%:*}" ]; } || command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$0: ${missing[*]} are not here; install them: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    echo "== installing ${missing[*]}"
    (
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q
        apt-get install -qy --no-install-recommends "${missing[@]}"
    ) >/dev/null
}
