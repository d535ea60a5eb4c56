#!/usr/bin/env python3
"""Makes a package for OpenWrt 25.12 and newer, which install by apk 3:

    packaging/lib/make_apk.py OUT.apk ROOT [--script TYPE=FILE]... KEY=VALUE...

ROOT is the folder whose content is installed, owned by root. TYPE is a script's name in apk-mkpkg(8), such as post-install.
KEY is a field of the package: name, version, arch, description, license, url, maintainer, origin; depends is a list separated
by spaces. Every time stamp is SOURCE_DATE_EPOCH, and the output is reproducible.

Debian has no apk 3, so this writes the format itself: apk-v3(5) describes values and blocks, apk-package(5) and the schemas
of apk-tools 3.0 the content of a package. apk 3.0.6 has read, verified and installed what this writes. The package is not
signed: a repository is signed as a whole, and a single file is installed with --allow-untrusted."""

import hashlib
import os
import pathlib
import stat
import struct
import sys
import zlib

# Types of a value, in its highest four bits; the other bits are the value itself or its offset in the block.
INT, INT_32, BLOB_8, BLOB_16, BLOB_32, ARRAY, OBJECT = 0x1, 0x2, 0x8, 0x9, 0xA, 0xD, 0xE
# Types of a block, in its highest two bits.
ADB_BLOCK, DATA_BLOCK = 0, 2
# The schema of the file.
PACKAGE = b"pckg"
# Slots of the objects, from 1.
INFO = ("name", "version", "hashes", "description", "arch", "license", "origin", "maintainer", "url", "repo-commit",
        "build-time", "installed-size", "file-size", "provider-priority", "depends")
SCRIPTS = ("trigger", "pre-install", "post-install", "pre-deinstall", "post-deinstall", "pre-upgrade", "post-upgrade")
UNIQUE_ID_LEN = 20


class Values:
    """The block of values. A value precedes its references, and equal values are written once."""

    def __init__(self) -> None:
        # The format's version, and four bytes for the reference to the root object.
        self.bytes = bytearray(8)
        self.written: dict = {}

    def _put(self, kind: int, content: bytes, align: int) -> int:
        key = (content, align)
        if key not in self.written:
            self.bytes += b"\0" * (-len(self.bytes) % align)
            self.written[key] = len(self.bytes)
            self.bytes += content
        return kind << 28 | self.written[key]

    def number(self, value: int) -> int:
        if value < 1 << 28:
            return INT << 28 | value
        return self._put(INT_32, struct.pack("<I", value), 4)

    def blob(self, content: bytes) -> int:
        for kind, width, code in ((BLOB_8, 1, "<B"), (BLOB_16, 2, "<H"), (BLOB_32, 4, "<I")):
            if not content:
                return 0
            if len(content) < 1 << 8 * width:
                return self._put(kind, struct.pack(code, len(content)) + content, width)
        raise ValueError("a value is longer than 4 GB")

    def slots(self, kind: int, values: list) -> int:
        while values and values[-1] == 0:
            values = values[:-1]
        if not values:
            return 0
        return self._put(kind, struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4)


def block(kind: int, content: bytes) -> bytes:
    return struct.pack("<I", kind << 30 | 4 + len(content)) + content + b"\0" * (-(4 + len(content)) % 8)


