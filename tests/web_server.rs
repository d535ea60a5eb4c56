//! The responses of the dashboard's server, over real sockets. How it resists abuse is tested in
//! web_server/abuse.rs.

#[path = "web_server/abuse.rs"]
mod abuse;
#[path = "web_server/client.rs"]
mod client;

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ace_connection_logger::config::DashboardConfig;
use ace_connection_logger::web::{Limits, WebError, WebServer};
use client::{CHILD_VARIABLE, ChildServer, Server, TestHandler, chunk, config};

#[test]
fn the_server_of_the_other_tests() {
    if std::env::var_os(CHILD_VARIABLE).is_some() {
        ChildServer::serve();
    }
}

fn twenty_chunks() -> Vec<u8> {
    (1..=20)
        .filter(|number| *number != 3)
        .flat_map(chunk)
        .collect()
}

#[test]
fn the_page_is_at_the_root_and_every_response_has_the_security_headers() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    let page = client.get("/");
    assert_eq!(
        (page.status, page.header("Content-Type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(page.text().to_lowercase().starts_with("<!doctype html>"));
    assert_eq!(client.get("/index.html").body, page.body);
    assert_eq!(
        client.get("/style.css").header("Content-Type"),
        Some("text/css; charset=utf-8")
    );
    assert_eq!(
        client.get("/js/main.js").header("Content-Type"),
        Some("text/javascript; charset=utf-8")
    );
    for part in ["/style.css", "/js/main.js"] {
        assert_eq!(
            client.get(part).header("Content-Security-Policy"),
            Some("default-src 'none'; frame-ancestors 'none'"),
            "{part}"
        );
    }
    for target in [
        "/",
        "/icon.svg",
        "/api/tagged",
        "/api/nothing",
        "/%",
        "/chunks",
    ] {
        let answer = server.client().get(target);
        let policy = answer.header("Content-Security-Policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        for rule in [
            "img-src 'self' data: blob:",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.header("X-Frame-Options"), Some("DENY"));
        assert_eq!(answer.header("Server"), Some("ace-connection-logger"));
        assert!(answer.header("Date").is_some() && answer.header("Cache-Control").is_some());
    }
}

#[test]
fn data_is_not_cached_and_tagged_content_is_revalidated() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for (target, control) in [
        ("/", "no-cache"),
        ("/api/tagged", "no-cache"),
        ("/api/echo", "no-store"),
        ("/nothing", "no-store"),
    ] {
        assert_eq!(
            client.get(target).header("Cache-Control"),
            Some(control),
            "{target}"
        );
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::with_default_limits();
    for target in [
        "/",
        "/api/tagged",
        "/api/long",
        "/picture",
        "/chunks",
        "/nothing",
    ] {
        for lines in ["", "Accept-Encoding: gzip\r\n"] {
            let mut client = server.client();
            let strip = |headers: Vec<(String, String)>| {
                headers
                    .into_iter()
                    .filter(|(name, _)| name != "Date")
                    .collect::<Vec<_>>()
            };
            let head = client.head_with(target, lines);
            // The next response begins right after the head.
            let get = client.get_with(target, lines);
            assert_eq!(
                (head.status, strip(head.headers)),
                (get.status, strip(get.headers)),
                "{target}"
            );
            assert!(!get.body.is_empty());
        }
    }
}

#[test]
fn a_client_that_has_the_version_gets_304_without_a_body() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for target in ["/", "/style.css", "/api/tagged", "/api/long"] {
        for packing in ["", "Accept-Encoding: gzip\r\n"] {
            let etag = client
                .get_with(target, packing)
                .header("ETag")
                .expect("a tag")
                .to_string();
            for known in [
                etag.as_str(),
                "*",
                &format!("\"other\", {etag}"),
                &format!("W/{}", etag.trim_start_matches("W/")),
            ] {
                let again =
                    client.get_with(target, &format!("{packing}If-None-Match: {known}\r\n"));
                assert_eq!(
                    (again.status, again.header("ETag")),
                    (304, Some(etag.as_str())),
                    "{target} {known}"
                );
                assert_eq!(
                    (
                        again.header("Content-Length"),
                        again.header("Transfer-Encoding")
                    ),
                    (None, None)
                );
                assert_eq!(again.header("Cache-Control"), Some("no-cache"));
            }
            assert_eq!(
                client
                    .head_with(target, &format!("If-None-Match: {etag}\r\n"))
                    .status,
                304
            );
            assert_eq!(
                client
                    .get_with(target, "If-None-Match: \"other\"\r\n")
                    .status,
                200
            );
        }
    }
    assert_eq!(
        client.get_with("/nothing", "If-None-Match: *\r\n").status,
        404
    );
}

#[test]
fn text_is_compressed_when_accepted_and_smaller() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    let plain = client.get("/api/long");
    assert_eq!(
        (plain.header("Content-Encoding"), plain.header("Vary")),
        (None, Some("Accept-Encoding"))
    );
    let compressed = client.get_with("/api/long", "Accept-Encoding: br, gzip;q=0.8\r\n");
    assert_eq!(
        (compressed.decompressed(), compressed.header("Vary")),
        (plain.body, Some("Accept-Encoding"))
    );
    assert!(compressed.body.len() < 200, "{}", compressed.body.len());
    assert_eq!(compressed.header("ETag"), Some("W/\"v2\""));
    for (target, lines) in [
        ("/api/long", "Accept-Encoding: gzip;q=0, *;q=1\r\n"),
        ("/api/long", "Accept-Encoding: identity\r\n"),
        ("/api/tagged", "Accept-Encoding: gzip\r\n"),
        ("/picture", "Accept-Encoding: gzip\r\n"),
    ] {
        let answer = client.get_with(target, lines);
        assert_eq!(
            (answer.status, answer.header("Content-Encoding")),
            (200, None),
            "{target} {lines}"
        );
    }
    assert_eq!(client.get("/picture").header("Vary"), None);
}

