//! A file system without shared memory mappings, such as JFFS2, simulated by a library that is
//! preloaded into a program: mmap(2) fails with JFFS2's error.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip;

const MMAP_FAILS: &str = "#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
void *mmap(void *at, size_t length, int access, int flags, int file, off_t offset) {
    if (file >= 0 && (flags & MAP_SHARED) && (access & PROT_WRITE)) { errno = EINVAL; return MAP_FAILED; }
    return (void *)syscall(SYS_mmap, at, length, access, flags, file, offset);
}
void *mmap64(void *at, size_t length, int access, int flags, int file, off_t offset) {
    return mmap(at, length, access, flags, file, offset);
}
";

/// Compiles the library. `None`, with a message, where that is impossible.
pub fn library_without(test: &str, folder: &Path) -> Option<PathBuf> {
    let source = folder.join("mmap_fails.c");
    std::fs::write(&source, MMAP_FAILS).expect("a file");
    let library = folder.join("mmap_fails.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip(test, "cannot compile C");
        return None;
    }
    Some(library)
}
