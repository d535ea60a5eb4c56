//! Parsing the heads of requests.

use super::*;
use crate::config::DashboardConfig;

fn parse_below(base_path: &str, bytes: &[u8]) -> Option<(usize, RequestHead)> {
    let config = DashboardConfig {
        port: 1,
        host: "localhost".into(),
        base_path: base_path.into(),
        allowed_hosts: vec![],
    };
    let served_at = ServedAt {
        allowed_hosts: &AllowedHosts::new(&config, "attic"),
        local_address: None,
        base_path,
    };
    parse(bytes, &served_at)
}

fn parse_target_below(base_path: &str, target: &str) -> Result<Request, Refusal> {
    let text = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    parse_below(base_path, text.as_bytes())
        .expect("a complete head")
        .1
        .request
}

fn parse_target(target: &str) -> Result<Request, Refusal> {
    parse_target_below("", target)
}

fn head(lines: &str) -> RequestHead {
    let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
    let (len, head) = parse_below("", text.as_bytes()).expect("a complete head");
    assert_eq!(len, text.len());
    head
}

#[test]
fn a_target_is_decoded_into_path_and_query() {
    let request = parse_target("/api/a%2Fb/%C3%A4+b?x=1&x=2&&y&z=a%3Db+c%2B&=v").expect("valid");
    assert_eq!(request.path, "/api/a/b/ä+b");
    let pairs: Vec<_> = request
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("x", "1"),
            ("x", "2"),
            ("y", ""),
            ("z", "a=b c+"),
            ("", "v")
        ]
    );
    assert_eq!(parse_target("/").expect("valid").query, []);
    assert_eq!(parse_target("/?").expect("valid").query, []);
}

#[test]
fn a_broken_percent_encoding_is_refused() {
    for target in [
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/%80",
        "/a?b=%",
        "/a?%ff=1",
        "/a?b=%e2%28%a1",
        "/%00",
        "/a%0d%0ab",
        "a",
        "*",
        "?x=%",
    ] {
        assert!(
            matches!(parse_target(target), Err(Refusal::Malformed(_))),
            "{target}"
        );
    }
}

#[test]
fn a_host_in_the_target_overrules_the_host_header() {
    assert_eq!(
        parse_target("http://localhost:8501/a?b=1")
            .expect("allowed")
            .path,
        "/a"
    );
    assert_eq!(parse_target("HTTP://attic?b=1").expect("allowed").path, "/");
    assert_eq!(parse_target("http://attic").expect("allowed").path, "/");
    assert_eq!(
        parse_target("http://evil.example/a"),
        Err(Refusal::Host("evil.example".into()))
    );
    assert_eq!(
        parse_target("https://localhost/a").expect("allowed").path,
        "/a",
        "a proxy that ends TLS passes it on"
    );
    assert_eq!(
        parse_target("hTTps://evil.example/a"),
        Err(Refusal::Host("evil.example".into()))
    );
    assert!(matches!(
        parse_target("ftp://localhost/a"),
        Err(Refusal::Malformed(_))
    ));
}

#[test]
fn several_leading_slashes_are_one() {
    for (target, path) in [
        ("//api/status", "/api/status"),
        ("///", "/"),
        ("http://attic//a", "/a"),
        ("/a//b", "/a//b"),
    ] {
        assert_eq!(parse_target(target).expect("valid").path, path, "{target}");
    }
    assert_eq!(
        parse_target_below("/ping", "//ping/api/status")
            .expect("valid")
            .path,
        "/api/status"
    );
    // Not `//ping/`, which would lead to a server of that name.
    assert_eq!(
        parse_target_below("/ping", "//ping"),
        Err(Refusal::Redirect("/ping/".into()))
    );
}

#[test]
fn the_base_path_is_removed() {
    assert_eq!(
        parse_target_below("/ping", "/ping/api/status")
            .expect("inside")
            .path,
        "/api/status"
    );
    assert_eq!(
        parse_target_below("/ping", "/ping/").expect("inside").path,
        "/"
    );
    assert_eq!(
        parse_target_below("/ping", "/ping?a=1"),
        Err(Refusal::Redirect("/ping/?a=1".into()))
    );
    // A proxy has removed it.
    assert_eq!(
        parse_target_below("/ping", "/api/status")
            .expect("without")
            .path,
        "/api/status"
    );
    assert_eq!(
        parse_target_below("/ping", "/pingpong")
            .expect("another path")
            .path,
        "/pingpong"
    );
}

#[test]
fn a_head_is_parsed_only_when_it_is_complete() {
    let text = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b";
    let len = text.len() - 6;
    for end in 0..len {
        assert_eq!(parse_below("", &text[..end]), None, "{end}");
    }
    assert_eq!(parse_below("", text).expect("complete").0, len);
}

#[test]
fn the_version_and_the_connection_header_decide_whether_the_connection_ends() {
    for (lines, is_last) in [
        ("GET / HTTP/1.1\nHost: localhost", false),
        (
            "GET / HTTP/1.1\nHost: localhost\nConnection: foo, Close",
            true,
        ),
        ("GET / HTTP/1.0", true),
        ("GET / HTTP/1.0\nConnection: Keep-Alive", false),
        ("POST / HTTP/1.1\nHost: localhost\nContent-Length: 5", true),
        ("POST / HTTP/1.1\nHost: localhost", false),
    ] {
        assert_eq!(head(lines).is_last, is_last, "{lines}");
    }
}