#[test]
fn a_file_of_the_page_is_the_same_compressed_and_not() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for target in ["/index.html", "/style.css", "/icon.svg", "/js/main.js"] {
        // The build fills in index.html and removes comments.
        let folder = match target {
            "/icon.svg" => env!("CARGO_MANIFEST_DIR"),
            _ => env!("OUT_DIR"),
        };
        let file = std::fs::read(format!("{folder}/static{target}")).expect("the file");
        let plain = client.get(target);
        assert_eq!(
            (plain.header("Content-Encoding"), plain.header("Vary")),
            (None, Some("Accept-Encoding")),
            "{target}"
        );
        assert_eq!(
            plain.header("Content-Length"),
            Some(file.len().to_string().as_str()),
            "{target}"
        );
        assert_eq!(plain.body, file, "{target}");
        let compressed = client.get_with(target, "Accept-Encoding: gzip\r\n");
        assert_eq!(
            (compressed.decompressed(), compressed.header("Vary")),
            (file, Some("Accept-Encoding")),
            "{target}"
        );
        assert!(compressed.body.len() < plain.body.len(), "{target}");
        assert_eq!(
            compressed
                .header("ETag")
                .map(|tag| tag.trim_start_matches("W/")),
            plain.header("ETag"),
            "{target}"
        );
    }
}

#[test]
fn a_long_response_is_sent_in_chunks_or_ends_with_the_connection() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    let chunked = client.get("/chunks");
    assert_eq!(
        (
            chunked.header("Transfer-Encoding"),
            chunked.header("Content-Length")
        ),
        (Some("chunked"), None)
    );
    assert_eq!(chunked.body, twenty_chunks());
    let compressed = client.get_with("/chunks", "Accept-Encoding: gzip\r\nTE: identity\r\n");
    assert_eq!(
        (
            compressed.header("Transfer-Encoding"),
            compressed.decompressed()
        ),
        (Some("chunked"), twenty_chunks())
    );
    assert!(
        compressed.body.len() < chunked.body.len() / 3 * 2,
        "{}",
        compressed.body.len()
    );
    assert_eq!(client.get("/api/tagged").text(), "[1]");

    for lines in ["", "Connection: keep-alive\r\n"] {
        let old = server
            .client()
            .exchange(format!("GET /chunks HTTP/1.0\r\n{lines}\r\n"));
        assert_eq!(
            (
                old.header("Transfer-Encoding"),
                old.header("Content-Length")
            ),
            (None, None)
        );
        assert_eq!(
            (old.header("Connection"), &old.body),
            (Some("close"), &twenty_chunks())
        );
    }
    let compressed = server
        .client()
        .exchange("GET /chunks HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(compressed.decompressed(), twenty_chunks());
}

