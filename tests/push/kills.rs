//! The monitor and the engine are killed at random, with a seed: afterwards the engine holds exactly
//! what the database holds.

use std::process::{Child, Command, Stdio};

use super::engine::Behaviour;
use super::real::now_ms;
use super::*;
use common::bin;

/// A check every 200 ms of this machine, over both versions of IP.
pub const MONITOR: &str =
    "monitoring: {interval_seconds: 0.2, ping_count: 2, ping_spacing_ms: 20, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
hosts: [{name: here, address: 127.0.0.1}, {name: also here, address: '::1'}]
";

fn start(folder: &TempDir) -> Child {
    start_with(folder, &["--no-dashboard"])
}

pub fn start_with(folder: &TempDir, arguments: &[&str]) -> Child {
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.path().join("log"))
        .expect("a log file");
    Command::new(bin())
        .arg("monitor")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program starts")
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
}

fn kill_at_random(kills: u64, seed: u64) {
    let mut random = Random::new(seed);
    let mut engine = Engine::start();
    let folder = TempDir::new();
    let section = format!(
        "{{url: '{}', batch_seconds: 0.1, timeout_seconds: 1}}",
        engine.url()
    );
    folder.write("config.yaml", &format!("{MONITOR}push: {section}\n"));
    let mut monitor = start(&folder);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(100 + random.below(500)));
        if random.below(2) == 0 {
            monitor.kill().expect("it runs");
            monitor.wait().expect("it is our child");
            monitor = start(&folder);
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
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let database = database::connect(&folder.path().join(FILE));
        let at = database.query_row(newest, [], |row| row.get::<_, i64>(0));
        if at.is_ok_and(|at| at > began) {
            break;
        }
        assert!(Instant::now() < deadline, "no check is recorded");
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&monitor, "TERM");
    assert!(monitor.wait().expect("it is our child").success());
    let mut site = Site {
        folder,
        writer: None,
    };
    let at_end = engine.points().len();
    assert!(at_end > 0, "nothing had been sent, the seed is {seed}");
    site.writer = Some(site.start_writer());
    site.send_all(&section);
    site.expect_same(&engine);
    let log = std::fs::read_to_string(site.folder.path().join("log")).expect("a log");
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
