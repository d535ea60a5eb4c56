#!/usr/bin/env python3
"""Prints the licences of everything that is compiled into the binary for a target: packaging/lib/third_party_notices.py TARGET

MIT, BSD and Apache licences require that their text accompanies every copy of a program. cargo lists the crates; their
licence texts are in their source folders."""

import json
import pathlib
import subprocess
import sys

# What is in the binary and is not a crate.
OTHER_WORKS = """\
SQLite (inside libsqlite3-sys): in the public domain, https://sqlite.org/copyright.html
The Rust standard library: MIT or Apache-2.0, https://github.com/rust-lang/rust
musl, in the static binaries only: MIT, copyright 2005-2020 Rich Felker, et al.
"""

TEXTS = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "UNLICENSE*", "license*")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: packaging/lib/third_party_notices.py TARGET, for example x86_64-unknown-linux-musl")
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", sys.argv[1]]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    used = linked(metadata["resolve"]["nodes"], root, packages)

    print("The program contains these third-party works.\n")
    print(OTHER_WORKS)
    texts: dict[str, list[str]] = {}
    for package in sorted((packages[one] for one in used), key=lambda package: package["name"]):
        name = f"{package['name']} {package['version']}"
        print(f"{name}: {package['license'] or 'see its text below'}, {package['repository'] or 'no repository named'}")
        for text in texts_of(pathlib.Path(package["manifest_path"]).parent):
            texts.setdefault(text, []).append(name)
    for text, names in sorted(texts.items(), key=lambda entry: entry[1]):
        print("\n" + "-" * 80 + "\n" + ", ".join(names) + "\n\n" + text)


def linked(nodes: list, root: str, packages: dict) -> set:
    """The crates whose code is in the binary: no build and test dependencies, no procedural macros."""
    depends = {
        node["id"]: [one["pkg"] for one in node["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
        for node in nodes
    }
    found: set = set()
    waiting = [root]
    while waiting:
        for one in depends[waiting.pop()]:
            is_macro = any("proc-macro" in target["kind"] for target in packages[one]["targets"])
            if one not in found and not is_macro:
                found.add(one)
                waiting.append(one)
    return found


def texts_of(folder: pathlib.Path) -> list:
    files = {file for pattern in TEXTS for file in folder.glob(pattern) if file.is_file()}
    return [file.read_text(encoding="utf-8", errors="replace").strip() for file in sorted(files)]


if __name__ == "__main__":
    main()
