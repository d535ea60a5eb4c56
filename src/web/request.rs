//! Bytes to a question: the head of a request, its target decoded, its Host judged. No socket, no
//! clock. HTTP/1.1 as in RFC 9112 and RFC 9110, targets as in RFC 3986.

use httparse::{EMPTY_HEADER, Error, Status};

use super::gate::Gate;

/// Headers a request may have. A browser sends some fifteen, a proxy adds ten.
const MAX_HEADERS: usize = 64;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Whether only the head of the answer is wanted.
    pub is_head: bool,
    /// Decoded, the base path taken off, begins with `/`.
    pub path: String,
    /// Decoded, in order, repeated names kept.
    pub query: Vec<(String, String)>,
    /// `If-None-Match`, as it came.
    pub if_none_match: Option<String>,
}

impl Request {
    /// Whether who asks has the version with this tag already; compared weakly, RFC 9110, section
    /// 13.1.2.
    pub fn knows(&self, etag: &str) -> bool {
        let bare = |tag: &str| {
            tag.trim()
                .trim_start_matches("W/")
                .trim_matches('"')
                .to_string()
        };
        let tag = bare(etag);
        self.if_none_match.as_deref().is_some_and(|known| {
            known
                .split(',')
                .any(|known| known.trim() == "*" || bare(known) == tag)
        })
    }
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No HTTP, or a target that cannot be read.
    Malformed(&'static str),
    /// HTTP, but not 1.0 or 1.1.
    Version,
    /// The head is too long or has too many headers.
    TooLarge,
    /// The head did not come to its end in time.
    TooSlow,
    /// Neither GET nor HEAD.
    Method,
    /// It has a body.
    Body,
    /// A page of some other name may be asking: the name.
    Host(String),
    /// The base path without its last slash: where it should have gone.
    Moved(String),
}

/// A request's head, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The question, or why there is none.
    pub(super) question: Result<Request, Refusal>,
    /// Whether only the head of the answer is wanted.
    pub(super) is_head: bool,
    /// HTTP/1.0 or older: it knows no chunks.
    pub(super) is_old: bool,
    /// Whether the connection ends with the answer.
    pub(super) is_last: bool,
    /// Whether the answer may be compressed.
    pub(super) accepts_gzip: bool,
}

impl Head {
    /// What cannot be understood, so that nothing after it can.
    pub(super) fn refused(refusal: Refusal) -> Head {
        Head {
            question: Err(refusal),
            is_head: false,
            is_old: false,
            is_last: true,
            accepts_gzip: false,
        }
    }
}

/// Reads the head that `bytes` begin with and says how long it is; `None` while its end has not
/// come. `gate` knows whose name is ours.
pub(super) fn read(bytes: &[u8], gate: &Gate<'_>) -> Option<(usize, Head)> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let len = match parsed.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return None,
        Err(error) => {
            let refusal = match error {
                Error::TooManyHeaders => Refusal::TooLarge,
                Error::Version => Refusal::Version,
                _ => Refusal::Malformed("this is no HTTP request"),
            };
            return Some((bytes.len(), Head::refused(refusal)));
        }
    };
    let fields = Fields(parsed.headers);
    let method = parsed.method.unwrap_or_default();
    let is_old = parsed.version != Some(1);
    let has_body = fields.has_body();
    let is_bodiless = has_body == Ok(false);
    let is_last = if is_old {
        !fields.has_word("connection", "keep-alive")
    } else {
        fields.has_word("connection", "close")
    };
    let question = match (method, has_body) {
        ("GET" | "HEAD", Ok(false)) => {
            read_question(parsed.path.unwrap_or_default(), is_old, &fields, gate)
        }
        ("GET" | "HEAD", Ok(true)) => Err(Refusal::Body),
        ("GET" | "HEAD", Err(refusal)) => Err(refusal),
        _ => Err(Refusal::Method),
    };
    let question = question.map(|question| Request {
        is_head: method == "HEAD",
        ..question
    });
    let head = Head {
        question,
        is_head: method == "HEAD",
        is_old,
        // A body is never read, so what follows it cannot be found.
        is_last: is_last || !is_bodiless,
        accepts_gzip: fields.accepts_gzip(),
    };
    Some((len, head))
}

