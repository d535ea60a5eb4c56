//! The networks of a day: this machine, its router and what lies behind it, each in a network
//! namespace of its own.
//!
//! ```text
//! me       10.20.0.2/24  fd20::2/64   eth0, the machine that the monitor runs on
//! router   10.20.0.1/24  fd20::1/64   lan, the default gateway; 10.20.0.9 is a neighbour that the router also answers for
//!          10.30.0.1/24  fd30::1/64   wan
//! far      10.30.0.11 and .12, fd30::11 and ::12; the names far.test and far6.test are the first of each
//! ```
//!
//! The other kinds of networks are in README.md; the addresses of the far ends are the same in all.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::common::sys;

/// A machine of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Me,
    Router,
    Router2,
    Hop1,
    Hop2,
    Far,
}

impl Place {
    pub fn named(name: &str) -> Option<Place> {
        Some(match name {
            "me" => Place::Me,
            "router" => Place::Router,
            "router2" => Place::Router2,
            "hop1" => Place::Hop1,
            "hop2" => Place::Hop2,
            "far" => Place::Far,
            _ => return None,
        })
    }
}

/// How the machines of a day are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Router,
    SilentGateway,
    LimitingGateway,
    LinkLocal,
    NoGateway,
    Chain,
    Uplinks,
    Nat,
    TwoLinks,
}

