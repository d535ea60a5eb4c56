//! JSON texts of our own structs.

use std::io::Write;

use serde::Serialize;

const INFALLIBLE: &str = "plain structs always have a JSON form";

/// On one line. Size: all JSON is written to one type and by one formatter, for which the code of
/// each struct is there once.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> serde_json::Result<()> {
    serde_json::to_writer(out, value)
}

pub fn compact(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    write(value, &mut bytes).expect(INFALLIBLE);
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// On several lines, each level two spaces deeper, as `serde_json::to_string_pretty` has it.
pub fn indented(value: &impl Serialize) -> String {
    indent(&compact(value))
}

/// `json` is valid and has no white space outside its texts.
fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut is_in_text = false;
    let mut characters = json.chars().peekable();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        match character {
            '\\' if is_in_text => {
                out.push(character);
                out.extend(characters.next());
            }
            '"' => {
                is_in_text = !is_in_text;
                out.push(character);
            }
            _ if is_in_text => out.push(character),
            '[' | '{' => {
                out.push(character);
                match characters.next_if(|next| matches!(next, ']' | '}')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            ']' | '}' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn indented_json_is_what_serde_json_prints() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([[], {}, [1], {"a": {}}]),
            json!({"a": [1, -2.5, true, null], "b": {"c": "d"}, "e": []}),
            json!("a text"),
            json!([
                "{\"[,:]\\\"}",
                "\\",
                "\\\"",
                "line\nbreak, \u{1b}: ]",
                "ä東"
            ]),
        ] {
            let expected = serde_json::to_string_pretty(&value).expect("JSON");
            assert_eq!(indented(&value), expected);
            assert_eq!(
                serde_json::from_str::<Value>(&compact(&value)).expect("JSON"),
                value
            );
        }
    }
}
