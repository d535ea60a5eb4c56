//! YAML as a tree, before anybody asks what it means. Owns serde_yaml, which nobody else names;
//! lines come from lines.rs. Its own tree, because serde_yaml's refuses duplicate keys and forgets
//! what was quoted.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::Deserializer;

/// One value of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Where it, or its key, begins; `None` where that could not be told.
    pub line: Option<usize>,
    /// How a scalar was written.
    pub written: Written,
}

/// What a value is, as YAML 1.2 has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing: `~`, or nothing behind the colon.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number, also one that is not finite.
    Number(f64),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file, duplicates included.
    Section(Vec<(Node, Node)>),
    /// Something with an application's own tag, which means nothing here.
    Tagged(String),
}

/// How a scalar was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Written {
    /// This could not be told.
    Unknown,
    /// Without quotes, like this.
    Plain(String),
    /// With quotes, or as a block of lines.
    Quoted,
}

/// Why a text is not YAML.
#[derive(Debug, PartialEq)]
pub(super) struct SyntaxError {
    /// Line and column from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// What the parser said.
    pub text: String,
}

/// The only document of a text; an empty one is null. Lines are not in it yet.
pub(super) fn read(text: &str) -> Result<Node, SyntaxError> {
    if opens_too_many_brackets(text) {
        return Err(SyntaxError {
            place: None,
            text: "brackets are nested too deeply".into(),
        });
    }
    // Without aliases a text has no more values than bytes. A few that are repeated are fine, a
    // bomb is not.
    let budget = Budget {
        left: Cell::new(text.len() * 2 + 1_000_000),
    };
    let mut documents = Deserializer::from_str(text);
    let Some(document) = documents.next() else {
        return Ok(Node::from(Value::Null));
    };
    let node = NodeSeed(&budget).deserialize(document)?;
    if let Some(second) = documents.next() {
        // What follows a finished value without a marker is met as a second document that is broken
        // from its start.
        NodeSeed(&budget).deserialize(second)?;
        let place = second_document(text).map(|line| (line, 1));
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

/// The parser needs quadratic time for nested brackets, 35 seconds for 100,000, before it says that
/// 128 are too many. Brackets in text and comments are counted as well: so many more opening ones
/// than closing are not in them.
fn opens_too_many_brackets(text: &str) -> bool {
    const MOST: usize = 5_000;
    let mut open: usize = 0;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MOST
    })
}

fn second_document(text: &str) -> Option<usize> {
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

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Node {
            value,
            line: None,
            written: Written::Unknown,
        }
    }
}

struct Budget {
    left: Cell<usize>,
}

impl Budget {
    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let left = self
            .left
            .get()
            .checked_sub(bytes + 1)
            .ok_or_else(|| E::custom("aliases repeat too much"))?;
        self.left.set(left);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct NodeSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self).map(Node::from)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.0.spend(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.0.spend(0)?;
        Ok(Value::Boolean(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.0.spend(0)?;
        Ok(Value::Number(value))
    }

    // Every number of this file is far below 2^53, and what is not is out of its range by any
    // rounding.
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.0.spend(value.len())?;
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        self.0.spend(0)?;
        let mut list = Vec::new();
        while let Some(node) = sequence.next_element_seed(self)? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.0.spend(0)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            entries.push((key, map.next_value_seed(self)?));
        }
        Ok(Value::Section(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (tag, content) = data.variant_seed(TagSeed)?;
        self.0.spend(tag.len())?;
        content.newtype_variant_seed(self)?;
        Ok(Value::Tagged(format!("!{tag}")))
    }
}

struct TagSeed;

impl<'de> DeserializeSeed<'de> for TagSeed {
    type Value = String;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}
