# shellcheck shell=bash
# Sourced by the kinds ipk and apk: what OpenWrt's packages have in common. They install the files that
# packaging/openwrt/Makefile installs, and the licences.

# OpenWrt's architectures that a binary runs on. It uses the floating point unit, so not the ARMv7 ones without
# (arm_cortex-a7, arm_cortex-a9).
openwrt_archs() { # ARCH
    case $1 in
        x86_64) echo x86_64 ;;
        aarch64) echo aarch64_generic aarch64_cortex-a53 aarch64_cortex-a72 aarch64_cortex-a76 ;;
        armv7) echo arm_cortex-a5_vfpv4 arm_cortex-a7_neon-vfpv4 arm_cortex-a7_vfpv4 arm_cortex-a8_vfpv3 arm_cortex-a9_neon arm_cortex-a9_vfpv3-d16 arm_cortex-a15_neon-vfpv4 ;;
        armv6) echo arm_arm1176jzf-s_vfp ;;
        mipsel) echo mipsel_24kc mipsel_74kc ;;
    esac
}

openwrt_version=$version-r1
openwrt_description='Connection logger: pings hosts, keeps every result, and reports what was down, since when and why'

# FOLDER is emptied first. No manual pages, since OpenWrt has no man.
stage_openwrt() { # FOLDER BINARY TRIPLE
    rm -rf "$1"
    install -D -m 0755 "$2" "$1/usr/bin/$name"
    install -D -m 0755 packaging/openwrt/$name.init "$1/etc/init.d/$name"
    install -D -m 0644 packaging/openwrt/$name.capabilities.json "$1/etc/capabilities/$name.json"
    stage_configuration "$1" flash
    stage_notices "$1/usr/share/licenses/$name" "$3"
    install -m 0644 LICENSE "$1/usr/share/licenses/$name/"
    find "$1" -type d -exec chmod 0755 {} +
}

# Prints a script that calls FUNCTION of OpenWrt: default_postinst creates the user, enables and starts the service;
# default_prerm stops it.
maintainer_script() { # FUNCTION [VARIABLE=VALUE]
    cat <<EOF
#!/bin/sh
[ "\${IPKG_NO_SCRIPT}" = 1 ] && exit 0
[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
export root="\${IPKG_INSTROOT}" pkgname=$name${2:+ $2}
EOF
    # default_postinst reads the user from opkg's control file; an apk package has to create it itself.
    [ "$1" != default_postinst ] || echo '[ -f "$root/usr/lib/opkg/info/$pkgname.control" ] || add_group_and_user'
    echo "$1 \"\$0\" \"\$@\""
}
