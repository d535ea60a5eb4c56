# shellcheck shell=bash
# Sourced, from the root of the checkout, after packaging/lib/tools.sh: compiles the program for any machine, with tools of Debian 12
# and zig.
#
# The compiler is Debian's, since it brings the source of the standard library, which is compiled along with the program:
# so a target needs nothing that would have to be downloaded for it. zig is the C compiler, the linker and the C library of
# every target. cargo-zigbuild puts both together. The same commit gives the same bytes, wherever the checkout lies.

# What the packages for glibc are linked with; newer ones do as well. Debian 10, RHEL 8 and Ubuntu 18.10 have it.
# shellcheck disable=SC2034 # for those who source this
glibc=2.28

zigbuild_version=0.24.1
zig_version=0.17.1

# The static target of a machine, by the names of packaging/lib/arguments.sh.
musl_target() {
    case $1 in
        x86_64 | aarch64) echo "$1-unknown-linux-musl" ;;
        armv7) echo armv7-unknown-linux-musleabihf ;;
        # The Raspberry Pi 1 and Zero.
        armv6) echo arm-unknown-linux-musleabihf ;;
        # 24Kc and its kin: no floating point unit, which the target knows.
        mipsel) echo mipsel-unknown-linux-musl ;;
        *)
            echo "$0: $1: no static target is known for this machine" >&2
            return 1
            ;;
    esac
}

# Installs what is missing: Debian's packages, and zig with cargo-zigbuild into a folder of their own.
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

# cross_build TRIPLE [CARGO OPTION...] - leaves the path of the program in $binary. A triple of glibc may name the oldest
# version that is to do: x86_64-unknown-linux-gnu.2.28.
cross_build() {
    # By -Xclang, since zig takes -Oz for -Os: SQLite is 70 kB smaller by it.
    local triple=$1 target flags=() c_flags=(-Xclang -Oz) from
    shift
    # As cargo and its folder know it.
    target=${triple/gnu.*/gnu}
    target=${target/gnueabihf.*/gnueabihf}
    install_toolchain
    # What would tell where this was compiled.
    for from in "$PWD=." "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust=/rust" \
        "$(realpath /usr/lib/rustlib/src/rust)=/rust"; do
        flags+=("--remap-path-prefix=$from")
        c_flags+=("-ffile-prefix-map=$from")
    done
    local strip=symbols
    case $triple in
        # A panic, which is a bug and ends the program anyway, ends it without a word: its texts and places are 100 kB.
        *-linux-*) flags+=(-Z location-detail=none -Z unstable-options -C panic=immediate-abort) ;;&
        # The start files and the C library are zig's, not those that rustup's targets come with.
        *-linux-musl*) flags+=(-C link-self-contained=no -C target-feature=+crt-static) ;;&
        # A program of MIPS that may lie anywhere crashes at its first wait for a signal, seen under qemu.
        mipsel-*) ;;
        # Where it lies in memory differs from start to start, as with any other program of a distribution: zig would fix it,
        # and save 45 kB.
        *-linux-musl*) flags+=(-C link-arg=-pie) ;;
        # Debian's compiler comes without the tool that strips for it.
        *-apple-*) strip=none ;;
    esac
    local built=${CARGO_TARGET_DIR:-$PWD/target/packages/build}
    # Building the standard library is an option that the stable compiler hides. A cargo that rustup has put in front in PATH
    # does not fit this compiler.
    (
        IFS=$'\x1f'
        export CARGO_ENCODED_RUSTFLAGS="${flags[*]}"
        IFS=' '
        export CFLAGS="${c_flags[*]}"
        env CARGO_TARGET_DIR="$built" RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo RUSTC_BOOTSTRAP=1 \
            CARGO_PROFILE_RELEASE_STRIP="$strip" PATH="$zig_tools:/usr/bin:$PATH" \
            cargo-zigbuild zigbuild --quiet --release --locked --target "$triple" \
            -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size --bin ace-connection-logger "$@"
    ) >&2
    # shellcheck disable=SC2034 # for the caller
    binary=$built/$target/release/ace-connection-logger
}
