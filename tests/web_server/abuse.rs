//! Abuse by clients: after each test the server still answers an ordinary request within a second,
//! and its memory is bounded.

use std::time::{Duration, Instant};

use ace_connection_logger::web::Limits;
use socket2::SockRef;

use crate::client::{CHUNK_BYTES, ChildServer, Client, LARGE_BYTES, Server, config};

/// Enough open files for every test except those about open files.
const FILES: u32 = 512;
/// How much the memory of a server may grow: 64 small stacks, heads and chunks, and the overhead of
/// the allocator.
const MAX_GROWTH_KB: u64 = 8 * 1024;

/// Runs `abuse`, then checks that the server responds and has bounded memory and threads.
fn survives(abuse: impl FnOnce(&ChildServer)) {
    let server = ChildServer::start(FILES);
    server.assert_responsive();
    let before = server.memory_kb("VmRSS");
    abuse(&server);
    server.assert_responsive();
    let peak = server.memory_kb("VmHWM");
    eprintln!("{before} kB before, {peak} kB maximum");
    assert!(
        peak < before + MAX_GROWTH_KB,
        "{before} kB before, {peak} kB maximum"
    );
    assert!(server.threads() <= 64 + 8, "{} threads", server.threads());
}

/// Clients that wait. Every other one has sent the beginning of a head.
fn idle_clients(server: &ChildServer, count: usize) -> Vec<Client> {
    let idle = |number: usize| {
        let mut client = server.client();
        client.send(if number.is_multiple_of(2) {
            ""
        } else {
            "GET / HTTP/1.1\r\nX: "
        });
        client
    };
    (0..count).map(idle).collect()
}

#[test]
fn five_hundred_idle_connections_do_not_block_others() {
    survives(|server| {
        let idle = idle_clients(server, 500);
        server.assert_responsive();
        drop(idle);
    });
}

#[test]
fn clients_that_refuse_chunks_get_endless_responses_in_bounded_memory() {
    survives(|server| {
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
                std::io::Read::read_exact(&mut client.stream, &mut bytes).expect("more chunks");
            }
        }
    });
}

#[test]
fn clients_that_never_read_do_not_block_others() {
    survives(|server| {
        let clients: Vec<Client> = (0..100)
            .map(|number| {
                let mut client = server.client();
                client.send_request("GET", "/endless", "");
                // All slots are taken by responses that have begun.
                if number < 64 {
                    assert_eq!(client.read_head().status, 200);
                }
                client
            })
            .collect();
        server.assert_responsive();
        server.assert_responsive();
        drop(clients);
    });
}

