//! Engines that fail, hang, refuse, redirect, answer garbage, or close in the middle.

use std::time::Duration;

use super::engine::Behaviour;
use super::*;

fn section(engine: &Engine) -> String {
    format!(
        "{{url: '{}', batch_seconds: 1, timeout_seconds: 1}}",
        engine.url()
    )
}

#[test]
fn after_any_misbehaviour_the_engine_holds_what_the_database_holds() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(20_000)).into());
    let cases = [
        (
            "500",
            vec![Behaviour::Answer(
                "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno",
            )],
        ),
        (
            "429",
            vec![Behaviour::Answer(
                "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n\r\n",
            )],
        ),
        (
            "503 with a date",
            vec![Behaviour::Answer(
                "HTTP/1.1 503 x\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n",
            )],
        ),
        (
            "a redirect",
            vec![Behaviour::Answer(
                "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
            )],
        ),
        (
            "the page of another server",
            vec![Behaviour::Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>",
            )],
        ),
        (
            "401",
            vec![Behaviour::Answer(
                "HTTP/1.1 401 x\r\nContent-Length: 999999999999\r\n\r\nno",
            )],
        ),
        (
            "404",
            vec![Behaviour::Answer(
                "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            )],
        ),
        (
            "garbage",
            vec![Behaviour::Answer("\x00\x01 garbage \r\n\r\n")],
        ),
        ("nothing", vec![Behaviour::Answer("")]),
        ("an endless head", vec![Behaviour::Answer(long)]),
        ("it hangs", vec![Behaviour::Hang(Duration::from_secs(3))]),
        ("it closes at once", vec![Behaviour::CloseAfter(0)]),
        ("it closes in the head", vec![Behaviour::CloseAfter(30)]),
        ("it closes in the body", vec![Behaviour::CloseAfter(5000)]),
        ("no answer though stored", vec![Behaviour::StoreAndClose]),
        (
            "half an answer though stored",
            vec![Behaviour::StoreAndCloseInReply],
        ),
        (
            "100 first",
            vec![Behaviour::Answer(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 x\r\n\r\n",
            )],
        ),
    ];
    // Most of it is waiting.
    std::thread::scope(|scope| {
        for (what, behaviours) in cases {
            scope.spawn(move || {
                let (engine, site) = (Engine::start(), Site::new(2, 100));
                engine.behave(behaviours);
                site.send_all(&section(&engine));
                site.expect_same(&engine);
                assert_eq!(site.state().failure, None, "{what}");
                assert_eq!(site.state().refused, 0, "{what}");
                assert!(engine.requests() >= 2, "{what}");
            });
        }
    });
}

#[test]
fn what_fails_is_recorded_with_its_reason_until_it_works() {
    let (engine, site) = (Engine::start(), Site::new(1, 10));
    engine.always(Behaviour::Answer(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\n\r\nwho are you?",
    ));
    site.send_until(&section(&engine), "the failure", |site| {
        site.state().failure.is_some()
    });
    let failure = site.state().failure.expect("a failure");
    assert_eq!(
        (failure.text.as_str(), failure.output.as_str()),
        ("401 Unauthorized", "who are you?")
    );
    assert!(site.unpushed().oldest.is_some());
    engine.always(Behaviour::Accept);
    site.send_until(&section(&engine), "the recovery", |site| {
        site.state().failure.is_none()
    });
    site.expect_same(&engine);
    // Nobody listens.
    let address = engine.address;
    drop(engine);
    for check in checks(1, 20, START + 50_000) {
        assert!(site.writer().handle().record(check));
    }
    let section = format!("{{url: 'http://{address}/write?db=ace', batch_seconds: 1}}");
    site.send_until(&section, "the refusal", |site| {
        site.state().failure.is_some()
    });
    let text = site.state().failure.expect("a failure").text;
    assert!(
        text.starts_with("connecting: 127.0.0.1: Connection refused"),
        "{text}"
    );
}

