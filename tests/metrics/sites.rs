//! Sites with a monitor each, in network namespaces of their own, and a real Prometheus that scrapes
//! them.
//!
//! ```text
//! this thread      10.20.N.1 on vN, Prometheus at 127.0.0.1:9090
//! site N           10.20.N.2 on eth0, a monitor at port 8501 that pings 127.0.0.0/8
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::common::http;
use crate::common::{TempDir, bin};
use crate::packaged::folder;

/// Far longer than anything here takes.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A process that is ended with its test.
pub struct Process(Child);

impl Process {
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.0.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    pub fn wait(&mut self) {
        self.0.wait().expect("it is our child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: waited in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub struct Site {
    pub number: usize,
    /// Holds the namespace.
    holder: Process,
    pub folder: TempDir,
    pub monitor: Process,
}

impl Site {
    /// Makes the namespace and its link, runs `script` in it, and starts a monitor.
    pub fn start(number: usize, script: &str, config: &str) -> Site {
        let holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; exec sleep 1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = Process(holder.expect("unshare runs"));
        let mut ready = [0; 6];
        let output = holder.0.stdout.as_mut().expect("it is a pipe");
        output.read_exact(&mut ready).expect("it is ready");
        let pid = holder.0.id();
        shell(&format!(
            "ip link add v{number} type veth peer name eth0 netns {pid}
             ip addr add 10.20.{number}.1/24 dev v{number}
             ip link set v{number} up"
        ));
        let folder = TempDir::new();
        folder.write("config.yaml", config);
        let site = |monitor| Site {
            number,
            holder,
            folder,
            monitor,
        };
        // Any process will do until the network is there.
        let mut site = site(Process(Command::new("true").spawn().expect("true runs")));
        site.run(&format!(
            "ip link set lo up
             ip addr add 10.20.{number}.2/24 dev eth0
             ip link set eth0 up
             {script}"
        ));
        site.start_monitor();
        site
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.holder.0.id().to_string();
        command.args(["--net", "--target", &pid, "--", program]);
        command
    }

    /// Runs a shell script in the site.
    pub fn run(&self, script: &str) {
        let status = self.inside("sh").args(["-ec", script]).status();
        assert!(status.is_ok_and(|status| status.success()), "{script}");
    }

    /// Starts a monitor, after the one before has ended.
    pub fn start_monitor(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log file");
        let program = bin().to_str().expect("a path of ASCII").to_owned();
        let child = self
            .inside(&program)
            .arg("monitor")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.monitor = Process(child.expect("the program starts"));
    }

    pub fn reload(&self, config: &str) {
        self.folder.write("config.yaml", config);
        self.monitor.signal("HUP");
    }

    pub fn metrics(&self, headers: &str) -> http::Answer {
        let address =
            SocketAddr::from(([10, 20, u8::try_from(self.number).expect("few"), 2], 8501));
        let headers = format!("X-Host: none\r\n{headers}");
        http::get(address, "/metrics", &headers)
    }

    /// Where Prometheus scrapes it.
    pub fn instance(&self) -> String {
        format!("10.20.{}.2:8501", self.number)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn database(&self) -> Connection {
        let path = self.folder.path().join("connection_logs.db");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database")
    }
}

/// Runs a shell script in this thread's namespace.
pub fn shell(script: &str) {
    let status = Command::new("sh").args(["-ec", script]).status();
    assert!(status.is_ok_and(|status| status.success()), "{script}");
}

pub struct Prometheus {
    _process: Process,
    folder: TempDir,
}

/// A sample of an answer: its labels, without the name, and its value.
pub type Sample = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// Starts one that scrapes so many sites every second, with the rules of packaging/prometheus.
    pub fn start(sites: usize) -> Prometheus {
        let target = |site| {
            format!("  - {{targets: ['10.20.{site}.2:8501'], labels: {{site: '{site}'}}}}\n")
        };
        let targets: String = (1..=sites).map(target).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}/ace.rules.yml', '{rules}/ace.alerts.yml']
scrape_configs:
- job_name: ace
  static_configs:
{targets}",
            rules = folder("prometheus").display()
        );
        Prometheus::start_with(&config)
    }

    /// Starts one that scrapes as it is configured, and takes what is pushed.
    pub fn start_with(config: &str) -> Prometheus {
        let own = TempDir::new();
        let config: PathBuf = own.write("prometheus.yml", config);
        let log = fs::File::create(own.path().join("log")).expect("a log file");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                own.path().join("data").display()
            ))
            .args(["--web.listen-address=127.0.0.1:9090", "--log.level=warn"])
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let prometheus = Prometheus {
            _process: Process(process.expect("prometheus runs")),
            folder: own,
        };
        wait_for("Prometheus", || {
            let ready = std::net::TcpStream::connect("127.0.0.1:9090").ok()?;
            drop(ready);
            (prometheus.get("/-/ready").status == 200).then_some(())
        });
        prometheus
    }

    pub fn get(&self, path: &str) -> http::Answer {
        http::get(SocketAddr::from(([127, 0, 0, 1], 9090)), path, "")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The answer to an expression now.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let result = answer["data"]["result"].as_array().expect("a vector");
        let sample = |sample: &Value| {
            let labels = sample["metric"].as_object().expect("labels");
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let labels = labels
                .iter()
                .filter(|(name, _)| *name != "__name__")
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            let value = text(&sample["value"][1]).parse().expect("a number");
            (labels, value)
        };
        result.iter().map(sample).collect()
    }

    /// The only value of the answer.
    pub fn value(&self, expression: &str) -> Option<f64> {
        match &self.query(expression)[..] {
            [] => None,
            [(_, value)] => Some(*value),
            several => panic!("{expression}: {several:?}"),
        }
    }
}