fn read_question(
    target: &str,
    is_old: bool,
    fields: &Fields<'_>,
    gate: &Gate<'_>,
) -> Result<Request, Refusal> {
    // RFC 9112, section 3.2.2: a whole address in the request line overrules Host.
    let (authority, target) = match target
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("http://"))
    {
        Some(_) => {
            let rest = target.get(7..).unwrap_or_default();
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(authority), if path.is_empty() { "/" } else { path })
        }
        None => (None, target),
    };
    let hosts: Vec<&[u8]> = fields.all("host").collect();
    let host = match (hosts.as_slice(), authority) {
        ([], _) if !is_old => return Err(Refusal::Malformed("the Host header is missing")),
        // Browsers, which could be made to ask for somebody else's page, all speak HTTP/1.1.
        ([], None) => None,
        ([_, _, ..], _) => return Err(Refusal::Malformed("there is more than one Host header")),
        (_, Some(authority)) => Some(authority.to_string()),
        ([host], None) => Some(String::from_utf8_lossy(host).into_owned()),
    };
    if let Some(host) = host.filter(|host| !gate.admits(host)) {
        return Err(Refusal::Host(host));
    }

    let (raw_path, raw_query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    if !raw_path.starts_with('/') && raw_query.is_none_or(|_| !raw_path.is_empty()) {
        return Err(Refusal::Malformed("the path does not begin with a slash"));
    }
    let raw_path = if raw_path.is_empty() { "/" } else { raw_path };
    let path = decode(raw_path, Plus::Itself)
        .ok_or(Refusal::Malformed("the path has a broken percent-encoding"))?;
    if path.chars().any(char::is_control) {
        return Err(Refusal::Malformed("the path has a control character"));
    }
    let path = match path.strip_prefix(gate.base_path()) {
        Some("") => {
            let query = raw_query
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            return Err(Refusal::Moved(format!("{raw_path}/{query}")));
        }
        Some(inside) if inside.starts_with('/') => inside.to_string(),
        // A proxy may take the base path off itself, and whoever sits at the machine may leave it
        // out.
        _ => path,
    };
    let query = read_query(raw_query.unwrap_or_default()).ok_or(Refusal::Malformed(
        "the query has a broken percent-encoding",
    ))?;
    let known: Vec<_> = fields
        .all("if-none-match")
        .map(String::from_utf8_lossy)
        .collect();
    Ok(Request {
        is_head: false,
        path,
        query,
        if_none_match: (!known.is_empty()).then(|| known.join(", ")),
    })
}

fn read_query(query: &str) -> Option<Vec<(String, String)>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name, Plus::Space)?, decode(value, Plus::Space)?))
        })
        .collect()
}

/// What a `+` stands for: in queries for a space, as forms are encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Itself,
    Space,
}

/// Takes percent-encodings off; `None` when one is broken or what comes out is not UTF-8.
fn decode(text: &str, plus: Plus) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: u8| {
                    char::from(byte)
                        .to_digit(16)
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                high << 4 | low
            }
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// The headers of a request.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }

    /// The comma-separated entries of all headers of this name.
    fn entries(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .filter_map(|value| str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    }

    fn has_word(&self, name: &'static str, word: &str) -> bool {
        self.entries(name)
            .any(|entry| entry.eq_ignore_ascii_case(word))
    }

    fn has_body(&self) -> Result<bool, Refusal> {
        if self.all("transfer-encoding").next().is_some() {
            return Err(Refusal::Malformed(
                "a request with Transfer-Encoding is not taken",
            ));
        }
        let mut has_body = false;
        for value in self.all("content-length") {
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return Err(Refusal::Malformed("Content-Length is no number"));
            }
            // Never as a number: there is none that holds whatever may stand here.
            has_body |= value.iter().any(|digit| *digit != b'0');
        }
        Ok(has_body)
    }

    /// RFC 9110, section 12.5.3: the entry for gzip, else the one for everything; a weight of 0
    /// forbids.
    fn accepts_gzip(&self) -> bool {
        let weight_of = |name: &str| {
            self.entries("accept-encoding").find_map(|entry| {
                let (coding, parameters) = entry.split_once(';').unwrap_or((entry, ""));
                let weight = parameters
                    .split_once('=')
                    .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
                let weight =
                    weight.map_or(1.0, |(_, value)| value.trim().parse::<f32>().unwrap_or(0.0));
                coding.trim().eq_ignore_ascii_case(name).then_some(weight)
            })
        };
        weight_of("gzip")
            .or_else(|| weight_of("x-gzip"))
            .or_else(|| weight_of("*"))
            .is_some_and(|weight| weight > 0.0)
    }
}

#[cfg(test)]
mod tests;
