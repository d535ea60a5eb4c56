//! The head of an HTTP request, and what is asked for in it: the answer is read to its end.

use std::sync::OnceLock;

use super::readers::{answer, configuration};
use super::sample::{self, Folder};
use crate::api::{Api, ApiConfig};
use crate::web::fuzzing::parse_head;

/// The API over the sample, which stays unchanged.
fn api() -> &'static Api {
    static API: OnceLock<(Api, Folder)> = OnceLock::new();
    let (api, _) = API.get_or_init(|| {
        let folder = Folder::new();
        let path = folder.file("sample.db");
        std::fs::write(&path, &*sample::bytes()).expect("it is written");
        let api = Api::new(ApiConfig::of(&configuration(&path)), || ());
        (api, folder)
    });
    api
}

pub fn run(data: &[u8]) {
    // As bytes arrive: a head that is parsed before its end stays so.
    for part in [data.len() / 2, data.len()] {
        let Some(request) = parse_head(&data[..part]) else {
            continue;
        };
        let (status, _) = answer(api(), &request);
        assert!(matches!(status, 200 | 400 | 404 | 503), "{status}");
    }
}
