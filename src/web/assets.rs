//! The files of the page, embedded in the program: one table, so that no path of a request ever
//! reaches a file system. They are in it as gzip files only, which build.rs makes of static/:
//! nearly every client takes them like that.

use std::sync::OnceLock;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below the base path.
    path: &'static str,
    pub(super) content_type: &'static str,
    /// As a gzip file, RFC 1952.
    pub(super) packed: &'static [u8],
    /// Made when it is first asked for.
    etag: OnceLock<String>,
}

/// An entry of the table: the file below static/, and its type.
macro_rules! asset {
    ($path:literal, $content_type:expr) => {
        Asset {
            path: concat!("/", $path),
            content_type: $content_type,
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/static/", $path)),
            etag: OnceLock::new(),
        }
    };
}

static TABLE: [Asset; 42] = [
    asset!("index.html", HTML),
    asset!("style.css", CSS),
    asset!("icon.svg", SVG),
    asset!("js/data/api.js", JAVASCRIPT),
    asset!("js/parts/banner.js", JAVASCRIPT),
    asset!("js/data/cause.js", JAVASCRIPT),
    asset!("js/charts/chart.js", JAVASCRIPT),
    asset!("js/parts/checks.js", JAVASCRIPT),
    asset!("js/pages/compare.js", JAVASCRIPT),
    asset!("js/parts/controls.js", JAVASCRIPT),
    asset!("js/charts/distribution.js", JAVASCRIPT),
    asset!("js/dom.js", JAVASCRIPT),
    asset!("js/early.js", JAVASCRIPT),
    asset!("js/first.js", JAVASCRIPT),
    asset!("js/parts/firstrun.js", JAVASCRIPT),
    asset!("js/data/format.js", JAVASCRIPT),
    asset!("js/data/week.js", JAVASCRIPT),
    asset!("js/charts/heatmap.js", JAVASCRIPT),
    asset!("js/charts/history.js", JAVASCRIPT),
    asset!("js/pages/host.js", JAVASCRIPT),
    asset!("js/data/hosts.js", JAVASCRIPT),
    asset!("js/parts/hosttable.js", JAVASCRIPT),
    asset!("js/charts/colours.js", JAVASCRIPT),
    asset!("js/data/live.js", JAVASCRIPT),
    asset!("js/main.js", JAVASCRIPT),
    asset!("js/parts/navigator.js", JAVASCRIPT),
    asset!("js/parts/outagedetails.js", JAVASCRIPT),
    asset!("js/parts/outagelist.js", JAVASCRIPT),
    asset!("js/pages/outages.js", JAVASCRIPT),
    asset!("js/pages/overview.js", JAVASCRIPT),
    asset!("js/charts/panes.js", JAVASCRIPT),
    asset!("js/parts/path.js", JAVASCRIPT),
    asset!("js/data/queries.js", JAVASCRIPT),
    asset!("js/data/scale.js", JAVASCRIPT),
    asset!("js/data/series.js", JAVASCRIPT),
    asset!("js/charts/overlay.js", JAVASCRIPT),
    asset!("js/charts/shapes.js", JAVASCRIPT),
    asset!("js/data/days.js", JAVASCRIPT),
    asset!("js/data/time.js", JAVASCRIPT),
    asset!("js/data/verdict.js", JAVASCRIPT),
    asset!("js/data/view.js", JAVASCRIPT),
    asset!("js/charts/zoom.js", JAVASCRIPT),
];

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

/// FNV-1a, 64 bits: it need only tell a file from its next version. Constants as in
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
        let press = Compressor::new();
        let mut found = Vec::new();
        collect(Path::new(folder), &mut found);
        for file in &found {
            let asset =
                find(&file[folder.len()..]).unwrap_or_else(|| panic!("{file} is not in the table"));
            let content_type = match file.rsplit('.').next() {
                Some("html") => HTML,
                Some("css") => CSS,
                Some("js") => JAVASCRIPT,
                Some("svg") => SVG,
                _ => panic!("{file} has no type"),
            };
            assert_eq!(asset.content_type, content_type, "{file}");
            assert_eq!(
                press.unpack(asset.packed),
                std::fs::read(file).expect("the file"),
                "{file}"
            );
        }
        assert_eq!(found.len(), TABLE.len());
    }

    #[test]
    fn the_tag_changes_with_the_bytes() {
        // The two vectors are those of the draft, appendix C.
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
