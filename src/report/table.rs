//! The parts that the text and the page are laid out from: sections with sentences and a table.

#[derive(Debug, Default)]
pub(super) struct Section {
    pub title: &'static str,
    /// Before the table.
    pub sentences: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub follows: Option<Follows>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub title: &'static str,
    /// In text, which has 80 columns, its cells are written below the row.
    pub is_wide_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub cells: Vec<String>,
    /// Written below the cells.
    pub details: Vec<String>,
}

impl Row {
    pub fn of<const N: usize>(cells: [String; N]) -> Row {
        Row {
            cells: cells.into(),
            details: Vec::new(),
        }
    }
}

/// What follows the table of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// One strip per host, only in HTML.
    Strips,
    /// One chart per host, only in HTML.
    Charts,
    /// The rows of the raw pings. They are written later, so the table is not closed.
    RawPings,
}

/// A `*` at the end of a title marks a column that is wide only.
pub(super) fn columns(titles: &[&'static str]) -> Vec<Column> {
    let column = |title: &&'static str| Column {
        title: title.trim_end_matches('*'),
        is_wide_only: title.ends_with('*'),
    };
    titles.iter().map(column).collect()
}
