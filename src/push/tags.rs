//! What names a host in an engine.

use crate::pure::address::{IpVersion, Source};

/// Names and values.
pub type Tags = Vec<(&'static str, String)>;

/// A source is a tag where the host has one: hosts may differ in it alone.
pub fn tags_of(
    name: &str,
    address: &str,
    family: Option<IpVersion>,
    source: Option<&Source>,
) -> Tags {
    let family = family.map_or("any".to_owned(), |version| version.number().to_string());
    let mut tags = vec![
        ("host", name.to_owned()),
        ("address", address.to_owned()),
        ("family", family),
    ];
    tags.extend(source.map(|source| ("source", source.to_string())));
    tags
}