def make(root: pathlib.Path, info: dict, scripts: dict, epoch: int) -> bytes:
    values = Values()

    def access(path: pathlib.Path) -> int:
        mode = stat.S_IMODE(path.lstat().st_mode)
        return values.slots(OBJECT, [values.number(mode), values.blob(b"root"), values.blob(b"root")])

    folders, contents, installed = [], [], 0
    # The first entry is ROOT itself, without a name.
    for folder in sorted([root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())],
                         key=lambda path: os.fsencode(path.relative_to(root)) if path != root else b""):
        files = []
        for path in sorted((one for one in folder.iterdir() if one.is_symlink() or not one.is_dir()), key=lambda one: os.fsencode(one.name)):
            name, time = values.blob(os.fsencode(path.name)), values.number(epoch)
            if path.is_symlink():
                target = struct.pack("<H", stat.S_IFLNK) + os.fsencode(os.readlink(path))
                files.append(values.slots(OBJECT, [name, access(path), 0, time, 0, values.blob(target)]))
                continue
            if not path.is_file():
                sys.exit(f"packaging/lib/make_apk.py: {path}: neither a file nor a link")
            content = path.read_bytes()
            installed += len(content)
            digest = values.blob(hashlib.sha256(content).digest())
            files.append(values.slots(OBJECT, [name, access(path), values.number(len(content)), time, digest]))
            if content:
                contents.append(block(DATA_BLOCK, struct.pack("<II", len(folders) + 1, len(files)) + content))
        name = b"" if folder == root else os.fsencode(folder.relative_to(root))
        folders.append(values.slots(OBJECT, [values.blob(name), access(folder), values.slots(ARRAY, files)]))

    depends = [values.slots(OBJECT, [values.blob(name.encode())]) for name in sorted(info.pop("depends", "").split())]
    slots = [values.blob(info.get(name, "").encode()) for name in INFO]
    # The first 160 bits of this block's hash, which is computed with zeros in their place.
    unique_id = values.blob(bytes(UNIQUE_ID_LEN))
    slots[INFO.index("hashes")] = unique_id
    slots[INFO.index("build-time")] = values.number(epoch)
    slots[INFO.index("installed-size")] = values.number(max(installed, 1))
    slots[INFO.index("depends")] = values.slots(ARRAY, depends)
    package = [
        values.slots(OBJECT, slots),
        values.slots(ARRAY, folders),
        values.slots(OBJECT, [values.blob(scripts.get(name, b"")) for name in SCRIPTS]),
    ]
    struct.pack_into("<I", values.bytes, 4, values.slots(OBJECT, package))
    # A blob begins with its length, one byte.
    at = (unique_id & 0x0FFF_FFFF) + 1
    values.bytes[at:at + UNIQUE_ID_LEN] = hashlib.sha256(values.bytes).digest()[:UNIQUE_ID_LEN]

    plain = b"ADB." + PACKAGE + block(ADB_BLOCK, bytes(values.bytes)) + b"".join(contents)
    packer = zlib.compressobj(level=9, wbits=-15)
    return b"ADBd" + packer.compress(plain) + packer.flush()


def main() -> None:
    usage = "usage: packaging/lib/make_apk.py OUT.apk ROOT [--script TYPE=FILE]... KEY=VALUE..."
    arguments = sys.argv[1:]
    if len(arguments) < 2:
        sys.exit(usage)
    out, root, info, scripts = pathlib.Path(arguments[0]), pathlib.Path(arguments[1]), {}, {}
    is_script = False
    for argument in arguments[2:]:
        key, found, value = argument.partition("=")
        if argument == "--script":
            is_script = True
            continue
        if not found or key not in (SCRIPTS if is_script else INFO):
            sys.exit(f"packaging/lib/make_apk.py: {argument}: no such {'script' if is_script else 'field'}\n{usage}")
        if is_script:
            scripts[key] = pathlib.Path(value).read_bytes()
        else:
            info[key] = value
        is_script = False
    if not root.is_dir():
        sys.exit(f"packaging/lib/make_apk.py: {root}: is not a folder")
    if "name" not in info or "version" not in info:
        sys.exit(f"packaging/lib/make_apk.py: name and version must be given\n{usage}")
    if "SOURCE_DATE_EPOCH" not in os.environ:
        sys.exit("packaging/lib/make_apk.py: SOURCE_DATE_EPOCH: must be set, to seconds since 1970 for the time stamps of the files")
    out.write_bytes(make(root, info, scripts, int(os.environ["SOURCE_DATE_EPOCH"])))


if __name__ == "__main__":
    main()
