# shellcheck shell=bash
# Sourced by packaging/try: clean root file systems, and the checks that several kinds of package share.

# Sets `root` to a new minimal Debian with systemd, which the packages depend on.
clean_root() { # NAME
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

# Installs the C library of another Debian architecture in the root.
install_libc() { # DEBIAN_ARCH
    [ "$1" != "$(dpkg --print-architecture)" ] || return 0
    chroot "$root" dpkg --add-architecture "$1"
    chroot "$root" apt-get update -q >/dev/null
    chroot "$root" apt-get install -qy --no-install-recommends "libc6:$1" >/dev/null 2>&1
}

# Prints the path of a package, which must exist.
existing_package() { # FOLDER NAME
    [ -e "$1/$2" ] || fail "$1/$2 does not exist"
    echo "$1/$2"
}

try_program() { # PROGRAM VERSION [USER [DATA]]
    packaging/lib/try_program.sh "$root" "$@"
}

# An administrator's change, by which later steps recognise the configuration.
edit_configuration() {
    echo '# edited here' >>"$root/etc/$name/config.yaml"
}
expect_kept() { # WHEN
    tail -n 1 "$root/etc/$name/config.yaml" 2>/dev/null | grep -q '^# edited here$' || fail "$1: the edited configuration was replaced"
    [ "$(sqlite3 "$root/var/lib/$name/connection_logs.db" 'select count(*) >= 3 from ping_results')" = 1 ] || fail "$1: the recorded checks are gone"
    echo "$1: configuration and data are unchanged"
}
expect_mode() { # PATH MODE OWNER GROUP
    local found
    found=$(chroot "$root" stat -c '%a %U %G' "$1") || fail "$1 does not exist"
    [ "$found" = "$2 $3 $4" ] || fail "$1 is $found, not $2 $3 $4"
}
# No file and no user of the package is left in the root.
expect_nothing() { # WHEN
    local left
    left=$(find "$root" -xdev -path "$root/proc" -prune -o -name "*$name*" ! -path "*/var/log/*" ! -path "*/var/lib/dpkg/*" ! -path "*/var/lib/rpm/*" ! -path "*/srv/*.deb" -print)
    [ -z "$left" ] || fail "$1: still there: $left"
    ! grep -q "^$name:" "$root/etc/passwd" "$root/etc/group" || fail "$1: its user is still there"
    echo "$1: nothing is left"
}

# Runs an OpenWrt package's scripts with stubs of OpenWrt's functions, which record their calls.
try_openwrt_scripts() { # POSTINST PRERM
    local stubs=$root/stubs script
    mkdir -p "$stubs/lib"
    cat >"$stubs/lib/functions.sh" <<'EOF'
for function in add_group_and_user default_postinst default_prerm; do
    eval "$function() { echo \"$function \$pkgname \${PKG_UPGRADE:-0}\" >>\"\$IPKG_INSTROOT/called\"; }"
done
EOF
    for script; do
        IPKG_INSTROOT=$stubs sh "$script"
    done
    printf '%s\n' "add_group_and_user $name 0" "default_postinst $name 0" "default_prerm $name 0" | cmp - "$stubs/called" ||
        fail "the scripts call: $(cat "$stubs/called")"
    rm -r "$stubs"
}

expect_openwrt_files() {
    local found
    found=$(cd "$root" && find etc/init.d etc/$name etc/capabilities usr ! -type d -printf '%m /%p\n' | sort -k 2)
    [ "$found" = "$(printf '%s\n' "644 /etc/capabilities/$name.json" "640 /etc/$name/config.yaml" "755 /etc/init.d/$name" \
        "755 /usr/bin/$name" "644 /usr/share/licenses/$name/LICENSE" "644 /usr/share/licenses/$name/third-party-notices.gz" | sort -k 2)" ] ||
        fail "the package installs: $found"
    grep -q '^  flush_seconds: 300$' "$root/etc/$name/config.yaml" || fail "its configuration is not the one for flash"
}
