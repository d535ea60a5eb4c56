//! YAML as a tree of nodes. Only this file uses serde_yaml; the line numbers come from lines.rs.
//! The tree is our own, because serde_yaml's refuses duplicate keys and does not say what was
//! quoted.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::Deserializer;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub content: Content,
    /// Where the value, or its key, begins; `None` where it is not known.
    pub line: Option<usize>,
    pub style: ScalarStyle,
}

/// Content of a node, resolved by the core schema of YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// `~`, or nothing after the colon.
    Null,
    Boolean(bool),
    /// May be infinite or not a number.
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// Keys and values in the order of the file, duplicates included.
    Mapping(Vec<(Node, Node)>),
    /// A value with an application's own tag, which has no meaning in this file.
    Tagged(String),
}

/// How a scalar is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ScalarStyle {
    /// Not a scalar, or not known.
    Unknown,
    /// Without quotes, with its text.
    Plain(String),
    /// In quotes, or as a block of lines after `|` or `>`.
    Quoted,
}

/// Why a text is not YAML.
#[derive(Debug, PartialEq)]
pub(super) struct SyntaxError {
    /// Line and column, counted from 1.
    pub place: Option<(usize, usize)>,
    /// The parser's message.
    pub text: String,
}

/// Parses the only document of a text, without line numbers; an empty text is null.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    if opens_too_many_brackets(text) {
        return Err(SyntaxError {
            place: None,
            text: "brackets are nested too deeply".into(),
        });
    }
    if has_too_many_values(text) {
        return Err(SyntaxError {
            place: None,
            text: format!("more than {MAX_VALUES} keys and values"),
        });
    }
    // A text without aliases has at most as many values as bytes. Aliases may repeat some of them,
    // but nested aliases, which expand exponentially, exhaust the budget.
    let budget = Cell::new(text.len() * 2 + 1_000_000);
    let mut documents = Deserializer::from_str(text);
    let Some(document) = documents.next() else {
        return Ok(Node::from(Content::Null));
    };
    let node = NodeSeed(&budget).deserialize(document)?;
    if let Some(second) = documents.next() {
        // Text that follows a complete value without a `---` is parsed as a second document and
        // fails here.
        NodeSeed(&budget).deserialize(second)?;
        let place = line_of_second_document(text).map(|line| (line, 1));
        return Err(SyntaxError {
            place,
            text: "a second document begins; one file holds one".into(),
        });
    }
    Ok(node)
}

impl From<serde_yaml::Error> for SyntaxError {
    fn from(error: serde_yaml::Error) -> Self {
        let place = error
            .location()
            .map(|location| (location.line(), location.column()));
        SyntaxError {
            place,
            text: error.to_string(),
        }
    }
}

/// The parser takes quadratic time for nested brackets (35 seconds for 100,000) before it refuses
/// more than 128 levels. Brackets in text and comments are counted too: no real file has so many
/// unmatched ones.
fn opens_too_many_brackets(text: &str) -> bool {
    const MAX_OPEN: usize = 5_000;
    let mut open: usize = 0;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MAX_OPEN
    })
}

/// Five thousand hosts with every key have 150,000.
const MAX_VALUES: usize = 200_000;

/// The parser keeps some 200 bytes for each value, however short it is. Counts what separates values,
/// also in text and comments.
fn has_too_many_values(text: &str) -> bool {
    let is_separator = |pair: &&[u8]| match pair[0] {
        b',' | b'\n' | b'[' | b'{' => true,
        b':' | b'-' => pair[1].is_ascii_whitespace(),
        _ => false,
    };
    let is_more = text.len() > MAX_VALUES;
    is_more && text.as_bytes().windows(2).filter(is_separator).count() > MAX_VALUES
}

/// The line of the `---` that begins the second document.
fn line_of_second_document(text: &str) -> Option<usize> {
    let mut has_content = false;
    for (index, line) in text.lines().enumerate() {
        let is_marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if is_marker && has_content {
            return Some(index + 1);
        }
        has_content |= is_marker || !(line.trim().is_empty() || line.starts_with(['#', '%']));
    }
    None
}

impl From<Content> for Node {
    fn from(content: Content) -> Self {
        Node {
            content,
            line: None,
            style: ScalarStyle::Unknown,
        }
    }
}

/// Builds a node. Holds how many bytes and values the document may still have.
#[derive(Clone, Copy)]
struct NodeSeed<'b>(&'b Cell<usize>);

impl NodeSeed<'_> {
    fn spend<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(bytes + 1);
        self.0
            .set(left.ok_or_else(|| E::custom("aliases repeat too much"))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self).map(Node::from)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        self.spend(0)?;
        Ok(Content::Null)
    }

    /// An empty document.
    fn visit_none<E: Error>(self) -> Result<Content, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Content, E> {
        self.spend(0)?;
        Ok(Content::Boolean(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Content, E> {
        self.spend(0)?;
        Ok(Content::Number(value))
    }

    // Allowed numbers are far below 2^53, so that f64 holds them exactly; a larger one is out of
    // range however it is rounded.
    fn visit_i64<E: Error>(self, value: i64) -> Result<Content, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Content, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Content, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Content, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Content, E> {
        self.spend(value.len())?;
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Content, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(node) = sequence.next_element_seed(self)? {
            list.push(node);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        self.spend(0)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            entries.push((key, map.next_value_seed(self)?));
        }
        Ok(Content::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Content, A::Error> {
        let (tag, content) = data.variant::<String>()?;
        self.spend(tag.len())?;
        content.newtype_variant_seed(self)?;
        Ok(Content::Tagged(format!("!{tag}")))
    }
}
