# shellcheck shell=bash
# Sourced, after packaging/lib/tools.sh, by scripts with a function `fail`: runs programs for other architectures.

# Makes the kernel run programs for another architecture with qemu-user, by binfmt_misc.
enable_qemu() { # ARCH
    local arch=$1 qemu magic mask
    [ "$arch" != "$(uname -m)" ] || return 0
    # The start of an ELF file, elf(5): class, byte order, type (executable or position-independent) and machine. Not
    # EI_OSABI and EI_ABIVERSION, which differ among programs for MIPS.
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    case $arch in
        x86_64) qemu=x86_64 magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00' ;;
        aarch64) qemu=aarch64 magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' ;;
        armv7 | armv6) qemu=arm magic='\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00' ;;
        mipsel) qemu=mipsel magic='\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x08\x00' ;;
    esac
    need "qemu-$qemu-static:qemu-user-static"
    local formats=/proc/sys/fs/binfmt_misc
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats || fail "$arch: the kernel has no binfmt_misc, so its programs cannot run here"
    if ! [ -e "$formats/qemu-$qemu" ]; then
        # F: the kernel opens the interpreter now, so that the root does not have to contain it.
        echo ":qemu-$qemu:M::\\x7fELF$magic:$mask:/usr/bin/qemu-$qemu-static:F" >$formats/register || fail "$arch: qemu-$qemu could not be registered"
    fi
}
