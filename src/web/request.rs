//! Parses the head of a request, decodes its target and checks its Host. No socket, no clock.
//! HTTP/1.1 as in RFC 9112 and RFC 9110, targets as in RFC 3986.

use httparse::{EMPTY_HEADER, Error, Status};

use std::net::IpAddr;

use super::allowed_hosts::AllowedHosts;

/// A browser sends about fifteen headers, a proxy adds ten.
const MAX_HEADERS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Decoded, without the base path. Begins with `/`.
    pub path: String,
    /// Decoded names and values in their order; names may repeat.
    pub query: Vec<(String, String)>,
    pub if_none_match: Option<String>,
    /// Which content types the client takes, with weights.
    pub accept: Option<String>,
    /// Whether a page of another origin makes a browser request this. A page of this server, a user
    /// who enters the address, and a program do not.
    pub is_from_other_origin: bool,
}

impl Request {
    /// Whether the client already has the version with this tag. Tags are compared weakly: RFC 9110,
    /// section 13.1.2.
    pub fn has_version(&self, etag: &str) -> bool {
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

/// Why a request gets an error, or a redirect, instead of a file or a handler's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not HTTP, or a target or header that cannot be parsed.
    Malformed(&'static str),
    /// HTTP, but neither 1.0 nor 1.1.
    Version,
    /// The head is too long or has too many headers.
    TooLarge,
    /// The head was not complete in time.
    TooSlow,
    /// Neither GET nor HEAD.
    Method,
    /// The request has a body.
    Body,
    /// A Host header that [`AllowedHosts`] does not allow.
    Host(String),
    /// All slots are taken, and none becomes free.
    Busy,
    /// Too many requests wait, or one has waited for too long.
    NoTurn,
    /// To the base path with its final slash, which the request lacks.
    Redirect(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestHead {
    pub(super) request: Result<Request, Refusal>,
    /// The method is HEAD.
    pub(super) is_head: bool,
    pub(super) is_http10: bool,
    /// Whether the connection ends after the response.
    pub(super) is_last: bool,
    pub(super) accepts_gzip: bool,
}

/// Where the server is reached: which hosts and paths are its own.
pub(super) struct ServedAt<'a> {
    pub(super) allowed_hosts: &'a AllowedHosts,
    /// The address at which the connection arrived.
    pub(super) local_address: Option<IpAddr>,
    /// Empty, or a path that begins with `/` and does not end with one.
    pub(super) base_path: &'a str,
}

impl RequestHead {
    /// A head that cannot be parsed: where the next one begins is unknown.
    pub(super) fn refused(refusal: Refusal) -> RequestHead {
        RequestHead {
            request: Err(refusal),
            is_head: false,
            is_http10: false,
            is_last: true,
            accepts_gzip: false,
        }
    }
}

/// Parses the head at the beginning of `bytes` and returns its length with it; `None` while it is
/// incomplete.
pub(super) fn parse(bytes: &[u8], served_at: &ServedAt<'_>) -> Option<(usize, RequestHead)> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let len = match parsed.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return None,
        Err(error) => {
            let refusal = match error {
                Error::TooManyHeaders => Refusal::TooLarge,
                Error::Version => Refusal::Version,
                _ => Refusal::Malformed("this is not an HTTP request"),
            };
            return Some((bytes.len(), RequestHead::refused(refusal)));
        }
    };
    let headers = Headers(parsed.headers);
    let method = parsed.method.unwrap_or_default();
    let is_http10 = parsed.version != Some(1);
    let has_body = headers.has_body();
    let is_bodiless = has_body == Ok(false);
    let is_last = if is_http10 {
        !headers.has_word("connection", "keep-alive")
    } else {
        headers.has_word("connection", "close")
    };
    let request = match (method, has_body) {
        ("GET" | "HEAD", Ok(false)) => {
            let target = parsed.path.unwrap_or_default();
            parse_request(target, is_http10, &headers, served_at)
        }
        ("GET" | "HEAD", Ok(true)) => Err(Refusal::Body),
        ("GET" | "HEAD", Err(refusal)) => Err(refusal),
        _ => Err(Refusal::Method),
    };
    let head = RequestHead {
        request,
        is_head: method == "HEAD",
        is_http10,
        // A body is not read, so the end of it is not found.
        is_last: is_last || !is_bodiless,
        accepts_gzip: headers.accepts_gzip(),
    };
    Some((len, head))
}

fn parse_request(
    target: &str,
    is_http10: bool,
    headers: &Headers<'_>,
    served_at: &ServedAt<'_>,
) -> Result<Request, Refusal> {
    let (authority, target) = split_authority(target);
    let host = requested_host(authority, is_http10, headers)?;
    let allows = |host: &str| {
        served_at
            .allowed_hosts
            .allows(host, served_at.local_address)
    };
    if let Some(host) = host.as_ref().filter(|host| !allows(host)) {
        return Err(Refusal::Host(host.clone()));
    }
    let (raw_path, raw_query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let path = parse_path(raw_path, raw_query, served_at.base_path)?;
    let query = parse_query(raw_query.unwrap_or_default()).ok_or(Refusal::Malformed(
        "the query has a broken percent-encoding",
    ))?;
    // A header that is repeated is one list: RFC 9110, section 5.3.
    let list = |name| {
        let values: Vec<_> = headers.all(name).map(String::from_utf8_lossy).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    Ok(Request {
        path,
        query,
        if_none_match: list("if-none-match"),
        accept: list("accept"),
        is_from_other_origin: is_from_other_origin(headers, host.as_deref()),
    })
}

/// By Sec-Fetch-Site (Fetch Metadata), which a browser sends to localhost and over TLS, else by Origin
/// or Referer. Another port of the same host is another origin: other programs serve there.
fn is_from_other_origin(headers: &Headers<'_>, host: Option<&str>) -> bool {
    let text = |name| {
        let value = headers.all(name).next()?;
        Some(String::from_utf8_lossy(value))
    };
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site.as_ref(), "same-origin" | "none");
    }
    let Some(from) = text("origin").or_else(|| text("referer")) else {
        return false;
    };
    let authority = from
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    !authority.is_some_and(|from| host.is_some_and(|host| host.eq_ignore_ascii_case(from)))
}

/// The host and the rest of a target in absolute form; other targets as they are.
fn split_authority(target: &str) -> (Option<&str>, &str) {
    let without = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    // A proxy that ends TLS may pass on the target of its client: RFC 9112, section 3.2.2.
    match without("http://").or_else(|| without("https://")) {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(authority), if path.is_empty() { "/" } else { path })
        }
        None => (None, target),
    }
}

