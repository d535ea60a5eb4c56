# shellcheck shell=bash
# Sourced: which packages a command line asks for, of packaging/build and of packaging/try alike.

kinds=(deb rpm musl ipk apk oci)
self=packaging/$(basename "$0")
# What is asked for. No machine is every one that a kind is made for.
wanted=() machines=()

usage() {
    sed -n '4p' "$self" | sed 's/^# */usage: /' >&2
    exit 2
}

# The one word used here for a machine, from any of its names.
machine_called() {
    case $1 in
        amd64 | x86_64) echo x86_64 ;;
        arm64 | aarch64) echo aarch64 ;;
        armhf | armv7 | armv7l) echo armv7 ;;
        armv6 | armv6l | armel) echo armv6 ;;
        mipsel | mipsel_24kc) echo mipsel ;;
        *)
            echo "$self: --arch $1: no such machine; there are x86_64, aarch64, armv7, armv6 and mipsel" >&2
            exit 2
            ;;
    esac
}

# Debian's name for a machine.
debian_name() {
    case $1 in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        armv7) echo armhf ;;
    esac
}

# Reads the command line into `wanted`, `machines` and, where there is such an option, `into`.
choose() {
    local every=false option value
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
            all | --all) wanted=("${kinds[@]}") every=true ;;
            --arch)
                if [ "$value" = all ]; then
                    every=true
                else
                    value=$(machine_called "$value")
                    machines+=("$value")
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
                [[ " ${kinds[*]} " == *" $option "* ]] || {
                    echo "$self: $option: no such kind of package" >&2
                    usage
                }
                wanted+=("$option")
                ;;
        esac
    done
    [ ${#wanted[@]} -gt 0 ] || wanted=(deb)
    if [ ${#machines[@]} = 0 ] && [ $every = false ]; then
        machines=("$(machine_called "$(uname -m)")")
    fi
}

# Leaves in `chosen` those of the machines asked for that this kind is made for, by its `made_for`.
choose_machines() { # KIND
    local machine
    chosen=()
    for machine in "${made_for[@]}"; do
        if [ ${#machines[@]} = 0 ] || [[ " ${machines[*]} " == *" $machine "* ]]; then
            chosen+=("$machine")
        fi
    done
    if [ ${#chosen[@]} = 0 ] && [ ${#wanted[@]} = 1 ]; then
        echo "$self: $1: is made for ${made_for[*]}, not for ${machines[*]}" >&2
        exit 1
    fi
}
