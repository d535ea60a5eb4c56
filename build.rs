//! What is made before the program is compiled: the page's files in compressed form, for
//! src/web/assets.rs, and what the linker leaves out.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Leaves out the tables that say how to unwind the stack of each function: a tenth of the binary.
/// A panic aborts, so nothing unwinds, and without debug information a backtrace is a list of
/// unknown places in any case. The compiler cannot do it: the standard library comes with its
/// tables, and tests and build scripts need theirs. GNU ld and lld read this (GNU ld's manual,
/// "Other Linker Script Commands", INSERT); mold does not.
const WITHOUT_UNWIND_TABLES: &str = "\
SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .text;
";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=static");
    let out = PathBuf::from(variable("OUT_DIR"));
    compress(Path::new("static"), &out.join("static"))?;
    // Whoever asks for debug information wants to see stacks. Only glibc's start files have been
    // tried without tables.
    if variable("DEBUG") == "false" && variable("CARGO_CFG_TARGET_OS") == "linux" {
        let script = out.join("without-unwind-tables.ld");
        fs::write(&script, WITHOUT_UNWIND_TABLES)?;
        println!("cargo:rustc-link-arg-bins=-T{}", script.display());
        // Nor a table of the tables.
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
    Ok(())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Writes every file of a folder as a gzip file, with the folders in it as they are. The same bytes
/// become the same file: neither name nor time are in it.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            compress(&entry.path(), &target)?;
        } else {
            let mut packed = GzEncoder::new(File::create(target)?, Compression::best());
            packed.write_all(&fs::read(entry.path())?)?;
            packed.finish()?;
        }
    }
    Ok(())
}
