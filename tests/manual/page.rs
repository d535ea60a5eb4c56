//! Reads the part of mdoc(7) that the pages use: sections, lists, and the words between the macros.

/// A manual page.
pub struct Page {
    lines: Vec<String>,
}

/// One entry of a list: the words of its head with their macros, and the lines below it including
/// inner lists.
pub struct Item {
    pub head: Vec<String>,
    pub body: Vec<String>,
}

impl Page {
    pub fn read(name: &str) -> Page {
        Page {
            lines: crate::read(name).lines().map(String::from).collect(),
        }
    }

    /// The lines of a section, or of a subsection.
    pub fn part(&self, title: &str) -> Part<'_> {
        let is_head =
            |line: &String| line == &format!(".Sh {title}") || line == &format!(".Ss {title}");
        let begin = self
            .lines
            .iter()
            .position(is_head)
            .unwrap_or_else(|| panic!("there is no section {title}"));
        let is_end: &dyn Fn(&String) -> bool = if self.lines[begin].starts_with(".Sh") {
            &|line| line.starts_with(".Sh ")
        } else {
            &|line| line.starts_with(".Sh ") || line.starts_with(".Ss ")
        };
        let lines = &self.lines[begin + 1..];
        Part(&lines[..lines.iter().position(is_end).unwrap_or(lines.len())])
    }

    /// The subsections of a section.
    pub fn subsections(&self, title: &str) -> Vec<String> {
        self.part(title)
            .0
            .iter()
            .filter_map(|line| line.strip_prefix(".Ss "))
            .map(String::from)
            .collect()
    }

    /// The text of each display, from `.Bd` to `.Ed`.
    pub fn displays(&self) -> Vec<String> {
        let mut displays = Vec::new();
        let mut open: Option<String> = None;
        for line in &self.lines {
            if line.starts_with(".Bd ") {
                open = Some(String::new());
            } else if line == ".Ed" {
                displays.extend(open.take());
            } else if let Some(display) = &mut open {
                display.push_str(line);
                display.push('\n');
            }
        }
        displays
    }
}

/// Lines of a page.
pub struct Part<'p>(pub &'p [String]);

impl Part<'_> {
    /// The entries of its lists; inner lists are lines of the outer entry.
    pub fn items(&self) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut depth = 0;
        let mut is_head_open = false;
        for line in self.0 {
            if is_head_open {
                is_head_open = line != ".Xc";
                if let (Some(item), true) = (items.last_mut(), is_head_open) {
                    item.head.extend(words(line.trim_start_matches('.')));
                }
                continue;
            }
            depth += usize::from(line.starts_with(".Bl "));
            if let (1, Some(head)) = (depth, line.strip_prefix(".It")) {
                is_head_open = head.trim() == "Xo";
                let head = if is_head_open {
                    Vec::new()
                } else {
                    words(head)
                };
                items.push(Item {
                    head,
                    body: Vec::new(),
                });
            } else if let (1.., Some(item)) = (depth, items.last_mut()) {
                item.body.push(line.clone());
            }
            depth -= usize::from(line == ".El");
        }
        items
    }

    /// The words that a macro marks, on any line.
    pub fn marked(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .flat_map(|line| marked(&line_words(line), name))
            .collect()
    }
}

impl Item {
    /// The words of its head that a macro marks.
    pub fn marked(&self, name: &str) -> Vec<String> {
        marked(&self.head, name)
    }

    /// The text below its head, as rendered.
    pub fn text(&self) -> String {
        text(&self.body)
    }
}

const MACROS: &[&str] = &[
    "Ar", "Cm", "Dq", "Dv", "Em", "Ev", "Fl", "Ic", "Li", "Lk", "Nm", "No", "Ns", "Op", "Pa", "Pp",
    "Pq", "Ql", "Sq", "Sx", "Sy", "Va", "Xr",
];

fn line_words(line: &str) -> Vec<String> {
    match line.strip_prefix('.') {
        Some(line) => words(line),
        None => Vec::new(),
    }
}

/// The words of a line of macros; a quoted text is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(
            word.replace("\\(dq", "\"")
                .replace("\\&", "")
                .replace("\\e", "\\"),
        );
        rest = behind.trim_start();
    }
    words
}

/// The words after a macro, up to the next macro.
fn marked(words: &[String], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for word in words {
        if MACROS.contains(&word.as_str()) {
            is_inside = word == name;
        } else if is_inside && !matches!(word.as_str(), "," | "." | ";" | ":" | ")" | "(") {
            found.push(word.clone());
        }
    }
    found
}

/// Lines as rendered: without macros, and with punctuation attached.
pub fn text(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Some(macros) = line.strip_prefix('.') {
            if ["Bl ", "El", "Bd ", "Ed", "Pp"]
                .iter()
                .any(|name| macros.starts_with(name))
            {
                continue;
            }
            let macros = macros.strip_prefix("It ").unwrap_or(macros);
            let words = words(macros);
            let mut flag = "";
            for word in &words {
                match word.as_str() {
                    "Fl" if flag == "-" => flag = "--",
                    "Fl" => flag = "-",
                    "," | "." | ";" | ":" | ")" => text.push_str(word),
                    word if MACROS.contains(&word) => {}
                    word => {
                        text.push(' ');
                        text.push_str(flag);
                        text.push_str(word);
                        flag = "";
                    }
                }
            }
        } else {
            text.push(' ');
            text.push_str(line);
        }
    }
    text.trim().to_string()
}