impl Kind {
    pub fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "router" => Kind::Router,
            "silent_gateway" => Kind::SilentGateway,
            "limiting_gateway" => Kind::LimitingGateway,
            "link_local" => Kind::LinkLocal,
            "no_gateway" => Kind::NoGateway,
            "chain" => Kind::Chain,
            "uplinks" => Kind::Uplinks,
            "nat" => Kind::Nat,
            "two_links" => Kind::TwoLinks,
            _ => return None,
        })
    }

    pub fn places(self) -> &'static [Place] {
        match self {
            Kind::Chain => &[
                Place::Me,
                Place::Router,
                Place::Hop1,
                Place::Hop2,
                Place::Far,
            ],
            Kind::TwoLinks => &[Place::Me, Place::Router, Place::Router2, Place::Far],
            _ => &[Place::Me, Place::Router, Place::Far],
        }
    }

    /// Pairs of interfaces with a cable between them.
    fn cables(self) -> &'static [[(Place, &'static str); 2]] {
        use Place::{Far, Hop1, Hop2, Me, Router, Router2};
        match self {
            Kind::NoGateway => &[[(Router, "wan"), (Far, "eth0")]],
            Kind::Chain => &[
                [(Me, "eth0"), (Router, "lan")],
                [(Router, "wan"), (Hop1, "in")],
                [(Hop1, "out"), (Hop2, "in")],
                [(Hop2, "out"), (Far, "eth0")],
            ],
            Kind::Uplinks | Kind::Nat => &[
                [(Me, "eth0"), (Router, "lan")],
                [(Router, "wan1"), (Far, "eth1")],
                [(Router, "wan2"), (Far, "eth2")],
            ],
            Kind::TwoLinks => &[
                [(Me, "eth0"), (Router, "lan")],
                [(Me, "eth1"), (Router2, "lan")],
                [(Router, "wan"), (Far, "eth1")],
                [(Router2, "wan"), (Far, "eth2")],
            ],
            _ => &[
                [(Me, "eth0"), (Router, "lan")],
                [(Router, "wan"), (Far, "eth0")],
            ],
        }
    }

    /// Commands that give a machine its addresses and routes. They can be repeated.
    pub fn addresses(self, place: Place) -> String {
        // Each line: an interface with its addresses, or the destination of a route with the rest.
        let (links, routes): (&[&str], &[&str]) = match (self, place) {
            (Kind::NoGateway, Place::Me) => (
                &["ppp0 10.20.0.2/32 fd20::2/128"],
                &["default dev ppp0", "-6 default dev ppp0"],
            ),
            (Kind::LinkLocal, Place::Me) => (
                &["eth0 10.20.0.2/24 fd20::2/64"],
                &["default via 10.20.0.1", "-6 default via fe80::1 dev eth0"],
            ),
            (Kind::TwoLinks, Place::Me) => (
                &[
                    "eth0 10.20.0.2/24 fd20::2/64",
                    "eth1 10.21.0.2/24 fd21::2/64",
                ],
                &[
                    "default via 10.20.0.1 metric 100",
                    "default via 10.21.0.1 metric 200",
                    "-6 default via fd20::1 metric 100",
                    "-6 default via fd21::1 metric 200",
                ],
            ),
            (_, Place::Me) => (
                &["eth0 10.20.0.2/24 fd20::2/64"],
                &["default via 10.20.0.1", "-6 default via fd20::1"],
            ),
            (Kind::NoGateway, Place::Router) => (
                &[
                    "lan 10.20.0.1/32 fd20::1/128",
                    "wan 10.30.0.1/24 fd30::1/64",
                ],
                &["10.20.0.2 dev lan", "-6 fd20::2 dev lan"],
            ),
            (Kind::LinkLocal, Place::Router) => (
                &[
                    "lan 10.20.0.1/24 10.20.0.9/24 fd20::1/64 fe80::1/64",
                    "wan 10.30.0.1/24 fd30::1/64",
                ],
                &[],
            ),
            (Kind::Chain, Place::Router) => (
                &[
                    "lan 10.20.0.1/24 10.20.0.9/24 fd20::1/64",
                    "wan 10.41.0.1/24 fd41::1/64",
                ],
                &["default via 10.41.0.2", "-6 default via fd41::2"],
            ),
            (_, Place::Hop1) => (
                &["in 10.41.0.2/24 fd41::2/64", "out 10.42.0.1/24 fd42::1/64"],
                &[
                    "10.20.0.0/16 via 10.41.0.1",
                    "-6 fd20::/60 via fd41::1",
                    "default via 10.42.0.2",
                    "-6 default via fd42::2",
                ],
            ),
            (_, Place::Hop2) => (
                &["in 10.42.0.2/24 fd42::2/64", "out 10.30.0.1/24 fd30::1/64"],
                &["default via 10.42.0.1", "-6 default via fd42::1"],
            ),
            (Kind::Uplinks | Kind::Nat, Place::Router) => (
                &[
                    "lan 10.20.0.1/24 10.20.0.9/24 fd20::1/64",
                    "wan1 10.31.0.1/24 fd31::1/64",
                    "wan2 10.32.0.1/24 fd32::1/64",
                ],
                &["default via 10.31.0.2", "-6 default via fd31::2"],
            ),
            (Kind::TwoLinks, Place::Router) => (
                &[
                    "lan 10.20.0.1/24 10.20.0.9/24 fd20::1/64",
                    "wan 10.31.0.1/24 fd31::1/64",
                ],
                &["default via 10.31.0.2", "-6 default via fd31::2"],
            ),
            (_, Place::Router2) => (
                &["lan 10.21.0.1/24 fd21::1/64", "wan 10.32.0.1/24 fd32::1/64"],
                &["default via 10.32.0.2", "-6 default via fd32::2"],
            ),
            (_, Place::Router) => (
                &[
                    "lan 10.20.0.1/24 10.20.0.9/24 fd20::1/64",
                    "wan 10.30.0.1/24 fd30::1/64",
                ],
                &[],
            ),
            (Kind::Uplinks | Kind::Nat, Place::Far) => (
                &[
                    "lo 10.30.0.11/32 10.30.0.12/32 fd30::11/128 fd30::12/128",
                    "eth1 10.31.0.2/24 fd31::2/64",
                    "eth2 10.32.0.2/24 fd32::2/64",
                ],
                &[],
            ),
            (Kind::TwoLinks, Place::Far) => (
                &[
                    "lo 10.30.0.11/32 10.30.0.12/32 fd30::11/128 fd30::12/128",
                    "eth1 10.31.0.2/24 fd31::2/64",
                    "eth2 10.32.0.2/24 fd32::2/64",
                ],
                &[
                    "10.20.0.0/24 via 10.31.0.1",
                    "-6 fd20::/64 via fd31::1",
                    "10.21.0.0/24 via 10.32.0.1",
                    "-6 fd21::/64 via fd32::1",
                ],
            ),
            (_, Place::Far) => (
                &["eth0 10.30.0.11/24 10.30.0.12/24 fd30::11/64 fd30::12/64"],
                &["default via 10.30.0.1", "-6 default via fd30::1"],
            ),
        };
        let mut script = String::new();
        for link in links {
            let (interface, addresses) = link.split_once(' ').expect("an interface and addresses");
            script += &format!("ip link set {interface} up\n");
            for address in addresses.split(' ') {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                script += &format!("ip addr replace {address} dev {interface}{nodad}\n");
            }
        }
        for route in routes {
            let (version, route) = match route.strip_prefix("-6 ") {
                Some(route) => ("-6 ", route),
                None => ("", *route),
            };
            script += &format!("ip {version}route replace {route}\n");
        }
        script
    }

    /// Commands that set up a machine once, when its addresses are there.
    fn filters(self, place: Place) -> String {
        if place == Place::Me {
            return String::new();
        }
        let mut script = String::from(
            "echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down
             echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
             nft add table inet t; nft 'add chain inet t inn { type filter hook input priority 0; }'\n",
        );
        if place != Place::Far {
            script += "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
                       nft 'add chain inet t through { type filter hook forward priority 0; }'\n";
        }
        match (self, place) {
            (Kind::SilentGateway, Place::Router) => script += &super::actions::gateway("off"),
            (Kind::LimitingGateway, Place::Router) => script += &super::actions::gateway("limits"),
            // Masquerade gives a mapping up when its packets leave by another interface; a fixed
            // source address does not.
            (Kind::Uplinks, Place::Router) => {
                script += &nat("masquerade", "masquerade", "masquerade", "masquerade");
            }
            (Kind::Nat, Place::Router) => {
                script += &nat(
                    "snat ip to 10.31.0.1",
                    "snat ip to 10.32.0.1",
                    "snat ip6 to fd31::1",
                    "snat ip6 to fd32::1",
                );
            }
            _ => {}
        }
        // A provider forwards only packets from the addresses that it has assigned.
        if matches!((self, place), (Kind::Uplinks | Kind::Nat, Place::Far)) {
            for (interface, version, prefix) in [
                ("eth1", "ip", "10.31.0.0/24"),
                ("eth2", "ip", "10.32.0.0/24"),
                ("eth1", "ip6", "fd31::/64"),
                ("eth2", "ip6", "fd32::/64"),
            ] {
                script += &format!(
                    "nft 'add rule inet t inn iifname {interface} {version} daddr {{ {} }} {version} saddr != {prefix} drop'\n",
                    if version == "ip" {
                        "10.30.0.0/24"
                    } else {
                        "fd30::/64"
                    }
                );
            }
        }
        script
    }
}

