//! # The architecture of ace-connection-logger
//!
//! A daemon that pings hosts, stores every result for years in one SQLite file, and can show what
//! was down, since when and why. Synchronous Rust: one thread per host, and one thread that owns
//! the writing database connection.
//!
//! ## Layers
//!
//! A module imports only modules of the layers above it in this table, and none of its own layer.
//! No files import each other in a circle. `tests/house.rs` reads the table and checks both.
//!
//! | layer | modules | rule |
//! | --- | --- | --- |
//! | core | [`pure`] | uses no socket, clock, file or thread: times and bytes are arguments, so it is tested without mocks |
//! | system | [`sys`] | the only unsafe code, and the only code that depends on the operating system |
//! | | [`clock`], [`stop`] | |
//! | engines | [`command`], [`config`], [`logging`], [`net`], [`store`], [`systemd`] | each owns one kind of input and output |
//! | workers | [`alerts`], [`export`], [`pinger`], [`push`], [`status`], [`web`] | pingers, alerts and push get the store as a function to call; `web` gets the answers as a [`web::Handler`] |
//! | | [`report`], [`witness`] | |
//! | answers | [`api`] | knows no socket |
//! | assembly | [`dashboard`] | |
//! | | [`daemon`] | |
//! | | [`cli`] | |
//!
//! `fuzzing` is in fuzz/targets, compiled only for tests and cargo-fuzz, and may import all of them.
//!
//! Inside `store`, `write` and `read` do not import each other; what both need (columns, opening,
//! rows, the types of events) and the sums of `rollup` lie below them, and `original` uses the
//! same. So the reader of a dashboard cannot reach code that writes.
//!
//! A crate has one owner: serde_yaml belongs to `config`, rusqlite to `store`, socket2 to `net`,
//! argh to `cli`, tiny_http to `web`, snap to `push`, httparse to `web`, which
//! reads requests, and `push`, which reads replies.
//!
//! ## From tick to row
//!
//! 1. [`pinger`] waits for the next tick of its [`pure::time::Schedule`] on the monotonic clock.
//! 2. [`net::Resolver`] resolves the host's address to a [`net::Target`]. If it cannot, the check
//!    is *not measured*.
//! 3. [`net::Exchange`] opens a new socket, so that every check has its own ICMP identifier.
//! 4. [`pure::check::CheckRun`] returns the next action (send, sleep, listen, done) and judges
//!    every message that the socket receives: `EchoSocket::read` in `net/socket.rs` compares the
//!    sender's address, and `CheckRun::received` decides whether it is a reply to one of our pings.
//! 5. The [`pure::model::CheckResult`] goes to the store's thread through a channel with a bound. No
//!    pinger waits for the disk.
//! 6. The writer, in `store/write/writer.rs`, collects results and commits them together, at most
//!    `flush_seconds` after they arrived, and by then has the disk keep them. `store/write/checks.rs`
//!    inserts the rows.
//! 7. The same transaction passes each check to its host's [`pure::outage::OutageDetector`] and
//!    records the changes as outage events. The detector's state is read from the database in each
//!    transaction and never kept in memory, so events and checks cannot disagree.
//! 8. The same transaction records the notices of these events. [`alerts`] runs the configured
//!    command for one notice after another until it succeeds, and the store records the result: a
//!    notice survives both the outage it reports and a restart.
//!
//! ## From silence to cause
//!
//! 1. After a check without any reply the pinger, which has its own
//!    [`pure::outage::OutageDetector`], sends probes, single pings every second, until the host
//!    answers two pings in a row. Each [`pure::model::Probe`] goes to the store like a check; it
//!    moves the start and end of the event.
//! 2. The pinger also reports the silence to the [`witness`], which pings the gateway of its
//!    link and the other hosts, tests whether packets can be sent, and traces the path. Each
//!    [`pure::scene::Observation`] goes to the store.
//! 3. The store's thread collects checks, probes and observations in a [`pure::scene::Scene`]. When
//!    it records an event it takes the [`pure::cause::CauseEvidence`] of that time, and
//!    [`pure::cause::judge`] decides the cause. The scene is empty after a restart.
//! 4. [`pure::incident`] groups outages whenever they are read: fragments, intermittent outages,
//!    and incidents of several hosts.
//!
//! ## From request to response
//!
//! 1. One thread per listening socket accepts connections. Each gets a thread and one of 64 slots;
//!    when all are taken, the connection that has waited longest for a complete request is closed.
//! 2. `web/request.rs` parses the head of a request. It does no input or output.
//! 3. Files of the page come from a table that build.rs generates and compresses; every other path
//!    goes to the [`web::Handler`], which is [`api::Api`], in its turn: `web/turns.rs` lets few answers
//!    be made at a time.
//! 4. `api` checks every parameter and queries a [`store::Reader`]. Short ranges are computed from
//!    checks, long ones from the roll-ups of hours and days. `api/charts.rs` makes the answer of a
//!    chart.
//! 5. `web/response.rs` makes the response, and `web/connection.rs` sends it before an absolute
//!    deadline. A long body is compressed as it is made (`web/packed.rs`), or is produced and sent
//!    chunk by chunk, and no transaction is open while the socket is written. What waits to be sent is
//!    counted: when all of it is too much, `web/slots.rs` closes a connection that reads slowly.
//!
//! ## Threads and channels
//!
//! `main` waits for events and notices, once a second, that the process stood still; `signals` turns signals into events; one `ping-N` per host; `store`
//! owns the writing connection; `witness` mostly sleeps except during outages, and traces paths in
//! threads `trace`; `links` watches the links; a name is resolved in a thread `lookup`; `alerts` runs
//! commands; `push` sends checks and events to an engine; `reload` reads the configuration after
//! SIGHUP; `log` writes the log; [`web`] has `web-accept`, one `web` per connection, and a `web-work`
//! for each response that is being made.
//!
//! Pingers send results to the store and host events to the witness; the witness sends observations
//! to the store. The store wakes `alerts` when there is a notice, and `alerts` sends its result to
//! the store. `push` reads what the engine does not have yet from the database, and tells the store
//! what the engine has acknowledged. No results flow back to these threads, and whatever shows results reads the database.
//!
//! Shared mutable state is in seven modules: [`stop`] has the stop flag, [`store`] how much waits to be
//! written and why, and what was counted, [`logging`] the log file and how lines get there,
//! [`net`] what happened to the links and when a host beyond the gateway answered, [`web`] the table
//! of its connections, the compressor and the ETags of the page's files, [`api`] the database
//! connections that requests take turns with, the configuration in force and when it was read, [`dashboard`] the writer
//! that is notified while the page is open.
//!
//! The monitor stops in this order: alerts (a running command is killed, its notice stays), push, web,
//! pingers (a check in flight is discarded), the witness, then the store, which receives `Finish`
//! after the last result, commits and closes. So no finished check is lost. This is done by a thread
//! `stop`, while `main` waits for it, for a second signal or for the longest time that a stop may take.
//!
//! ## Errors
//!
//! Expected outcomes are data: a lost ping is a [`pure::model::Outcome`], and a check that could
//! not be made has a [`pure::model::CheckResult::reason`]. A `Result` means that this program could
//! not do its work. Each engine has one error type; [`cli::CliError`] unites them, decides the exit
//! code and is printed once, in `main`.
//!
//! ## Glossary
//!
//! | word | meaning |
//! | --- | --- |
//! | alert | the configured command, run for a notice |
//! | bucket | one point of a chart: the checks of a span of time, with the worst state among them |
//! | cause | why an outage happened: link, gateway, provider, dns, host, unknown |
//! | check | the pings sent to one host at one tick, and their result: one row |
//! | clock step | a change of the wall clock beyond what a time service slews |
//! | coverage | measured time as a share of a period |
//! | damage | what SQLite can no longer read as it was written |
//! | degraded | between `degraded_percent` and `up_percent` of a check's pings answered, or too slow |
//! | deliver | pass a result to the function that a caller provided |
//! | detector | the state machine that turns checks and probes of a host into outages |
//! | digest | one alert in place of more notices than may be sent within an hour |
//! | down | a check without any reply |
//! | duplicate | a further reply to a ping that was answered before |
//! | engine | the program that `push` sends to, such as InfluxDB |
//! | event | a row of `outage_events`: outage, intermittent, dns or link_down |
//! | evidence | what answered during an outage; the cause is judged by it |
//! | exchange | the socket of one check and the state that judges it |
//! | family | the version of IP a host is restricted to: 4, 6 or any |
//! | flush | the commit that writes collected results to the database |
//! | foreign | a received message that answers none of our pings |
//! | fragment | one of several outages of a host that are so close that they are shown as one |
//! | gap | a span of time that was not measured, with the reason |
//! | gateway | the router that a host's packets are sent to; `address: gateway` is that of the default route |
//! | grouped outage | fragments or intermittent outages, shown as one |
//! | host | an address to ping; address, family and source identify it, its name may change |
//! | host key | the address of a host, with its version of IP and its source where hosts that share the address differ in them |
//! | incident | outages of several hosts that began together |
//! | intermittent | several outages of a host within a short time, shown as one |
//! | interruption | a span in which the running monitor could not measure: sleep, a stopped process, a clock step |
//! | interval | time between two checks of a host; a check represents the interval it was made at |
//! | late | a reply after the timeout of its ping, which counts as lost |
//! | ledger | the record of when the monitor ran and when it was interrupted |
//! | level | what a host's round-trip times or its share of lost pings stay at until they change for longer |
//! | link | the interface and gateway by which packets to a host leave this machine |
//! | local fault | what prevents this machine from measuring: link, host (this host alone), name, other |
//! | loss | a ping without a reply in time |
//! | migration | the SQL statements that bring an older database file to the current schema |
//! | monitor | the daemon: the command `monitor` |
//! | not measured | no ping could be sent, so nothing is known about the host |
//! | notice | a row that waits for its alert to succeed |
//! | observation | something the witness found: a gateway or host answered, the link is back, a path |
//! | original | the Python program that this one replaces, and its files |
//! | outage | checks in a row without any reply; ongoing until its end is recorded |
//! | outcome | what became of one ping: reply, timed out, unreachable, send failed, untimed |
//! | path | the routers between this machine and a host |
//! | ping | one ICMP echo request |
//! | planned | a note on an event that excludes it from the totals |
//! | poor | a check with fewer replies than `degraded_percent`, but some |
//! | position | where a host lies: this machine, on the link, gateway, beyond the gateway |
//! | probe | a single ping between checks, sent while a host is silent |
//! | prune | delete what is older than the retention |
//! | push | send checks and events to an engine |
//! | reader | a read-only database connection |
//! | retention | how long checks and roll-ups are kept |
//! | roll-up | the stored sums of an hour or a day of a host |
//! | round-trip time | from sending a ping to receiving its reply; also latency |
//! | run | one process of the monitor, from start to stop |
//! | salvage | to read what is readable of a damaged database into a new one |
//! | scene | what is known of the network around this machine, kept in memory |
//! | scrub | to read the whole database in small steps, to find damage |
//! | set aside | to rename a file that is damaged or written over, and begin a new one |
//! | silent | pinged without any reply |
//! | slot | one of the places for a web connection |
//! | stale | a result older than three intervals; a roll-up whose checks changed |
//! | state | up, degraded, poor, down, not measured |
//! | success rate | answered pings of a check in percent |
//! | sums | counts and latencies added over checks |
//! | source | the address or interface of this machine that a host is pinged from |
//! | target | a resolved address |
//! | thresholds | the limits between the states |
//! | tick | an instant at which a check is due |
//! | timestamp | when the kernel sent or received a message |
//! | totals | counts of a host over the life of the database, which no retention lowers |
//! | witness | the thread that collects evidence, most of it during an outage |
//! | writer | the thread that owns the writing database connection |

pub mod pure;

pub mod clock;
pub mod command;
pub mod config;
pub mod logging;
pub mod net;
pub mod stop;
pub mod store;
pub mod sys;
pub mod systemd;

pub mod alerts;
pub mod api;
pub mod export;
pub mod pinger;
pub mod push;
pub mod report;
pub mod status;
pub mod web;
pub mod witness;

pub mod cli;
pub mod daemon;
pub mod dashboard;

#[cfg(all(any(test, fuzzing), target_os = "linux"))]
#[path = "../fuzz/targets/mod.rs"]
pub mod fuzzing;
