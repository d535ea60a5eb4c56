//! packaging/mqtt/ace-mqtt with a real broker: what Home Assistant is told of a host that answers, of
//! one that does not, and of one that is no longer there.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::monitor::Monitor;
use common::namespace::{SocketKind, in_namespace, is_available};
use common::{Finished, TempDir, http, run, skip};
use serde_json::{Value, json};

const PROGRAMS: [&str; 5] = ["mosquitto", "mosquitto_pub", "mosquitto_sub", "curl", "jq"];

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/mqtt/ace-mqtt")
}

/// Whether the programs are there that the script needs.
fn has_programs(test: &str) -> bool {
    // mosquitto is where only root looks for programs on some systems.
    let folders = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let is_there =
        |program: &str| std::env::split_paths(&folders).any(|folder| folder.join(program).exists());
    match PROGRAMS.iter().find(|program| !is_there(program)) {
        Some(program) => {
            skip(test, &format!("{program} is not installed"));
            false
        }
        None => true,
    }
}

/// A broker at a port of its namespace.
struct Broker(Child);

const PORT: &str = "18831";

impl Broker {
    /// Returns when it accepts connections.
    fn start(folder: &TempDir) -> Broker {
        let configuration = format!("listener {PORT} 127.0.0.1\nallow_anonymous true\n");
        let file = folder.write("mosquitto.conf", &configuration);
        let mut broker = Command::new("mosquitto")
            .arg("-c")
            .arg(file)
            .env(
                "PATH",
                std::env::var("PATH").unwrap_or_default() + ":/usr/sbin",
            )
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto starts");
        let log = BufReader::new(broker.stderr.take().expect("a pipe"));
        let is_running = log
            .lines()
            .map_while(Result::ok)
            .any(|line| line.ends_with("running"));
        assert!(is_running, "mosquitto ended");
        Broker(broker)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn publish(arguments: &[&str]) -> Finished {
    run(Command::new(script()).arg("--once").args(arguments))
}

/// What the broker has kept, by topic.
fn retained() -> BTreeMap<String, Value> {
    let listened = run(Command::new("mosquitto_sub").args([
        "-h",
        "127.0.0.1",
        "-p",
        PORT,
        "-t",
        "homeassistant/#",
        "--retained-only",
        "-W",
        "1",
        "-F",
        "%t %p",
    ]));
    let lines = listened.stdout.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (topic, message) = line.split_once(' ').expect("a message");
            (
                topic.to_string(),
                serde_json::from_str(message).expect(line),
            )
        })
        .collect()
}

const HOSTS: &str = "hosts:
- {name: 'Router, \"mine\" {{x}}', address: 127.0.0.1}
- {name: beyond, address: 10.10.0.1}
";
const ONE_MORE: &str = "- {name: again, address: localhost}\n";

