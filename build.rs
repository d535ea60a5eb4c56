//! What is made before the program is compiled: the page's files in compressed form, for src/web/assets.rs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=static");
    let out = PathBuf::from(variable("OUT_DIR"));
    compress(Path::new("static"), &out.join("static"))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Writes every file of a folder as a gzip file, with the folders in it as they are. The same bytes become the same file:
/// neither name nor time are in it.
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
