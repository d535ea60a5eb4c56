//! What the server bears: after each of these it answers an ordinary request within a second, and
//! its memory is bounded.

use std::time::{Duration, Instant};

use ace_connection_logger::web::Limits;
use socket2::SockRef;

use crate::client::{ChildServer, Client, PAGE_BYTES, Server, config};

/// Enough for every test but the one that is about it.
const FILES: u32 = 512;
/// What a server may grow by, whatever is done to it: 64 small stacks, heads and pages, and the
/// allocator's own waste.
const MAX_GROWTH_KB: u64 = 8 * 1024;

/// Does something to a server, then looks whether it is still well.
fn bears(abuse: impl FnOnce(&ChildServer)) {
    let server = ChildServer::start(FILES);
    server.answers_as_ever();
    let before = server.memory_kb("VmRSS");
    abuse(&server);
    server.answers_as_ever();
    let peak = server.memory_kb("VmHWM");
    eprintln!("{before} kB before, {peak} kB at most");
    assert!(
        peak < before + MAX_GROWTH_KB,
        "{before} kB before, {peak} kB at most"
    );
    assert!(server.threads() <= 64 + 8, "{} threads", server.threads());
}

#[test]
fn five_hundred_idle_connections() {
    bears(|server| {
        let idle: Vec<Client> = (0..500)
            .map(|number| {
                let mut client = server.client();
                // Every other one has begun to say something.
                client.send(if number % 2 == 0 {
                    ""
                } else {
                    "GET / HTTP/1.1\r\nX: "
                });
                client
            })
            .collect();
        server.answers_as_ever();
        drop(idle);
    });
}

#[test]
fn endless_responses_to_clients_that_refuse_chunks() {
    bears(|server| {
        for request in [
            "GET /endless HTTP/1.0\r\n\r\n",
            "GET /endless HTTP/1.1\r\nHost: localhost\r\nTE: identity\r\n\r\n",
            "GET /endless HTTP/1.1\r\nHost: localhost\r\nTE: identity;q=1, chunked;q=0\r\nAccept-Encoding: gzip\r\n\r\n",
        ] {
            let mut client = server.client();
            client.send(request);
            assert_eq!(client.read_head().status, 200);
            let mut bytes = vec![0; 4096];
            for _ in 0..2000 {
                std::io::Read::read_exact(&mut client.stream, &mut bytes).expect("it goes on");
            }
        }
    });
}

#[test]
fn clients_that_never_read() {
    bears(|server| {
        let clients: Vec<Client> = (0..100)
            .map(|number| {
                let mut client = server.client();
                client.ask("GET", "/endless", "");
                // All places are taken by answers that have begun.
                if number < 64 {
                    assert_eq!(client.read_head().status, 200);
                }
                client
            })
            .collect();
        server.answers_as_ever();
        server.answers_as_ever();
        drop(clients);
    });
}

#[test]
fn ten_megabytes_of_header() {
    bears(|server| {
        let mut client = server.client();
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
        for _ in 0..10 * 1024 {
            client.send([b'x'; 1024]);
        }
        drop(client);
        let mut client = server.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(1200)
        ));
        assert_eq!(client.read().status, 431);
    });
}

#[test]
fn lengths_that_no_body_has() {
    bears(|server| {
        for (line, status) in [
            ("Content-Length: 1e15", 400),
            ("Content-Length: 1000000000000000", 413),
            ("Content-Length: 99999999999999999999999999999999", 413),
            ("Content-Length: -1", 400),
            ("Transfer-Encoding: chunked", 400),
        ] {
            for method in ["GET", "POST"] {
                let mut client = server.client();
                client.ask(method, "/", &format!("{line}\r\n"));
                let answer = client.read();
                let expected = if method == "GET" { status } else { 405 };
                assert_eq!(
                    (answer.status, answer.header("Connection")),
                    (expected, Some("close")),
                    "{method} {line}"
                );
            }
        }
    });
}

#[test]
fn resets_after_the_request() {
    bears(|server| {
        for number in 0..300 {
            let mut client = server.client();
            client.ask(
                "GET",
                ["/", "/pages", "/endless", "/api/tagged"][number % 4],
                "",
            );
            if number % 3 == 0 {
                client.read_head();
            }
            SockRef::from(&client.stream)
                .set_linger(Some(Duration::ZERO))
                .expect("an option");
        }
    });
}

#[test]
fn random_bytes() {
    bears(|server| {
        let mut state = 42u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let request =
            b"GET /api/echo?a=%41 HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip;q=1\r\nIf-None-Match: \"a\"\r\n\r\n";
        for round in 0..400 {
            let mut client = server.client();
            let mut bytes: Vec<u8> = if round % 2 == 0 {
                (0..300).map(|_| random()).collect()
            } else {
                request.repeat(2)
            };
            for _ in 0..1 + random() % 8 {
                let at = usize::from(random()) % bytes.len();
                bytes[at] = random();
            }
            client.send(bytes);
        }
        // TLS, and the first words of HTTP/2.
        assert_eq!(
            server
                .client()
                .exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
                .status,
            400
        );
        assert!(
            server
                .client()
                .exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                .status
                >= 400
        );
        assert_eq!(
            server
                .client()
                .exchange("GET / HTTP/1.2\r\nHost: localhost\r\n\r\n")
                .status,
            505
        );
    });
}

#[test]
fn file_descriptors_used_up_by_connections() {
    // Standard streams, listener and stop flag are five; forty clients are too many.
    let server = ChildServer::start(32);
    let clients: Vec<Client> = (0..40).map(|_| server.client()).collect();
    server.answers_as_ever();
    drop(clients);
    server.answers_as_ever();
}