fn nat(first: &str, second: &str, first6: &str, second6: &str) -> String {
    let rules = [
        ("wan1", "ipv4", first),
        ("wan2", "ipv4", second),
        ("wan1", "ipv6", first6),
        ("wan2", "ipv6", second6),
    ];
    let rules: String = rules
        .iter()
        .map(|(interface, version, what)| {
            format!("nft add rule inet t post meta nfproto {version} oifname {interface} {what}\n")
        })
        .collect();
    format!("nft 'add chain inet t post {{ type nat hook postrouting priority 100; }}'\n{rules}")
}

/// A network namespace, held by a process that sleeps until it is killed.
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    fn new() -> Result<Namespace, String> {
        // It has mounts of its own too: the monitor resolves names by files of the day.
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", "echo ready; exec cat"]);
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut ready = [0; 6];
        let output = holder.stdout.as_mut().expect("it is a pipe");
        std::io::Read::read_exact(output, &mut ready)
            .map_err(|error| format!("unshare: {error}"))?;
        Ok(Namespace { holder })
    }

    fn pid(&self) -> u32 {
        self.holder.id()
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.pid().to_string();
        command
            .args(["--net", "--mount", "--target", &pid, "--"])
            .arg(program);
        command
    }

    /// Runs a shell script in the namespace.
    pub fn run(&self, script: &str) -> Result<(), String> {
        let output = self
            .command(Path::new("sh"))
            .args(["-ec", script])
            .output()
            .map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!("{script}: {error}"))
    }

    /// Runs a function in a thread that is in this network: what it opens stays there.
    pub fn inside<T: Send>(&self, then: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let path = format!("/proc/{}/ns/net", self.pid());
                let network = std::fs::File::open(path).expect("the namespace is held");
                sys::enter_network(&network).expect("we have made it");
                then()
            });
            entered.join()
        })
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Why days cannot be run here.
pub fn probe() -> Result<(), String> {
    for program in ["nft", "nsenter", "ip", "unshare", "faketime"] {
        let found = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.map_err(|error| format!("cannot run {program}: {error}"))?;
    }
    let namespace =
        Namespace::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    namespace
        .run("nft add table inet t && ip link add v0 type veth peer name v1")
        .map_err(|error| format!("no veth or nft: {error}"))?;
    namespace
        .inside(|| sys::open_tun("tun0").map(drop))
        .map_err(|error| format!("no TUN device: {error}"))
}

/// The machines of a day.
pub struct Network {
    namespaces: Vec<(Place, Namespace)>,
    tunnel: Option<Arc<()>>,
}

impl Network {
    pub fn create(kind: Kind) -> Result<Network, String> {
        let mut namespaces = Vec::new();
        for place in kind.places() {
            namespaces.push((*place, Namespace::new()?));
        }
        let mut network = Network {
            namespaces,
            tunnel: None,
        };
        for [(a, a_interface), (b, b_interface)] in kind.cables() {
            network.run(
                *a,
                &format!(
                    "ip link add {a_interface} type veth peer name {b_interface} netns {}",
                    network.at(*b)?.pid()
                ),
            )?;
        }
        if kind == Kind::NoGateway {
            let tunnel = [(Place::Me, "ppp0"), (Place::Router, "lan")];
            let [a, b] = tunnel.map(|(place, name)| network.at(place).map(|at| (at, name)));
            network.tunnel = Some(super::tunnel::connect(a?, b?)?);
        }
        for (place, namespace) in &network.namespaces {
            namespace.run(&format!(
                "for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$f; done
                 for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done
                 for f in /proc/sys/net/ipv[46]/neigh/*/retrans_time_ms; do echo 100 >$f; done; ip link set lo up
                 {}{}",
                kind.addresses(*place),
                kind.filters(*place)
            ))?;
        }
        Ok(network)
    }

    pub fn at(&self, place: Place) -> Result<&Namespace, String> {
        self.namespaces
            .iter()
            .find(|(other, _)| *other == place)
            .map(|(_, namespace)| namespace)
            .ok_or(format!("this network has no {place:?}"))
    }

    pub fn run(&self, place: Place, script: &str) -> Result<(), String> {
        self.at(place)?.run(script)
    }
}