#[test]
fn ten_megabytes_of_headers_are_refused() {
    survives(|server| {
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
fn impossible_content_lengths_are_refused() {
    survives(|server| {
        for (line, status) in [
            ("Content-Length: 1e15", 400),
            ("Content-Length: 1000000000000000", 413),
            ("Content-Length: 99999999999999999999999999999999", 413),
            ("Content-Length: -1", 400),
            ("Transfer-Encoding: chunked", 400),
        ] {
            for method in ["GET", "POST"] {
                let mut client = server.client();
                client.send_request(method, "/", &format!("{line}\r\n"));
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
fn connections_reset_after_their_request_do_no_harm() {
    survives(|server| {
        for number in 0..300 {
            let mut client = server.client();
            client.send_request(
                "GET",
                ["/", "/chunks", "/endless", "/api/tagged"][number % 4],
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
fn random_bytes_do_no_harm() {
    survives(|server| {
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
        // TLS, the preface of HTTP/2, and an unknown version.
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
fn connections_that_use_up_all_descriptors_do_not_block_others() {
    // Standard streams, listener and stop flag are five descriptors; forty clients need too many.
    let server = ChildServer::start(32);
    let clients: Vec<Client> = (0..40).map(|_| server.client()).collect();
    server.assert_responsive();
    drop(clients);
    server.assert_responsive();
}

#[test]
fn accepting_waits_without_spinning_while_no_descriptor_is_free() {
    let mut server = ChildServer::start(32);
    server.toggle_descriptors();
    let mut client = server.client();
    client.send_request("GET", "/api/tagged", "");
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.cpu_ticks() - before < 10, "it spins while it waits");
    server.toggle_descriptors();
    assert_eq!(client.read().text(), "[1]");
    server.assert_responsive();
}

#[test]
fn sending_a_head_byte_by_byte_does_not_extend_its_deadline() {
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
    while !slow.is_readable() {
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
fn chunks_are_made_no_faster_than_they_are_read() {
    let server = Server::with_default_limits();
    let mut slow = server.client();
    // A fixed size, since the kernel would otherwise enlarge the buffer as it is read.
    SockRef::from(&slow.stream)
        .set_recv_buffer_size(128 * 1024)
        .expect("an option");
    slow.send_request("GET", "/endless", "");
    assert_eq!(slow.read_head().status, 200);
    let settled = chunks_when_stalled(&server);
    // The buffers of both ends, and the chunk that is being sent.
    assert!(settled * CHUNK_BYTES < 1024 * 1024, "{settled} chunks");
    let mut bytes = vec![0; 64 * CHUNK_BYTES];
    std::io::Read::read_exact(&mut slow.stream, &mut bytes).expect("more chunks");
    let after = chunks_when_stalled(&server);
    assert!(
        after > settled && after <= settled + 80,
        "{settled} chunks, then {after}"
    );
}

/// Waits until `count` slow responses have begun.
fn wait_for_slow(server: &Server, count: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    while server.chunks_made() < count {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until no more chunks are made, and returns their number.
fn chunks_when_stalled(server: &Server) -> usize {
    let mut known = server.chunks_made();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        match server.chunks_made() {
            same if same == known => return same,
            more => known = more,
        }
    }
}

#[test]
fn a_response_that_is_not_read_ends_at_its_deadline() {
    let (write_timeout, stall_tolerance) = (Duration::from_millis(300), Duration::from_secs(3600));
    let server = Server::start(
        &config(),
        Limits {
            write_timeout,
            stall_tolerance,
            connections: 1,
            ..Limits::DEFAULT
        },
    );
    let mut never = server.client();
    let began = Instant::now();
    never.send_request("GET", "/endless", "");
    assert_eq!(never.read_head().status, 200);
    // There is one slot, and a stalled client keeps it until its deadline.
    assert_eq!(server.client().get("/api/tagged").text(), "[1]");
    assert!(
        began.elapsed() >= write_timeout && began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_long_response_ends_at_its_deadline_even_if_it_is_read_fast() {
    let server = Server::start(
        &config(),
        Limits {
            chunks_timeout: Duration::from_millis(500),
            ..Limits::DEFAULT
        },
    );
    let began = Instant::now();
    let mut client = server.client();
    client.send_request("GET", "/endless", "");
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
    busy.send_request("GET", "/slow", "");
    wait_for_slow(&server, 1);
    // Accepted in the order in which they connect.
    let mut waiting: Vec<Client> = (0..3).map(|_| server.client()).collect();
    // After a request it has waited less than those without one.
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
        client.send_request("GET", "/slow", "");
    }
    wait_for_slow(&server, 2);
    assert_eq!(server.client().get("/api/tagged").text(), "[1]");
    for client in &mut busy {
        assert_eq!(client.read().text(), "at last");
    }
}

#[test]
fn clients_that_keep_every_slot_busy_leave_others_a_prompt_503() {
    let server = Server::start(
        &config(),
        Limits {
            connections: 2,
            ..Limits::DEFAULT
        },
    );
    let mut busy: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut busy {
        client.send_request("GET", "/question", "");
    }
    wait_for_slow(&server, 2);
    let began = Instant::now();
    let refused = server.client().get("/api/tagged");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("Retry-After"), Some("2"));
    // The others need not wait as long.
    for _ in 0..100 {
        assert_eq!(server.client().get("/api/tagged").status, 503);
    }
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    for client in &mut busy {
        assert_eq!(client.read().text(), "42");
    }
    assert_eq!(server.client().get("/api/tagged").status, 200);
}

#[test]
fn heavy_responses_are_made_one_at_a_time_and_too_many_get_a_prompt_503() {
    let server = Server::with_default_limits();
    let began = Instant::now();
    let mut greedy: Vec<Client> = (0..30).map(|_| server.client()).collect();
    for client in &mut greedy {
        client.send_request("GET", "/heavy", "");
    }
    wait_for_slow(&server, 1);
    // Not behind those that wait.
    assert_eq!(server.client().get("/api/tagged").text(), "[1]");
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    let answers: Vec<_> = greedy.iter_mut().map(Client::read).collect();
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(made.iter().all(|answer| answer.text() == "1"), "at once");
    assert_eq!((made.len(), refused.len()), (17, 13));
    for answer in refused {
        assert_eq!(
            (answer.status, answer.header("Retry-After")),
            (503, Some("2"))
        );
    }
}

#[test]
fn responses_that_nobody_reads_take_bounded_memory_and_make_room_for_others() {
    let server = ChildServer::start(FILES);
    server.assert_responsive();
    let before = server.memory_kb("VmRSS");
    let unread: Vec<Client> = (0..12)
        .map(|_| {
            let mut client = server.client();
            client.send_request("GET", "/large", "");
            client
        })
        .collect();
    let mut client = server.client();
    client.send_request("GET", "/large", "");
    let answer = client.read();
    assert_eq!((answer.status, answer.body.len()), (200, LARGE_BYTES));
    server.assert_responsive();
    // The one that is held, the two that are made, and what all tests allow.
    let most = 3 * LARGE_BYTES as u64 / 1024 + MAX_GROWTH_KB;
    let peak = server.memory_kb("VmHWM");
    assert!(
        peak < before + most,
        "{before} kB before, {peak} kB maximum"
    );
    drop(unread);
}

#[test]
fn all_kinds_of_greedy_clients_at_once_block_nobody() {
    survives(|server| {
        let idle = idle_clients(server, 300);
        let mut unread: Vec<Client> = (0..64).map(|_| server.client()).collect();
        for client in &mut unread {
            client.send_request("GET", "/endless", "");
        }
        let until = Instant::now() + Duration::from_secs(8);
        std::thread::scope(|scope| {
            // Read as fast as they can, are slow, and are reset; each again and again.
            for number in 0..64 {
                let client = || server.client();
                scope.spawn(move || {
                    while Instant::now() < until {
                        let mut client = client();
                        let path = ["/endless", "/slow", "/chunks", "/"][number % 4];
                        client.send_request("GET", path, "");
                        client.is_closed_within(Duration::from_millis(700));
                        let linger = (number % 3 == 0).then_some(Duration::ZERO);
                        let _ = SockRef::from(&client.stream).set_linger(linger);
                    }
                });
            }
            while Instant::now() < until {
                let began = Instant::now();
                let answer = server.client().get("/api/tagged");
                assert!([200, 503].contains(&answer.status), "{}", answer.status);
                let took = began.elapsed();
                assert!(took < Duration::from_secs(2), "{took:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        drop((idle, unread));
    });
}

#[test]
fn a_long_response_is_closed_when_all_slots_are_taken() {
    survives(|server| {
        // Even though they read as fast as they can.
        let readers: Vec<_> = (0..64)
            .map(|_| {
                let mut client = server.client();
                client.send_request("GET", "/endless", "");
                assert_eq!(client.read_head().status, 200);
                std::thread::spawn(
                    move || while !client.is_closed_within(Duration::from_secs(1)) {},
                )
            })
            .collect();
        server.assert_responsive();
        server.assert_responsive();
        drop(readers);
    });
}
