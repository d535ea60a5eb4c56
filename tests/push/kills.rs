//! The monitor and the engine are killed at random, with a seed: afterwards the engine holds exactly
//! what the database holds.

use super::engine::Behaviour;
use super::real::now_ms;
use super::*;
use common::monitor::Monitor;

/// A check every 200 ms of this machine, over both versions of IP.
pub const MONITOR: &str =
    "monitoring: {interval_seconds: 0.2, ping_count: 2, ping_spacing_ms: 20, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
hosts: [{name: here, address: 127.0.0.1}, {name: also here, address: '::1'}]
";

fn kill_at_random(kills: u64, seed: u64) {
    let mut random = Random::new(seed);
    let mut engine = Engine::start();
    let section = format!(
        "{{url: '{}', batch_seconds: 0.1, timeout_seconds: 1}}",
        engine.url()
    );
    let mut monitor = Monitor::start(&format!("{MONITOR}push: {section}\n"));
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(100 + random.below(500)));
        if random.below(2) == 0 {
            monitor.restart();
        } else {
            let bytes = usize::try_from(random.below(2000)).expect("small");
            let fault = match random.below(3) {
                0 => Behaviour::CloseAfter(bytes),
                1 => Behaviour::StoreAndClose,
                _ => Behaviour::StoreAndCloseInReply,
            };
            engine.behave([fault]);
            engine = engine.restart_after(Duration::from_millis(random.below(300)));
        }
    }
    // A signal before the program has begun would end it as a kill does.
    let began = now_ms();
    let newest = "select coalesce(max(checked_at), 0) from check_result";
    monitor.wait_for("a check", |monitor| {
        let database = database::connect(&monitor.folder.path().join(FILE));
        let at = database.query_row(newest, [], |row| row.get::<_, i64>(0));
        at.is_ok_and(|at| at > began)
    });
    assert_eq!(monitor.stop("TERM").0, Some(0), "{}", monitor.log());
    let log = monitor.log();
    let mut site = Site {
        folder: std::mem::replace(&mut monitor.folder, TempDir::new()),
        writer: None,
    };
    let at_end = engine.points().len();
    assert!(at_end > 0, "nothing had been sent, the seed is {seed}");
    site.writer = Some(site.start_writer());
    site.send_all(&section);
    site.expect_same(&engine);
    assert!(!log.contains("panic"), "{log}");
    eprintln!(
        "seed {seed}: {} points, {at_end} at the end",
        engine.points().len()
    );
}

#[test]
fn kills_of_either_side_leave_no_gap() {
    kill_at_random(16, 1);
}

/// `cargo test --release --test push -- --ignored --nocapture a_hundred_kills`: two minutes.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills_of_either_side_leave_no_gap() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    kill_at_random(100, seed.unwrap_or(2));
}