#[test]
fn other_methods_get_405_and_the_allowed_ones() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "get",
    ] {
        client.send_request(method, "/api/tagged", "");
        let answer = client.read();
        assert_eq!(
            (answer.status, answer.header("Allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
        assert!(answer.text().starts_with("{\"detail\":"));
    }
    client.send_request("POST", "/", "Content-Length: 100000\r\n");
    client.send([b'x'; 100_000]);
    let answer = client.read();
    assert_eq!(
        (answer.status, answer.header("Connection")),
        (405, Some("close"))
    );
    // The unread body causes no reset, which the client could see before the response.
    assert!(client.ends_without_reset());
}

#[test]
fn queries_are_decoded_even_if_they_are_long_or_unusual() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    let odd = client.get("/api/echo?a=1&a=%C3%A4&&b&=c&d==e&f=+%2B&g=%00;'\"<>[]{}|^`\\");
    let shown = r#"[("a", "1"), ("a", "ä"), ("b", ""), ("", "c"), ("d", "=e"), ("f", " +"), ("g", "\0;'\"<>[]{}|^`\\")]"#;
    assert_eq!((odd.status, odd.text().as_str()), (200, shown));
    let long = "x".repeat(8000);
    assert_eq!(
        client.get(&format!("/api/echo?q={long}")).text(),
        format!("[(\"q\", \"{long}\")]")
    );
    let many = client.get(&format!("/api/echo?{}", "a&".repeat(3000)));
    assert_eq!(
        (many.status, many.text().matches("\"a\"").count()),
        (200, 3000)
    );
    let too_long = client.get(&format!("/api/echo?q={}", "x".repeat(9000)));
    assert_eq!(
        (too_long.status, too_long.header("Connection")),
        (431, Some("close"))
    );
}

#[test]
fn broken_encodings_are_refused_and_the_connection_stays_open() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for target in [
        "/%",
        "/%f",
        "/%gg",
        "/api/echo?a=%",
        "/%ff",
        "/api/echo?%c3%28",
        "/%0d%0aEvil:1",
    ] {
        let answer = client.get(target);
        assert_eq!(
            (answer.status, answer.header("Content-Type")),
            (400, Some("application/json")),
            "{target}"
        );
    }
    let escaped = client.get("/api/%74agged");
    assert_eq!(escaped.text(), "[1]");
    for target in [
        "/../etc/passwd",
        "/%2e%2e/static/index.html",
        "/js/../index.html",
        "/js/",
        "/INDEX.HTML",
    ] {
        assert_eq!(client.get(target).status, 404, "{target}");
    }
    assert_eq!(
        client.get("/api/%22%3Cx").text(),
        r#"{"detail":"/api/\"<x: not found"}"#
    );
    let injected = client.get("/injected");
    assert_eq!(
        (injected.header("ETag"), injected.header("Evil")),
        (None, None)
    );
}

