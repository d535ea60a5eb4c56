# shellcheck shell=bash
# Sourced by packaging/build and packaging/try: their command line, and the names of architectures.

all_kinds=(deb rpm musl ipk apk oci)
self=packaging/$(basename "$0")
# What the command line asks for. No architecture means every one that a kind exists for.
requested_kinds=() requested_archs=()

usage() {
    sed -n '4p' "$self" | sed 's/^# */usage: /' >&2
    exit 2
}

cargo_version() {
    sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1
}

# The name that these scripts use for an architecture, from any of its usual names.
arch_of() { # NAME
    case $1 in
        amd64 | x86_64) echo x86_64 ;;
        arm64 | aarch64) echo aarch64 ;;
        armhf | armv7 | armv7l) echo armv7 ;;
        armv6 | armv6l | armel) echo armv6 ;;
        mipsel | mipsel_24kc) echo mipsel ;;
        *)
            echo "$self: --arch $1: unknown architecture; known are x86_64, aarch64, armv7, armv6 and mipsel" >&2
            exit 2
            ;;
    esac
}

debian_arch() { # ARCH
    case $1 in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        armv7) echo armhf ;;
    esac
}

# Reads the command line into `requested_kinds`, `requested_archs` and, if the caller has set it to a default, `into`.
parse_arguments() {
    local is_all=false option value
    while [ $# -gt 0 ]; do
        option=$1
        shift
        case $option in
            --arch | --into)
                [ $# -gt 0 ] || usage
                value=$1
                shift
                ;;
            --arch=* | --into=*) value=${option#*=} option=${option%%=*} ;;
        esac
        case $option in
            all | --all) requested_kinds=("${all_kinds[@]}") is_all=true ;;
            --arch)
                if [ "$value" = all ]; then
                    is_all=true
                else
                    value=$(arch_of "$value")
                    requested_archs+=("$value")
                fi
                ;;
            --into)
                [ -n "${into:-}" ] || usage
                into=$(realpath --canonicalize-missing "$value")
                ;;
            -h | --help)
                sed -n '2,/^set /s/^# \{0,1\}//p' "$self"
                exit
                ;;
            *)
                [[ " ${all_kinds[*]} " == *" $option "* ]] || {
                    echo "$self: $option: unknown kind of package" >&2
                    usage
                }
                requested_kinds+=("$option")
                ;;
        esac
    done
    [ ${#requested_kinds[@]} -gt 0 ] || requested_kinds=(deb)
    if [ ${#requested_archs[@]} = 0 ] && [ $is_all = false ]; then
        requested_archs=("$(arch_of "$(uname -m)")")
    fi
}

# Sets `selected_archs` to the requested ones among `archs`, those that this kind exists for.
select_archs() { # KIND
    local arch
    selected_archs=()
    for arch in "${archs[@]}"; do
        if [ ${#requested_archs[@]} = 0 ] || [[ " ${requested_archs[*]} " == *" $arch "* ]]; then
            selected_archs+=("$arch")
        fi
    done
    if [ ${#selected_archs[@]} = 0 ] && [ ${#requested_kinds[@]} = 1 ]; then
        echo "$self: $1: exists for ${archs[*]}, not for ${requested_archs[*]}" >&2
        exit 1
    fi
}