#[test]
fn a_sample_that_is_refused_is_found_skipped_and_counted() {
    let (engine, site) = (Engine::start(), Site::new(2, 300));
    // Of one second, one host.
    let refused = format!(" {}000000\n", START + 77_000);
    engine.always(Behaviour::RefuseLinesWith(Box::leak(
        refused.into_boxed_str(),
    )));
    site.send_all(&section(&engine));
    let state = site.state();
    assert_eq!(state.refused, 1, "{state:?}");
    let refusal = state.refusal.expect("a refusal");
    assert_eq!(
        (refusal.text.as_str(), refusal.output.as_str()),
        ("400 Bad Request", "not  [1mme")
    );
    let mut expected = points(&site.path(), &[]);
    let before = expected.len();
    expected.retain(|(measurement, _, at), _| {
        measurement != "ace_check" || *at != (START + 77_000) * 1_000_000
    });
    assert_eq!(expected.len(), before - 1);
    assert_same(&engine.points(), &expected);
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    let (engine, site) = (Engine::start(), Site::new(2, 300));
    engine.always(Behaviour::RefuseMoreThan(40));
    site.send_all(&section(&engine));
    site.expect_same(&engine);
    assert_eq!(site.state().refused, 0);
}

#[test]
fn a_reply_in_chunks_ends_with_the_last_one_though_the_connection_stays_open() {
    const FAILED: &str =
        "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
    let (engine, site) = (Engine::start(), Site::new(1, 50));
    let stay = Behaviour::AnswerAndStay(FAILED, Duration::from_secs(60));
    engine.behave([stay.clone(), stay]);
    let section = format!("{{url: '{}', batch_seconds: 1}}", engine.url());
    let began = Instant::now();
    site.send_all(&section);
    assert!(began.elapsed() < Duration::from_secs(20));
    site.expect_same(&engine);
}

#[test]
fn an_engine_that_refuses_everything_skips_nothing() {
    for (hosts, count) in [(1, 1), (2, 300)] {
        let (engine, site) = (Engine::start(), Site::new(hosts, count));
        engine.always(Behaviour::RefuseLinesWith("ace_"));
        site.send_until(&section(&engine), "the failure", |site| {
            site.state().failure.is_some()
        });
        assert!(engine.requests() < 100, "{}", engine.requests());
        let state = site.state();
        assert_eq!(state.refused, 0);
        assert_eq!(
            state.failure.expect("a failure").text,
            "400 Bad Request, for all that is sent"
        );
        engine.always(Behaviour::Accept);
        site.send_all(&section(&engine));
        site.expect_same(&engine);
    }
}

#[test]
fn what_is_too_old_for_the_engine_does_not_hold_up_the_rest() {
    const BEYOND: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 70\r\n\r\n{\"error\":\"partial write: points beyond retention policy dropped=5000\"}\n";
    let (engine, site) = (Engine::start(), Site::new(2, 3000));
    // The events, and the first checks.
    engine.behave([Behaviour::Answer(BEYOND), Behaviour::Answer(BEYOND)]);
    site.send_all(&section(&engine));
    assert!(site.state().refused > 3000, "{:?}", site.state());
    assert!(engine.requests() < 10, "{}", engine.requests());
    assert!(!engine.points().is_empty());
}

#[test]
fn a_token_is_sent_and_told_to_nobody() {
    let (engine, site) = (Engine::start(), Site::new(1, 5));
    let token = site.folder.write("token", "s3cret\n");
    engine.always(Behaviour::Answer(
        "HTTP/1.1 403 s3cret\r\n\r\nno Token s3cret for /write?db=ace&p=geheim",
    ));
    let section = format!(
        "{{url: '{}&p=geheim', batch_seconds: 1, token_file: '{}'}}",
        engine.url(),
        token.display()
    );
    site.send_until(&section, "the failure", |site| {
        site.state().failure.is_some()
    });
    let failure = site.state().failure.expect("a failure");
    assert_eq!(
        (failure.text.as_str(), failure.output.as_str()),
        ("403 ***", "no Token *** for /write?***")
    );
    engine.always(Behaviour::Accept);
    site.send_all(&section);
    assert!(
        engine
            .state()
            .heads
            .iter()
            .all(|head| head.contains("\r\nAuthorization: Token s3cret"))
    );
    let config = push_config(&section);
    assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
    for (content, why) in [("", "is empty"), ("a\nb", "more than one line")] {
        site.folder.write("token", content);
        for check in checks(1, 5, START + 50_000) {
            assert!(site.writer().handle().record(check));
        }
        site.send_until(&section, "the failure", |site| {
            site.state()
                .failure
                .is_some_and(|failure| failure.text.contains(why))
        });
    }
}
