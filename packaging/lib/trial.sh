# shellcheck shell=bash
# Sourced by packaging/try: clean roots, and what is tried in each of them.

# Makes $root anew: a Debian as debootstrap makes it, with what the packages depend on, and nothing else.
clean_root() {
    root=$roots/$1
    rm -rf "$root"
    local suite base
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    base=$roots/$suite.tar
    if ! [ -e "$base" ]; then
        mkdir -p "$roots"
        debootstrap --variant=minbase --include=systemd "$suite" "$roots/$suite" >"$roots/debootstrap.log" 2>&1 ||
            { tail "$roots/debootstrap.log" >&2; fail "debootstrap"; }
        tar --create --file "$base.part" --directory "$roots/$suite" .
        mv "$base.part" "$base"
        rm -rf "${roots:?}/$suite"
    fi
    mkdir -p "$root"
    tar --extract --file "$base" --directory "$root"
}

# Gives the root the C library of another of Debian's architectures, for its programs.
give_libc() {
    [ "$1" != "$(dpkg --print-architecture)" ] || return 0
    chroot "$root" dpkg --add-architecture "$1"
    chroot "$root" apt-get update -q >/dev/null
    chroot "$root" apt-get install -qy --no-install-recommends "libc6:$1" >/dev/null 2>&1
}

# Lets the kernel start another machine's programs by qemu-user.
may_run() {
    local machine=$1 qemu magic mask
    [ "$machine" != "$(uname -m)" ] || return 0
    # The first bytes of an ELF file: class, byte order, type (program or position independent) and machine: elf(5). Not the
    # system and the version of its interface, which differ among programs of MIPS.
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    case $machine in
        x86_64) qemu=x86_64 magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00' ;;
        aarch64) qemu=aarch64 magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' ;;
        armv7 | armv6) qemu=arm magic='\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00' ;;
        mipsel) qemu=mipsel magic='\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x08\x00' ;;
    esac
    need "qemu-$qemu-static:qemu-user-static"
    local formats=/proc/sys/fs/binfmt_misc
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats || fail "$machine: the kernel has no binfmt_misc to run its programs with"
    if ! [ -e "$formats/qemu-$qemu" ]; then
        # F: the interpreter is opened now, so that it need not be in the root.
        echo ":qemu-$qemu:M::\\x7fELF$magic:$mask:/usr/bin/qemu-$qemu-static:F" >$formats/register || fail "$machine: qemu-$qemu could not be registered"
    fi
}

the_package() { # FOLDER NAME
    [ -e "$1/$2" ] || fail "$1/$2 is not there"
    echo "$1/$2"
}

try_program() { # PROGRAM VERSION [USER [DATA]]
    packaging/lib/try_program.sh "$root" "$@"
}

# What an administrator has written, and what was recorded.
edit_configuration() {
    echo '# edited here' >>"$root/etc/$name/config.yaml"
}
expect_kept() { # AFTER WHAT
    tail -n 1 "$root/etc/$name/config.yaml" 2>/dev/null | grep -q '^# edited here$' || fail "$1: the configuration is not as it was edited"
    [ "$(sqlite3 "$root/var/lib/$name/connection_logs.db" 'select count(*) >= 3 from ping_results')" = 1 ] || fail "$1: what was recorded is gone"
    echo "$1: configuration and data are as they were"
}
expect_mode() { # PATH MODE OWNER GROUP
    local found
    found=$(chroot "$root" stat -c '%a %U %G' "$1") || fail "$1 is not there"
    [ "$found" = "$2 $3 $4" ] || fail "$1 is $found, not $2 $3 $4"
}
# Nothing of the package is in the root.
expect_nothing() { # AFTER WHAT
    local left
    left=$(find "$root" -xdev -path "$root/proc" -prune -o -name "*$name*" ! -path "*/var/log/*" ! -path "*/var/lib/dpkg/*" ! -path "*/var/lib/rpm/*" ! -path "*/srv/*.deb" -print)
    [ -z "$left" ] || fail "$1: still there: $left"
    ! grep -q "^$name:" "$root/etc/passwd" "$root/etc/group" || fail "$1: its user is still there"
    echo "$1: nothing is left"
}

# Runs an OpenWrt package's scripts with a stand-in for OpenWrt's functions, which notes what is called.
try_openwrt_scripts() { # POSTINST PRERM
    local stand_in=$root/stand-in script
    mkdir -p "$stand_in/lib"
    cat >"$stand_in/lib/functions.sh" <<'END'
for function in add_group_and_user default_postinst default_prerm; do
    eval "$function() { echo \"$function \$pkgname \${PKG_UPGRADE:-0}\" >>\"\$IPKG_INSTROOT/called\"; }"
done
END
    for script; do
        IPKG_INSTROOT=$stand_in sh "$script"
    done
    printf '%s\n' "add_group_and_user $name 0" "default_postinst $name 0" "default_prerm $name 0" | cmp - "$stand_in/called" ||
        fail "the scripts call: $(cat "$stand_in/called")"
    rm -r "$stand_in"
}

# What an OpenWrt package lays down.
expect_openwrt_files() {
    local found
    found=$(cd "$root" && find etc/init.d etc/$name etc/capabilities usr ! -type d -printf '%m /%p\n' | sort -k 2)
    [ "$found" = "$(printf '%s\n' "644 /etc/capabilities/$name.json" "640 /etc/$name/config.yaml" "755 /etc/init.d/$name" \
        "755 /usr/bin/$name" "644 /usr/share/licenses/$name/LICENSE" "644 /usr/share/licenses/$name/third-party-notices.gz" | sort -k 2)" ] ||
        fail "it lays down: $found"
    grep -q '^  flush_seconds: 300$' "$root/etc/$name/config.yaml" || fail "its configuration is not the one for flash"
}
