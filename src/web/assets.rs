//! The files of the page, embedded in the program: one table, so that no path of a request ever
//! reaches a file system. `build.rs` makes it from static/. Only the gzip files are in it: nearly
//! every client accepts them.

use std::sync::OnceLock;

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below the base path.
    path: &'static str,
    pub(super) content_type: &'static str,
    /// As a gzip file, RFC 1952.
    pub(super) packed: &'static [u8],
    /// Computed for the first request.
    etag: OnceLock<String>,
}

// Defines `TABLE`.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const fn asset(path: &'static str, content_type: &'static str, packed: &'static [u8]) -> Asset {
    Asset {
        path,
        content_type,
        packed,
        etag: OnceLock::new(),
    }
}

/// The file at a path; `/` is the page itself.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/" { "/index.html" } else { path };
    TABLE.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// A tag that changes with the content, without quotes.
    pub(super) fn etag(&self) -> &str {
        self.etag
            .get_or_init(|| format!("{:016x}", fnv1a(self.packed)))
    }
}

/// FNV-1a, 64 bits: enough to distinguish one version of a file from the next. Constants from
/// draft-eastlake-fnv, section 5.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::gzip::Compressor;
    use std::path::Path;

    fn collect(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                collect(&entry, found);
            } else {
                found.push(entry.to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_in_the_table_with_its_type_and_content() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        let compressor = Compressor::new();
        let mut found = Vec::new();
        collect(Path::new(folder), &mut found);
        for file in &found {
            let asset =
                find(&file[folder.len()..]).unwrap_or_else(|| panic!("{file} is not in the table"));
            let content_type = match file.rsplit('.').next() {
                Some("html") => "text/html; charset=utf-8",
                Some("css") => "text/css; charset=utf-8",
                Some("js") => "text/javascript; charset=utf-8",
                Some("svg") => "image/svg+xml",
                _ => panic!("{file} has no type"),
            };
            assert_eq!(asset.content_type, content_type, "{file}");
            // The build fills in index.html and removes comments.
            let served = match file.rsplit('.').next() {
                Some("html" | "js" | "css") => {
                    concat!(env!("OUT_DIR"), "/static").to_owned() + asset.path
                }
                _ => file.clone(),
            };
            assert_eq!(
                compressor.decompress(asset.packed),
                std::fs::read(served).expect("the file"),
                "{file}"
            );
        }
        assert_eq!(found.len(), TABLE.len());
    }

    #[test]
    fn the_tag_changes_with_the_bytes() {
        // Test vectors of the draft, appendix C.
        assert_eq!(
            (fnv1a(b""), fnv1a(b"foobar")),
            (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8)
        );
        assert_ne!(
            find("/").expect("the page").etag(),
            find("/style.css").expect("the style").etag()
        );
    }
}
