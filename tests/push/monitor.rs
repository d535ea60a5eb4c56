//! The monitor with the section `push`: SIGHUP, and what `status`, `doctor` and `/api/status` say.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use super::engine::{self, Behaviour, Points};
use super::kills::MONITOR;
use super::*;
use common::{bin, monitor, run};

struct Monitor {
    process: monitor::Monitor,
    port: u16,
}

impl Monitor {
    fn start(push: &str) -> Monitor {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let process = monitor::Monitor::start_with(&format!("{MONITOR}{push}"), |command| {
            command.args(["monitor", "--port", &port.to_string()])
        });
        Monitor { process, port }
    }

    fn log(&self) -> String {
        self.process.log()
    }

    /// What a command prints, whatever its exit status.
    fn command(&self, name: &str) -> String {
        let mut command = Command::new(bin());
        run(command.arg(name).current_dir(self.process.folder.path())).stdout
    }

    fn api(&self) -> serde_json::Value {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        common::http::get(address, "/api/status", "").json()
    }

    fn wait_for(&self, what: &str, mut is_true: impl FnMut() -> bool) {
        self.process.wait_for(what, |_| is_true());
    }

    fn stop(mut self) -> TempDir {
        assert_eq!(self.process.stop("TERM").0, Some(0), "{}", self.log());
        std::mem::replace(&mut self.process.folder, TempDir::new())
    }
}

#[test]
fn sighup_begins_changes_and_ends_the_sending() {
    let (first, second) = (Engine::start(), Engine::start());
    let section =
        |engine: &Engine| format!("push: {{url: '{}', batch_seconds: 0.1}}\n", engine.url());
    let monitor = Monitor::start("");
    monitor.wait_for("checks", || monitor.command("status").contains("up "));
    let reload = |push: &str| {
        let text = format!("{MONITOR}{push}");
        monitor.process.folder.write("config.yaml", &text);
        monitor.process.signal("HUP");
    };
    reload(&section(&first));
    monitor.wait_for("the first engine", || first.points().len() > 5);
    reload(&section(&second));
    monitor.wait_for("the second engine", || {
        second.points().len() > first.points().len()
    });
    reload("");
    let requests = |engine: &Engine| engine.requests();
    monitor.wait_for("the end", || {
        let before = requests(&second);
        std::thread::sleep(Duration::from_millis(600));
        requests(&second) == before
    });
    let folder = monitor.stop();
    let held = second.points();
    let database = points(&folder.path().join(FILE), &[]);
    assert!(
        held.len() < database.len(),
        "checks were recorded after the end"
    );
    assert!(held.keys().all(|key| database.contains_key(key)));
}

#[test]
fn other_labels_are_those_of_later_checks_and_no_check_is_sent_twice() {
    let engine = Engine::start();
    // What was sent is recorded with the next results, long after it.
    let config = MONITOR.replace("flush_seconds: 0.2", "flush_seconds: 2");
    let section = |site: &str| {
        let url = engine.url();
        format!("{config}push: {{url: '{url}', batch_seconds: 0.1, labels: {{site: {site}}}}}\n")
    };
    let mut monitor = monitor::Monitor::start(&section("a"));
    let held = |site: &str| {
        let is_of = |key: &&engine::Key| key.1.get("site").is_some_and(|value| value == site);
        engine.points().keys().filter(is_of).count()
    };
    monitor.wait_for("checks of a", |_| held("a") > 0);
    for (site, config) in [
        ("b", section("b")),
        ("", config.clone()),
        ("c", section("c")),
    ] {
        monitor.folder.write("config.yaml", &config);
        monitor.signal("HUP");
        if site.is_empty() {
            monitor.wait_for("the reload", |monitor| {
                monitor.log().matches("configuration reloaded").count() >= 2
            });
        } else {
            monitor.wait_for("more checks", |_| held(site) > 0);
        }
    }
    assert_eq!(monitor.stop("TERM").0, Some(0), "{}", monitor.log());
    let mut points = engine.points();
    let all = points.len();
    let without_site = |mut key: engine::Key| {
        key.1.remove("site");
        key
    };
    let single: Points = std::mem::take(&mut points)
        .into_iter()
        .map(|(key, fields)| (without_site(key), fields))
        .collect();
    assert_eq!(single.len(), all, "checks were sent with two labels");
}

#[test]
fn a_failure_is_said_once_in_the_log_and_by_status_doctor_and_api_until_it_is_over() {
    let engine = Engine::start();
    engine.always(Behaviour::Answer(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\n\r\nwho are you?",
    ));
    let push = format!(
        "push: {{url: '{}&p=geheim', batch_seconds: 0.1}}\n",
        engine.url()
    );
    let monitor = Monitor::start(&push);
    let name = format!("http://{}/write: 401 Unauthorized", engine.address);
    monitor.wait_for("the failure", || {
        monitor.command("status").contains("401 Unauthorized")
    });
    let status = monitor.command("status").replace('\n', " ");
    assert!(status.contains("push: checks from "), "{status}");
    assert!(status.contains("not sent yet: it fails since "), "{status}");
    let doctor = monitor.command("doctor");
    assert!(
        doctor.contains("it fails since ") && doctor.contains("who are you?"),
        "{doctor}"
    );
    assert!(
        doctor
            .lines()
            .any(|line| line.contains("FAILED") && line.contains(" push "))
    );
    let api = monitor.api();
    assert_eq!(api["push"]["reason"], "failed", "{api}");
    assert_eq!(api["push"]["failure"].as_str(), Some(name.as_str()));
    assert!(!api.to_string().contains("who are you?"));
    // It is tried again some times.
    monitor.wait_for("more requests", || engine.requests() >= 3);
    assert_eq!(
        monitor
            .log()
            .matches("what is recorded is kept and sent later")
            .count(),
        1
    );
    engine.always(Behaviour::Accept);
    monitor.wait_for("the recovery", || {
        monitor.log().contains("accepts again what is sent") && monitor.api()["push"].is_null()
    });
    assert!(!monitor.command("status").contains("push:"));
    assert!(
        monitor
            .command("doctor")
            .contains("the engine has what is recorded")
    );
    for text in [monitor.log(), status, doctor, api.to_string()] {
        assert!(!text.contains("geheim"), "{text}");
    }
    monitor.stop();
}
