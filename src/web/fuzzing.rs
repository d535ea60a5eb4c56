//! What the fuzz targets call: the parser of heads, which only a connection needs.

use super::Request;
use super::allowed_hosts::AllowedHosts;
use super::request::{ServedAt, parse};
use crate::config::Config;

/// The request of a head that arrived at loopback; `None` if it is incomplete or refused.
pub fn parse_head(bytes: &[u8]) -> Option<Request> {
    let allowed_hosts = AllowedHosts::new(&Config::default().dashboard, "log.example");
    let served_at = ServedAt {
        allowed_hosts: &allowed_hosts,
        local_address: Some([127, 0, 0, 1].into()),
        base_path: "",
    };
    let (len, head) = parse(bytes, &served_at)?;
    assert!(len <= bytes.len());
    head.request.ok()
}
