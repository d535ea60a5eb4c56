//! How a key of the configuration is declared: its name, what its value may be and its default.
//!
//! Every key is declared once, as a constant in the file of its section, and listed in the
//! [`SectionKeys`] there. From the declaration follow how its value is read, the range and the
//! default in a message, the list of known keys, and the hints for misspelt ones.

pub(super) struct Key<Kind, Default> {
    pub name: &'static str,
    /// What the value may be: one of the types of kind.rs.
    pub kind: Kind,
    /// Used when the key is absent or its value wrong.
    pub default: Default,
}

/// The default of a key without a default value: what a message says happens instead.
pub(super) struct Without(pub &'static str);

/// A section of the file and the names of its keys.
pub(super) struct SectionKeys {
    /// As a message names the section; `hosts[]` for the section of a host.
    pub path: &'static str,
    pub keys: &'static [&'static str],
}

impl SectionKeys {
    /// The section's own key in the file.
    pub fn name(&self) -> &'static str {
        self.path.trim_end_matches("[]")
    }
}

pub(super) const fn concat<const LEN: usize>(
    first: &[&'static str],
    second: &[&'static str],
) -> [&'static str; LEN] {
    let mut all = [""; LEN];
    let mut index = 0;
    while index < LEN {
        all[index] = if index < first.len() {
            first[index]
        } else {
            second[index - first.len()]
        };
        index += 1;
    }
    all
}