/// The host in the target takes precedence over the Host header: RFC 9112, section 3.2.2.
fn requested_host(
    authority: Option<&str>,
    is_http10: bool,
    headers: &Headers<'_>,
) -> Result<Option<String>, Refusal> {
    let hosts: Vec<&[u8]> = headers.all("host").collect();
    Ok(match (hosts.as_slice(), authority) {
        ([], _) if !is_http10 => return Err(Refusal::Malformed("the Host header is missing")),
        // DNS rebinding needs a browser, and every browser sends HTTP/1.1.
        ([], None) => None,
        ([_, _, ..], _) => return Err(Refusal::Malformed("there is more than one Host header")),
        (_, Some(authority)) => Some(authority.to_string()),
        ([host], None) => Some(String::from_utf8_lossy(host).into_owned()),
    })
}

/// Decodes the path and removes the base path.
fn parse_path(raw_path: &str, raw_query: Option<&str>, base_path: &str) -> Result<String, Refusal> {
    if !raw_path.starts_with('/') && raw_query.is_none_or(|_| !raw_path.is_empty()) {
        return Err(Refusal::Malformed("the path does not begin with a slash"));
    }
    // Several leading slashes are one, and a redirect to them would lead to another server: RFC 3986,
    // section 4.2.
    let raw_path = &format!("/{}", raw_path.trim_start_matches('/'));
    let path = percent_decode(raw_path, PlusSign::Literal)
        .ok_or(Refusal::Malformed("the path has a broken percent-encoding"))?;
    if path.chars().any(char::is_control) {
        return Err(Refusal::Malformed("the path has a control character"));
    }
    match path.strip_prefix(base_path) {
        Some("") => {
            let query = raw_query
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            Err(Refusal::Redirect(format!("{raw_path}/{query}")))
        }
        Some(inside) if inside.starts_with('/') => Ok(inside.to_string()),
        // A proxy may remove the base path itself, and a user on this machine may leave it out.
        _ => Ok(path),
    }
}

fn parse_query(query: &str) -> Option<Vec<(String, String)>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((
                percent_decode(name, PlusSign::Space)?,
                percent_decode(value, PlusSign::Space)?,
            ))
        })
        .collect()
}

/// What a `+` means. In queries it is a space, as browsers encode forms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PlusSign {
    Literal,
    Space,
}

/// `None` when an encoding is broken or the result is not UTF-8.
fn percent_decode(text: &str, plus: PlusSign) -> Option<String> {
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
            b'+' if plus == PlusSign::Space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }

    /// The comma-separated items of all headers with this name.
    fn items(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .filter_map(|value| str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    }

    fn has_word(&self, name: &'static str, word: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(word))
    }

    fn has_body(&self) -> Result<bool, Refusal> {
        if self.all("transfer-encoding").next().is_some() {
            return Err(Refusal::Malformed(
                "Transfer-Encoding is not supported in a request",
            ));
        }
        let mut has_body = false;
        for value in self.all("content-length") {
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return Err(Refusal::Malformed("Content-Length is not a number"));
            }
            // Not parsed: no integer type holds every length that a client may send.
            has_body |= value.iter().any(|digit| *digit != b'0');
        }
        Ok(has_body)
    }

    /// RFC 9110, section 12.5.3: the weight of gzip, else that of `*`; a weight of 0 refuses it.
    fn accepts_gzip(&self) -> bool {
        let weight_of = |name: &str| {
            self.items("accept-encoding").find_map(|item| {
                let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
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