#[test]
fn file_descriptors_used_up_by_others() {
    let mut server = ChildServer::start(32);
    server.turn_descriptors();
    let mut client = server.client();
    client.ask("GET", "/api/tagged", "");
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.cpu_ticks() - before < 10, "it spins");
    server.turn_descriptors();
    assert_eq!(client.read().text(), "[1]");
    server.answers_as_ever();
}

#[test]
fn a_byte_at_a_time_does_not_extend_the_time_for_a_head() {
    let server = Server::start(
        &config(),
        Limits {
            head_timeout: Duration::from_millis(400),
            ..Limits::DEFAULT
        },
    );
    let mut slow = server.client();
    let began = Instant::now();
    slow.send("GET / HTTP/1.1\r\nX: ");
    while !slow.has_something_to_read() {
        assert!(began.elapsed() < Duration::from_secs(3));
        slow.send("x");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(400),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(slow.read().status, 408);
    assert!(slow.is_closed_within(Duration::from_secs(3)));
    assert_eq!(server.client().get("/api/tagged").status, 200);
}

#[test]
fn pages_are_made_no_faster_than_they_are_read() {
    let server = Server::usual();
    let mut slow = server.client();
    // Fixed, or the kernel would let this side hold more the more it reads.
    SockRef::from(&slow.stream)
        .set_recv_buffer_size(128 * 1024)
        .expect("an option");
    slow.ask("GET", "/endless", "");
    assert_eq!(slow.read_head().status, 200);
    let settled = settled(&server);
    // What the kernel holds for both ends, and the page that is on its way.
    assert!(settled * PAGE_BYTES < 1024 * 1024, "{settled} pages");
    let mut bytes = vec![0; 64 * PAGE_BYTES];
    std::io::Read::read_exact(&mut slow.stream, &mut bytes).expect("it goes on");
    let after = self::settled(&server);
    assert!(
        after > settled && after <= settled + 80,
        "{settled} pages, then {after}"
    );
}

/// Waits until so many slow answers are in the making.
fn wait_for(server: &Server, count: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    while server.pages_made() < count {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many pages are made until no more are.
fn settled(server: &Server) -> usize {
    let mut known = server.pages_made();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        match server.pages_made() {
            same if same == known => return same,
            more => known = more,
        }
    }
}

#[test]
fn a_response_that_is_not_read_ends_at_its_deadline() {
    let (answer, patience) = (Duration::from_millis(300), Duration::from_secs(3600));
    let server = Server::start(
        &config(),
        Limits {
            write_timeout: answer,
            stall_tolerance: patience,
            connections: 1,
            ..Limits::DEFAULT
        },
    );
    let mut never = server.client();
    let began = Instant::now();
    never.ask("GET", "/endless", "");
    assert_eq!(never.read_head().status, 200);
    // There is but one place, and nobody is closed for another.
    assert_eq!(server.client().get("/api/tagged").text(), "[1]");
    assert!(
        began.elapsed() >= answer && began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_long_answer_ends_at_its_deadline_however_well_it_is_read() {
    let server = Server::start(
        &config(),
        Limits {
            chunks_timeout: Duration::from_millis(500),
            ..Limits::DEFAULT
        },
    );
    let began = Instant::now();
    let mut client = server.client();
    client.ask("GET", "/endless", "");
    let mut bytes = vec![0; 256 * 1024];
    while std::io::Read::read(&mut client.stream, &mut bytes).is_ok_and(|len| len > 0) {
        assert!(began.elapsed() < Duration::from_secs(3));
    }
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn the_longest_waiting_connection_is_closed_and_a_busy_one_stays() {
    let server = Server::start(
        &config(),
        Limits {
            connections: 4,
            ..Limits::DEFAULT
        },
    );
    let mut busy = server.client();
    busy.ask("GET", "/slow", "");
    wait_for(&server, 1);
    // The order in which they come is the order in which they are accepted.
    let mut waiting: Vec<Client> = (0..3).map(|_| server.client()).collect();
    // It asks for something, and so has waited less than the next one.
    assert_eq!(waiting[2].get("/api/tagged").status, 200);
    assert_eq!(waiting[0].get("/api/tagged").status, 200);
    assert_eq!(server.client().get("/api/tagged").status, 200);
    assert!(waiting[1].is_closed_within(Duration::from_secs(1)));
    assert_eq!(waiting[0].get("/api/tagged").status, 200);
    assert_eq!(busy.read().text(), "at last");
}

#[test]
fn a_new_connection_waits_while_every_slot_is_handling_a_request() {
    let server = Server::start(
        &config(),
        Limits {
            connections: 2,
            ..Limits::DEFAULT
        },
    );
    let mut busy: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut busy {
        client.ask("GET", "/slow", "");
    }
    wait_for(&server, 2);
    assert_eq!(server.client().get("/api/tagged").text(), "[1]");
    for client in &mut busy {
        assert_eq!(client.read().text(), "at last");
    }
}

#[test]
fn a_long_response_is_closed_when_all_slots_are_taken() {
    bears(|server| {
        // They read as fast as they can.
        let readers: Vec<_> = (0..64)
            .map(|_| {
                let mut client = server.client();
                client.ask("GET", "/endless", "");
                assert_eq!(client.read_head().status, 200);
                std::thread::spawn(
                    move || while !client.is_closed_within(Duration::from_secs(1)) {},
                )
            })
            .collect();
        server.answers_as_ever();
        server.answers_as_ever();
        drop(readers);
    });
}
