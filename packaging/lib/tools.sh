# shellcheck shell=bash
# Sourced: installs the programs that a script calls and this machine lacks.

# Sets `missing` to the package of every PROGRAM:PACKAGE whose program is missing. PROGRAM may be an absolute path, for a file
# that is not a command.
find_missing() { # PROGRAM:PACKAGE...
    local entry program
    missing=()
    for entry; do
        program=${entry%%:*}
        { [[ $program == /* ]] && [ -e "$program" ]; } || command -v "$program" >/dev/null || missing+=("${entry##*:}")
    done
}

# Debian packages the C library's headers apart from the compiler, as libc6-dev: cc alone can neither compile nor link.
has_c_headers() {
    cc -fsyntax-only -include stdio.h -x c /dev/null 2>/dev/null
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install_packages() { # PACKAGE...
    echo "== installing $*"
    (
        export DEBIAN_FRONTEND=noninteractive
        # Another program may be installing something.
        apt-get update -q -o DPkg::Lock::Timeout=300
        apt-get install -qy -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
    ) >/dev/null
}

# Installs what is missing, or ends the script with a message that names it.
need() { # PROGRAM:PACKAGE...
    local missing
    find_missing "$@"
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! can_install; then
        echo "$0: ${missing[*]} must be installed first: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    install_packages "${missing[@]}"
}
