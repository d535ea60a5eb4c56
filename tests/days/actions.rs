//! What can happen on a day, as words of a script and as what is done then. Most actions are shell
//! commands on one of the machines.

use super::network::{Kind, Place};
use super::script::{Day, number, seconds};

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A shell script on a machine.
    Run { place: Place, script: String },
    /// The file of the names has entries, or none.
    Names { resolve: bool },
    /// The day's own name server answers otherwise.
    Server(Server),
    /// A signal to the monitor.
    Signal(String),
    /// The monitor is started again.
    Start,
    /// The wall clock is set to this many seconds from the right time.
    Clock(i64),
    /// The configuration is edited, and the monitor reads it anew.
    Reload(Edit),
    /// A command of the program prints this text.
    Shows {
        arguments: Vec<String>,
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Server {
    /// What a name has: addresses, or one of the words.
    Answer { name: String, answer: Answer },
    /// Every answer takes this long.
    Slow(f64),
    /// One of the two servers answers, or is silent.
    Answers { index: usize, is_on: bool },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Addresses(Vec<std::net::IpAddr>),
    NxDomain,
    Failure,
    Silence,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Nothing,
    /// Nothing is left in the file.
    Empty,
    Add(String),
    Remove(String),
    Rename(String, String),
    /// A line of the configuration, with its section.
    Set(String),
}

/// How the router treats pings to itself. It forwards as before.
pub fn gateway(how: &str) -> String {
    let rule = |what: &str| {
        let pings = ["icmp", "icmpv6"];
        pings
            .map(|version| {
                format!(
                    "nft 'add rule inet t inn iifname lan {version} type echo-request {what}'\n"
                )
            })
            .concat()
    };
    // The neighbour is another machine.
    let own = "nft 'add rule inet t inn ip daddr 10.20.0.9 accept'\n";
    match how {
        "off" => own.to_string() + &rule("drop"),
        "limits" => own.to_string() + &rule("numgen inc mod 5 != 0 drop"),
        _ => "nft flush chain inet t inn\n".into(),
    }
}

/// A rule for packets through a router, in place of the earlier one.
fn through(rule: &str) -> String {
    let flush = "nft flush chain inet t through\n".to_string();
    if rule.is_empty() {
        flush
    } else {
        flush + &format!("nft 'add rule inet t through {rule} drop'\n")
    }
}

/// The actions of a line and when, in seconds after its time.
pub fn read(words: &[&str], day: &Day) -> Result<Vec<(f64, Action)>, String> {
    let kind = day.network;
    let run = |place, script: String| Action::Run { place, script };
    let address = |host: &str| -> Result<(&'static str, String), String> {
        let address = day.address_of(host)?;
        Ok((if address.contains(':') { "ip6" } else { "ip" }, address))
    };
    let up = |place| kind.addresses(place);
    Ok(vec![(
        0.0,
        match words {
            ["run", place, ..] => {
                let place = Place::named(place).filter(|place| kind.places().contains(place));
                run(
                    place.ok_or("this network has no such machine")?,
                    words[2..].join(" "),
                )
            }
            ["gateway", how @ ("off" | "on" | "limits")] => {
                run(Place::Router, gateway("on") + &gateway(how))
            }
            ["provider", "off"] => run(Place::Router, through("iifname lan")),
            ["provider4", "off"] => run(Place::Router, through("iifname lan meta nfproto ipv4")),
            ["provider6", "off"] => run(Place::Router, through("iifname lan meta nfproto ipv6")),
            ["provider" | "provider4" | "provider6", "on"] => run(Place::Router, through("")),
            ["beyond", place, state @ ("off" | "on")] => {
                let place = Place::named(place).filter(|place| kind.places().contains(place));
                let rule = if *state == "off" {
                    "iifname { lan, in }"
                } else {
                    ""
                };
                run(
                    place.ok_or("this network has no such router")?,
                    through(rule),
                )
            }
            ["loss", "none"] => run(Place::Router, through("")),
            ["loss", share, host @ ..] => {
                let (lost, of) = share.split_once('/').ok_or("loss is LOST/OF")?;
                let (lost, of): (u32, u32) = (number(lost)?, number(of)?);
                run(
                    Place::Router,
                    match host {
                        [] => through(&format!("iifname lan numgen random mod {of} < {lost}")),
                        [host] => {
                            let (version, address) = address(host)?;
                            through(&format!(
                                "iifname lan {version} daddr {address} numgen inc mod {of} < {lost}"
                            ))
                        }
                        _ => return Err("loss is LOST/OF and one host or none".into()),
                    },
                )
            }
            ["cable", "out"] => run(Place::Router, "ip link set lan down".into()),
            ["cable", "in"] => run(Place::Router, up(Place::Router)),
            ["cable2", "out"] => run(Place::Router2, "ip link set lan down".into()),
            ["cable2", "in"] => run(Place::Router2, up(Place::Router2)),
            ["carrier", "blink", length] => {
                return Ok(vec![
                    (0.0, run(Place::Router, "ip link set lan down".into())),
                    (seconds(length)?, run(Place::Router, up(Place::Router))),
                ]);
            }
            ["reboot", length] => {
                // Not by /sys, which shows the interfaces of the network that it was mounted in.
                let down = "for i in $(ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\)@.*/\\1/p'); do ip link set $i down; done";
                return Ok(vec![
                    (0.0, run(Place::Router, down.into())),
                    (seconds(length)?, run(Place::Router, up(Place::Router))),
                ]);
            }
            ["interface", "down"] => run(Place::Me, "ip link set eth0 down".into()),
            ["interface", "up"] => run(Place::Me, up(Place::Me)),
            ["route", "gone"] => run(
                Place::Me,
                "ip route del default; ip -6 route del default".into(),
            ),
            ["route", "narrow"] => run(Place::Me, NARROW_ROUTES.into()),
            ["route", "back"] => run(Place::Me, up(Place::Me)),
            ["address", new, via @ ..] => {
                let gateway = match via {
                    [] => "10.20.0.1",
                    ["via", gateway] => gateway,
                    _ => return Err("it is: address NEW via GATEWAY".into()),
                };
                let me = format!(
                    "ip -4 addr flush dev eth0; ip addr add {new}/24 dev eth0; ip route add default via {gateway}"
                );
                return Ok(vec![
                    (
                        0.0,
                        run(
                            Place::Router,
                            format!("ip addr replace {gateway}/24 dev lan"),
                        ),
                    ),
                    (0.0, run(Place::Me, me)),
                ]);
            }
            ["prefix", new] => {
                return Ok(vec![
                    (
                        0.0,
                        run(
                            Place::Router,
                            format!("ip addr add {new}::1/64 dev lan nodad"),
                        ),
                    ),
                    (
                        0.0,
                        run(
                            Place::Me,
                            format!(
                                "ip addr add {new}::2/64 dev eth0 nodad; ip -6 route replace default via {new}::1; ip addr del fd20::2/64 dev eth0"
                            ),
                        ),
                    ),
                ]);
            }
            [
                "forbid",
                host,
                how @ ("prohibit" | "unreachable" | "blackhole"),
            ] => {
                let (version, address) = address(host)?;
                let version = if version == "ip6" { "-6" } else { "-4" };
                run(Place::Me, format!("ip {version} route add {how} {address}"))
            }
            ["allow", host] => {
                let (version, address) = address(host)?;
                let version = if version == "ip6" { "-6" } else { "-4" };
                run(
                    Place::Me,
                    format!(
                        "for k in prohibit unreachable blackhole; do ip {version} route del $k {address} 2>/dev/null || true; done"
                    ),
                )
            }
            ["firewall", "none"] => run(Place::Me, "nft delete table inet own".into()),
            ["firewall", host] => {
                let (version, address) = address(host)?;
                run(Place::Me, format!(
                "nft add table inet own; nft 'add chain inet own out {{ type filter hook output priority 0; }}'
                 nft add rule inet own out {version} daddr {address} drop"
            ))
            }
            ["uplink", number @ ("1" | "2")] if matches!(kind, Kind::Uplinks | Kind::Nat) => run(
                Place::Router,
                format!(
                    "ip route replace default via 10.3{number}.0.2; ip -6 route replace default via fd3{number}::2"
                ),
            ),
            ["uplink1" | "uplink2", state @ ("off" | "on")]
                if kind.places().last() == Some(&Place::Far) =>
            {
                let interface = if words[0] == "uplink1" {
                    "eth1"
                } else {
                    "eth2"
                };
                run(
                    Place::Far,
                    if *state == "off" {
                        format!(
                            "nft 'insert rule inet t inn iifname {interface} drop comment \"{interface}\"'"
                        )
                    } else {
                        delete_rules(&format!("comment \"{interface}\""))
                    },
                )
            }
            ["names", "dead"] => Action::Names { resolve: false },
            ["names", "back"] => Action::Names { resolve: true },
            ["dns", "slow", length] => Action::Server(Server::Slow(seconds(length)?)),
            ["dns", server @ ("first" | "second"), state @ ("off" | "on")] => {
                Action::Server(Server::Answers {
                    index: usize::from(*server == "second"),
                    is_on: *state == "on",
                })
            }
            ["dns", name, answer @ ..] => Action::Server(Server::Answer {
                name: (*name).into(),
                answer: match answer {
                    ["nxdomain"] => Answer::NxDomain,
                    ["failure"] => Answer::Failure,
                    ["silence"] => Answer::Silence,
                    ["nothing"] => Answer::Addresses(Vec::new()),
                    addresses => Answer::Addresses(
                        addresses
                            .iter()
                            .map(|address| number(address))
                            .collect::<Result<_, _>>()?,
                    ),
                },
            }),
            ["signal", name @ ("STOP" | "CONT" | "KILL" | "TERM" | "HUP")] => {
                Action::Signal((*name).into())
            }
            ["start"] => Action::Start,
            ["clock", offset] => Action::Clock(number(offset)?),
            ["reload"] => Action::Reload(Edit::Nothing),
            ["reload", "empty"] => Action::Reload(Edit::Empty),
            ["reload", "add", host] => Action::Reload(Edit::Add(day.known(host)?)),
            ["reload", "remove", host] => Action::Reload(Edit::Remove(day.known(host)?)),
            ["reload", "rename", host, new] => {
                Action::Reload(Edit::Rename(day.known(host)?, (*new).into()))
            }
            ["reload", "config", ..] => Action::Reload(Edit::Set(words[2..].join(" "))),
            ["shows", ..] => {
                let text = words[1..].join(" ");
                let (command, text) = text
                    .split_once(" : ")
                    .ok_or("it is: shows COMMAND : TEXT")?;
                Action::Shows {
                    arguments: command.split(' ').map(String::from).collect(),
                    text: text.into(),
                }
            }
            ["hop1" | "hop2", state @ ("off" | "on")] if kind == Kind::Chain => {
                let place = Place::named(words[0]).expect("it is one of the two");
                let pings = "nft add rule inet t inn icmp type echo-request drop; nft add rule inet t inn icmpv6 type echo-request drop";
                run(
                    place,
                    if *state == "off" {
                        pings.into()
                    } else {
                        "nft flush chain inet t inn".into()
                    },
                )
            }
            ["near", state @ ("off" | "on")] => run(
                Place::Router,
                if *state == "off" {
                    "nft add rule inet t inn ip daddr 10.20.0.9 drop".into()
                } else {
                    "nft flush chain inet t inn".into()
                },
            ),
            [host, rest @ ..] if host.starts_with("far") => {
                let (version, address) = address(host)?;
                run(
                    Place::Far,
                    match rest {
                        ["off"] => {
                            format!("nft add rule inet t inn {version} daddr {address} drop")
                        }
                        ["on"] => delete_rules(&format!("daddr {address} ")),
                        // Before the rule that drops its pings.
                        ["answers", count] => format!(
                            "nft 'insert rule inet t inn {version} daddr {address} numgen inc mod 1000000 < {} accept'",
                            number::<u32>(count)?
                        ),
                        _ => return Err("a host is off, on, or answers N".into()),
                    },
                )
            }
            _ => return Err("there is no such action".into()),
        },
    )])
}

/// Deletes the rules of the far ends that contain a text.
fn delete_rules(with: &str) -> String {
    format!(
        "for h in $(nft -a list chain inet t inn | sed -n 's/.*{with}.*handle //p'); do nft delete rule inet t inn handle $h; done"
    )
}

/// Routes to the far ends alone, so that there is no default gateway.
const NARROW_ROUTES: &str =
    "ip route add 10.30.0.0/24 via 10.20.0.1; ip route add fd30::/64 via fd20::1
    ip route del default; ip -6 route del default";