#[test]
fn a_body_is_refused_whatever_its_length_says() {
    let refusal = |line: &str| {
        head(&format!("GET / HTTP/1.1\nHost: localhost\n{line}"))
            .request
            .err()
    };
    assert_eq!(refusal("Content-Length: 0"), None);
    assert_eq!(refusal("Content-Length: 1"), Some(Refusal::Body));
    assert_eq!(
        refusal("Content-Length: 1000000000000000000000000000"),
        Some(Refusal::Body)
    );
    assert_eq!(
        refusal("Content-Length: 0\nContent-Length: 7"),
        Some(Refusal::Body)
    );
    for line in [
        "Content-Length: 1e15",
        "Content-Length: -1",
        "Content-Length:",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
    ] {
        assert!(
            matches!(refusal(line), Some(Refusal::Malformed(_))),
            "{line}"
        );
    }
}

#[test]
fn a_request_of_http_1_1_needs_one_host_header() {
    let refusal = |lines: &str| head(lines).request.err();
    assert!(matches!(
        refusal("GET / HTTP/1.1"),
        Some(Refusal::Malformed(_))
    ));
    assert!(matches!(
        refusal("GET / HTTP/1.1\nHost: localhost\nHost: localhost"),
        Some(Refusal::Malformed(_))
    ));
    assert_eq!(
        refusal("GET / HTTP/1.1\nHost:"),
        Some(Refusal::Host(String::new()))
    );
    assert_eq!(refusal("GET / HTTP/1.0"), None);
    assert_eq!(
        refusal("GET / HTTP/1.0\nHost: evil.example"),
        Some(Refusal::Host("evil.example".into()))
    );
}

#[test]
fn gzip_is_accepted_by_its_weight() {
    for (value, accepts) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5, br", true),
        ("gzip;q=0", false),
        ("gzip; q=0.000, *", false),
        ("*", true),
        ("*;q=0", false),
        ("identity", false),
        ("", false),
        ("gzip;q=x", false),
        ("x-gzip", true),
    ] {
        assert_eq!(
            head(&format!(
                "GET / HTTP/1.1\nHost: localhost\nAccept-Encoding: {value}"
            ))
            .accepts_gzip,
            accepts,
            "{value}"
        );
    }
    assert!(!head("GET / HTTP/1.1\nHost: localhost").accepts_gzip);
}

#[test]
fn a_known_tag_is_found_among_several() {
    let request = head(
        "GET / HTTP/1.1\nHost: localhost\nIf-None-Match: \"a\", W/\"b\"\nIf-None-Match: \"c\"",
    )
    .request
    .expect("valid");
    for (etag, is_known) in [
        ("a", true),
        ("\"b\"", true),
        ("W/\"c\"", true),
        ("d", false),
        ("", false),
    ] {
        assert_eq!(request.has_version(etag), is_known, "{etag}");
    }
    assert!(
        head("GET / HTTP/1.1\nHost: localhost\nIf-None-Match: *")
            .request
            .expect("valid")
            .has_version("x")
    );
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let mut state = 7u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    let seed =
        b"GET http://a/%41?b=%C3%A4 HTTP/1.1\r\nHost: [::1]:8501\r\nContent-Length: 0\r\nAccept-Encoding: gzip;q=1\r\n\r\n";
    for _ in 0..50_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..1 + random() % 4 {
            let at = usize::from(random()) % bytes.len();
            match random() % 3 {
                0 => bytes[at] = random(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random()),
            }
        }
        parse_below("/a", &bytes);
    }
}

#[test]
fn a_request_that_a_page_of_another_origin_makes_is_recognised() {
    for (headers, expected) in [
        ("", false),
        ("Sec-Fetch-Site: same-origin", false),
        ("Sec-Fetch-Site: none", false),
        ("Sec-Fetch-Site: cross-site", true),
        // Another program of this host, at another port.
        ("Sec-Fetch-Site: same-site", true),
        ("Origin: http://localhost:8501", false),
        ("Origin: http://evil.example", true),
        ("Origin: null", true),
        ("Referer: http://LOCALHOST:8501/?host=a", false),
        ("Referer: http://localhost:3000/", true),
        ("Referer: http://evil.example/localhost:8501", true),
        // A proxy for TLS may change the Host; the browser knows better.
        (
            "Sec-Fetch-Site: same-origin\r\nOrigin: https://ping.example",
            false,
        ),
        (
            "Sec-Fetch-Site: cross-site\r\nOrigin: http://localhost:8501",
            true,
        ),
    ] {
        let end = if headers.is_empty() { "" } else { "\r\n" };
        let text = format!("GET / HTTP/1.1\r\nHost: localhost:8501\r\n{headers}{end}\r\n");
        let (_, head) = parse_below("", text.as_bytes()).expect("a complete head");
        let request = head.request.expect("a request");
        assert_eq!(request.is_from_other_origin, expected, "{headers}");
    }
}