#[test]
fn home_assistant_is_told_of_each_host_and_of_the_line_and_silence_is_a_loss_of_100() {
    let test = "home_assistant_is_told_of_each_host_and_of_the_line_and_silence_is_a_loss_of_100";
    if !has_programs(test) || !is_available(test) {
        return;
    }
    // Nothing answers beyond the TUN device.
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        let _broker = Broker::start(&folder);
        let quick = "monitoring: {interval_seconds: 1, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {flush_seconds: 0.2}
dashboard: {port: 18501}
";
        let monitor = Monitor::start_with(&format!("{quick}{HOSTS}{ONE_MORE}"), |command| {
            command.arg("monitor")
        });
        monitor.wait_for("a check of each host", |monitor| {
            ["127.0.0.1", "10.10.0.1", "localhost"]
                .iter()
                .all(|address| !monitor.checks(address).is_empty())
        });
        // Its own message tells the listener that the broker knows what it listens to.
        let ready = [
            "-h",
            "127.0.0.1",
            "-p",
            PORT,
            "-r",
            "-t",
            "test/ready",
            "-m",
            "ready",
        ];
        assert_eq!(run(Command::new("mosquitto_pub").args(ready)).code, Some(0));
        let listener = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", PORT, "-C", "2", "-W", "20", "-N"])
            .args(["-t", "test/ready", "-t", "ace/home/state"])
            .args(["-F", "%p\\n"])
            .stdout(Stdio::piped())
            .spawn();
        let mut listener = listener.expect("mosquitto_sub starts");
        let mut heard = BufReader::new(listener.stdout.take().expect("a pipe")).lines();
        let mut next = || heard.next().and_then(Result::ok).expect("a message");
        assert_eq!(next(), "ready");
        let url = "http://127.0.0.1:18501/";
        let published = publish(&[url, "home", "-h", "127.0.0.1", "-p", PORT]);
        assert_eq!((published.code, published.stderr.as_str()), (Some(0), ""));
        let state: Value = serde_json::from_str(&next()).expect("JSON");
        listener.wait().expect("it ends");
        let host = |id: &str, field: &str| state["hosts"][id][field].clone();
        let (router, silent) = ("127_46_0_46_0_46_1", "10_46_10_46_0_46_1");
        assert_eq!(host(router, "loss"), json!(0));
        assert_eq!(host(router, "name"), json!("Router, \"mine\" {{x}}"));
        assert_eq!(host(silent, "loss"), json!(100));
        assert_eq!(host(silent, "state"), json!("down"));
        assert_eq!(host(silent, "rtt_ms"), Value::Null);
        assert_eq!(state["line"], json!(true));

        let told = retained();
        let topics: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(
            topics,
            [
                "homeassistant/binary_sensor/ace_home/line/config",
                "homeassistant/sensor/ace_home/10_46_10_46_0_46_1/config",
                "homeassistant/sensor/ace_home/127_46_0_46_0_46_1/config",
                "homeassistant/sensor/ace_home/localhost/config",
            ]
        );
        let sensor = &told["homeassistant/sensor/ace_home/10_46_10_46_0_46_1/config"];
        assert_eq!(sensor["state_topic"], "ace/home/state");
        assert_eq!(
            sensor["value_template"],
            "{{ value_json.hosts['10_46_10_46_0_46_1'].loss }}"
        );
        assert_eq!(sensor["unit_of_measurement"], "%");
        assert_eq!(sensor["expire_after"], 90);
        let unique: std::collections::BTreeSet<String> = told
            .values()
            .map(|one| one["unique_id"].to_string())
            .collect();
        assert_eq!(unique.len(), 4);

        // A host is removed, and its entity with it.
        monitor
            .folder
            .write("config.yaml", &format!("{quick}{HOSTS}"));
        monitor.signal("HUP");
        monitor.wait_for("the reload", |_| {
            let status = http::get(SocketAddr::from(([127, 0, 0, 1], 18501)), "/api/status", "");
            status.json()["total_hosts"] == 2
        });
        let published = publish(&[url, "home", "-h", "127.0.0.1", "-p", PORT]);
        assert_eq!(published.code, Some(0), "{}", published.stderr);
        let left = retained();
        assert!(!left.contains_key("homeassistant/sensor/ace_home/localhost/config"));
        assert_eq!(left.len(), 3);
    });
}

#[test]
fn what_the_mqtt_script_cannot_use_is_named() {
    if !has_programs("what_the_mqtt_script_cannot_use_is_named") {
        return;
    }
    for (arguments, code, message) in [
        (&[][..], 64, "usage: ace-mqtt [--once] URL SITE"),
        (&["http://127.0.0.1:9"], 64, "usage"),
        (
            &["http://127.0.0.1:9", "my home"],
            64,
            "SITE must be of letters, digits, - and _, and is \"my home\"",
        ),
        (
            &["http://127.0.0.1:9", "home"],
            1,
            "nothing was published in this round",
        ),
    ] {
        let said = publish(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}");
        assert!(said.stderr.contains(message), "{}", said.stderr);
    }
    let said = run(Command::new(script())
        .args(["--once", "http://127.0.0.1:9", "home"])
        .env("ACE_MQTT_SECONDS", "0"));
    assert_eq!(said.code, Some(64));
    assert!(
        said.stderr
            .contains("ACE_MQTT_SECONDS must be a whole number")
    );
}
