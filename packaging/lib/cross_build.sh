# shellcheck shell=bash
# Sourced, from the root of the checkout, after packaging/lib/tools.sh: compiles the program for any architecture, with
# Debian 12's Rust compiler and zig.
#
# Debian's compiler comes with the source of the standard library, which is compiled together with the program, so no target
# has to be downloaded. zig is the C compiler, the linker and the C library for every target; cargo-zigbuild connects both.
# Builds are reproducible, whatever the path of the checkout.

# The oldest glibc that the packages run with: Debian 10, RHEL 8 and Ubuntu 18.10 have it.
# shellcheck disable=SC2034 # for the scripts that source this
glibc=2.28

zigbuild_version=0.24.1
zig_version=0.17.1

# The static target for an architecture of packaging/lib/arguments.sh.
musl_target() { # ARCH
    case $1 in
        x86_64 | aarch64) echo "$1-unknown-linux-musl" ;;
        armv7) echo armv7-unknown-linux-musleabihf ;;
        # The Raspberry Pi 1 and Zero.
        armv6) echo arm-unknown-linux-musleabihf ;;
        # For the 24Kc and similar, without a floating point unit.
        mipsel) echo mipsel-unknown-linux-musl ;;
        *)
            echo "$0: $1: no static target is known for this architecture" >&2
            return 1
            ;;
    esac
}

# The name of a target without the version of glibc that cargo-zigbuild lets follow it.
rust_target() { # TRIPLE
    echo "${1%".$glibc"}"
}

# Debian's packages from apt; zig and cargo-zigbuild from pip, into a virtual environment.
install_toolchain() {
    local tools=$PWD/target/packages/tools
    need cc:gcc /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web /usr/lib/rustlib/src/rust/library:rust-web-src \
        /usr/share/doc/libstd-rust-web-dev:libstd-rust-web-dev /usr/share/doc/python3-venv:python3-venv
    if [ "$(cat "$tools/versions" 2>/dev/null)" != "$zigbuild_version $zig_version" ]; then
        echo "== installing cargo-zigbuild and zig into $tools"
        rm -rf "$tools"
        python3 -m venv "$tools"
        "$tools/bin/pip" install -q --disable-pip-version-check "cargo-zigbuild==$zigbuild_version" "ziglang==$zig_version"
        echo "$zigbuild_version $zig_version" >"$tools/versions"
    fi
    zig_tools=$tools/bin
}

# Runs a command of cargo-zigbuild for a target, whose files come below CARGO_TARGET_DIR. `flags` has options of rustc.
zigbuild() { # TRIPLE COMMAND [CARGO_OPTION...]
    local triple=$1 all=("${flags[@]}") times=()
    case $triple in
        # 64-bit times, as zig's C library has them: with 32 bits the standard library panics from 2038-01-19 on. The second
        # makes it choose the socket options that take such times.
        arm*-linux-musl* | mipsel-*) times=(RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 RUST_LIBC_UNSTABLE_LINUX_TIME_BITS64=1) ;;&
        # Start files and C library are zig's, not those of rustup's targets.
        *-linux-musl*) all+=(-C link-self-contained=no -C target-feature=+crt-static) ;;&
        # A position-independent program for MIPS crashes at its first wait for a signal, seen under qemu.
        mipsel-*) ;;
        # Position-independent, for address space randomisation. zig's default is a fixed address, 45 kB smaller.
        *-linux-musl*) all+=(-C link-arg=-pie) ;;
    esac
    # RUSTC_BOOTSTRAP makes the stable compiler accept -Z options, which -Zbuild-std is. PATH, since rustup's cargo does not
    # fit this compiler.
    (
        IFS=$'\x1f'
        export CARGO_ENCODED_RUSTFLAGS="${all[*]}"
        IFS=' '
        env "${times[@]}" RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo RUSTC_BOOTSTRAP=1 \
            PATH="$zig_tools:/usr/bin:$PATH" cargo-zigbuild "$2" --locked --target "$triple" "${@:3}"
    ) >&2
}

# Sets `binary` to the path of the compiled program. A glibc triple may end with the oldest version to run with, as
# x86_64-unknown-linux-gnu.2.28.
cross_build() { # TRIPLE [CARGO_OPTION...]
    # -Xclang, since zig turns -Oz into -Os: SQLite is 70 kB smaller with it.
    local triple=$1 target flags=() c_flags=(-Xclang -Oz) from
    shift
    target=$(rust_target "$triple")
    install_toolchain
    # Paths of this machine, which would otherwise be in the program.
    for from in "$PWD=." "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust=/rust" \
        "$(realpath /usr/lib/rustlib/src/rust)=/rust"; do
        flags+=("--remap-path-prefix=$from")
        c_flags+=("-ffile-prefix-map=$from")
    done
    local strip=symbols
    case $triple in
        # A panic, which is a bug and aborts the program in any case, prints nothing: its messages and locations are 100 kB.
        *-linux-*) flags+=(-Z location-detail=none -Z unstable-options -C panic=immediate-abort) ;;
        # Debian's compiler lacks the tool that strips Mach-O files.
        *-apple-*) strip=none ;;
    esac
    local built=${CARGO_TARGET_DIR:-$PWD/target/packages/build}
    CFLAGS="${c_flags[*]}" CARGO_TARGET_DIR="$built" CARGO_PROFILE_RELEASE_STRIP="$strip" \
        zigbuild "$triple" zigbuild --quiet --release \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size --bin ace-connection-logger "$@"
    # shellcheck disable=SC2034 # for the caller
    binary=$built/$target/release/ace-connection-logger
}