#[test]
fn an_unknown_host_gets_403_that_names_allowed_hosts() {
    let allowed = DashboardConfig {
        allowed_hosts: vec!["ping.example.org".into()],
        ..config()
    };
    let server = Server::start(&allowed, Limits::DEFAULT);
    let mut client = server.client();
    let mut status =
        |host: &str| client.exchange(format!("GET /api/tagged HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let name = ace_connection_logger::sys::host_name();
    for host in [
        "localhost",
        "LocalHost:80",
        "127.0.0.1:8501",
        "[::1]",
        "ping.example.org:443",
        &name,
        &format!("{name}.local:1"),
    ] {
        assert_eq!(status(host).status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.2",
        "localhost.evil.example",
        "<script>",
        "a\u{7f}\u{80}",
    ] {
        let answer = status(host);
        if host.contains('\u{7f}') {
            // Not a valid header: the connection ends.
            assert_eq!(answer.status, 400);
        } else {
            assert_eq!(
                (answer.status, answer.header("Content-Type")),
                (403, Some("text/plain; charset=utf-8")),
                "{host}"
            );
            assert!(
                answer.text().contains("dashboard.allowed_hosts"),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(
        server.client().exchange("GET / HTTP/1.1\r\n\r\n").status,
        400
    );
    assert_eq!(
        server.client().exchange("GET / HTTP/1.0\r\n\r\n").status,
        200
    );
}

#[test]
fn a_connection_stays_open_until_one_side_closes_it() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    for _ in 0..100 {
        assert_eq!(
            client.get("/api/tagged").header("Connection"),
            Some("keep-alive")
        );
    }
    assert_eq!(
        client
            .get_with("/api/tagged", "Connection: close\r\n")
            .header("Connection"),
        Some("close")
    );
    assert!(client.is_closed_within(Duration::from_secs(3)));

    let mut old = server.client();
    let kept = old.exchange("GET /api/tagged HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_eq!(
        (kept.header("Connection"), kept.text().as_str()),
        (Some("keep-alive"), "[1]")
    );
    assert_eq!(
        old.exchange("GET /api/tagged HTTP/1.0\r\n\r\n")
            .header("Connection"),
        Some("close")
    );
    assert!(old.is_closed_within(Duration::from_secs(3)));
}

#[test]
fn an_idle_connection_is_closed_without_a_response() {
    let server = Server::start(
        &config(),
        Limits {
            idle_timeout: Duration::from_millis(200),
            ..Limits::DEFAULT
        },
    );
    let began = Instant::now();
    let (mut fresh, mut used) = (server.client(), server.client());
    assert_eq!(used.get("/api/tagged").status, 200);
    for client in [&mut fresh, &mut used] {
        assert!(client.is_closed_within(Duration::from_secs(3)));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::with_default_limits();
    let mut client = server.client();
    let mut all = String::new();
    for number in 0..50 {
        all += &format!("GET /api/echo?n={number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    all += "\r\nHEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nPOST / HTTP/1.1\nHost: localhost\n\nGET /chunks HTTP/1.1\r\nHost: localhost\r\n\r\n";
    all += "GET /api/tagged HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Cut into pieces of 61 bytes, so that requests do not begin where a piece does.
    for piece in all.as_bytes().chunks(61) {
        client.send(piece);
    }
    for number in 0..50 {
        assert_eq!(client.read().text(), format!("[(\"n\", \"{number}\")]"));
    }
    assert_eq!(client.read_head().status, 200);
    assert_eq!(client.read().status, 405);
    assert_eq!(client.read().body, twenty_chunks());
    assert_eq!(client.read().text(), "[1]");
    assert!(client.is_closed_within(Duration::from_secs(3)));
}

#[test]
fn a_base_path_is_removed_and_its_slash_added_by_redirect() {
    let server = Server::start(
        &DashboardConfig {
            base_path: "/ping".into(),
            ..config()
        },
        Limits::DEFAULT,
    );
    let mut client = server.client();
    assert!(client.get("/ping/").text().contains("<h1"));
    assert_eq!(client.get("/ping/api/tagged").text(), "[1]");
    let moved = client.get("/ping?range=7d");
    assert_eq!(
        (moved.status, moved.header("Location")),
        (308, Some("/ping/?range=7d"))
    );
    assert_eq!(client.get("/api/tagged").text(), "[1]");
}

#[test]
fn localhost_is_both_loopback_addresses_and_a_taken_port_is_named() {
    let start = |host: &str, port| {
        WebServer::start(
            &DashboardConfig {
                host: host.into(),
                port,
                ..config()
            },
            std::sync::Arc::new(TestHandler::default()),
        )
    };
    let web = start("localhost", 0).expect("a port is free");
    let addresses = web.addresses();
    assert!(
        addresses
            .iter()
            .all(|address| address.ip().is_loopback() && address.port() == addresses[0].port())
    );
    for address in &addresses {
        assert_eq!(
            client::Client::connect(*address).get("/api/tagged").status,
            200
        );
    }
    if TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(addresses.len(), 2);
    }
    for host in ["localhost", "127.0.0.1"] {
        match start(host, addresses[0].port()) {
            Err(WebError::Taken { address }) => assert_eq!(address, addresses[0].to_string()),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("two servers at one port"),
        }
    }
    // An address for documentation, RFC 5737: no machine has it.
    match start("192.0.2.1", 8501) {
        Err(WebError::Bind { address, .. }) => assert_eq!(address, "192.0.2.1:8501"),
        other => panic!("{:?}", other.err()),
    }
    web.stop();
    start("localhost", addresses[0].port())
        .expect("the port is free again")
        .stop();
}

/// The warnings of all tests.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct WarningLog;

impl log::Log for WarningLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS
                .lock()
                .expect("no test panics while it logs")
                .push(record.args().to_string());
        }
    }
    fn flush(&self) {}
}

#[test]
fn one_warning_is_logged_when_other_machines_can_connect() {
    log::set_logger(&WarningLog).expect("no other test sets a logger");
    log::set_max_level(log::LevelFilter::Warn);
    let server = Server::with_default_limits();
    let open = Server::start(
        &DashboardConfig {
            host: "0.0.0.0".into(),
            ..config()
        },
        Limits::DEFAULT,
    );
    let warnings = |server: &Server| {
        let logged = WARNINGS.lock().expect("as above");
        logged
            .iter()
            .filter(|line| line.contains(&server.address.to_string()))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(&server), [""; 0]);
    let warnings = warnings(&open);
    assert!(
        warnings.len() == 1
            && warnings[0].contains("without password")
            && warnings[0].contains("docs/reverse-proxy.md"),
        "{warnings:?}"
    );
    // The address at which a request arrives is an allowed host.
    let mut client = client::Client::connect(([127, 0, 0, 2], open.address.port()).into());
    assert_eq!(
        client
            .exchange("GET /api/tagged HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")
            .status,
        200
    );
    assert_eq!(
        client
            .exchange("GET /api/tagged HTTP/1.1\r\nHost: 127.0.0.3\r\n\r\n")
            .status,
        403
    );
}

#[test]
fn stopping_closes_open_connections_within_half_a_second() {
    let server = Server::with_default_limits();
    let mut clients: Vec<_> = (0..5).map(|_| server.client()).collect();
    assert_eq!(clients[0].get("/api/tagged").status, 200);
    clients[1].send("GET / HT");
    clients[2].send_request("GET", "/endless", "");
    clients[3].send_request("GET", "/slow", "");
    assert_eq!(clients[2].read_head().status, 200);
    let began = Instant::now();
    server.web.stop();
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    for client in &mut clients {
        assert!(client.is_closed_within(Duration::from_secs(2)));
    }
}
