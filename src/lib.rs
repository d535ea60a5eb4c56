//! # The architecture of ace-connection-logger
//!
//! A daemon that pings hosts, keeps every result for years in one SQLite file and can show what was
//! down, since when and why. Synchronous Rust, one thread a host, one thread that owns the writing
//! database connection.
//!
//! ## Cut by what can fail
//!
//! A pure core that never touches a socket, a clock, a file or a thread; thin engines around it
//! that do the input and output; workers that drive the engines; one assembly on top. `now` and
//! bytes are arguments of the core, so it is tested without mocks, and sockets and SQLite are
//! tested for real.
//!
//! | floor | modules | may not |
//! | --- | --- | --- |
//! | 0, pure | [`pure::model`], [`pure::time`], [`pure::icmp`], [`pure::check`], [`pure::stats`], [`pure::sums`], [`pure::varint`], [`pure::outage`], [`pure::scene`], [`pure::cause`], [`pure::incident`], [`pure::order`], [`pure::phrase`] | touch a socket, a clock, a file, a thread |
//! | 1, engines | [`config`], [`logging`], [`net`], [`store`], [`systemd`] | import one another |
//! | 1, under all of them | [`sys`], [`stop`] | import more than the floor below |
//! | 2, workers | [`pinger`], [`witness`], [`status`] | see the store other than as a function to call |
//! | | [`export`] | see the store other than as a reader |
//! | | [`report`] | write to the store; say who reads it |
//! | | [`alerts`] | know the store's writer other than as a function to call |
//! | | [`web`] | know what is answered: that is a function to call |
//! | 3, answers | [`api`] | know a socket |
//! | 4, assembly | [`dashboard`], [`daemon`], [`cli`] | |
//!
//! Only `config` says serde_yaml, only `store` says rusqlite, only `net` says socket2, only `cli`
//! says argh, only `web` says tiny_http and httparse, only `sys` says unsafe. What differs from
//! system to system is in `sys` too, one file for Linux and one for macOS and FreeBSD with the same
//! names in it, and nobody else asks which it is. `tests/house.rs` checks these lines: an invariant
//! that nobody checks is a wish.
//!
//! ## From tick to row
//!
//! 1. [`pinger`] waits on its [`stop::Stop`] until the next tick of its [`pure::time::Schedule`] on
//!    the monotonic clock.
//! 2. [`net::Resolver`] turns the host's address into a [`net::Target`]; what fails here is the
//!    observer's own fault and makes the check *not measured*.
//! 3. [`net::Exchange`] is opened afresh, with a socket of its own, so that every check has an
//!    identifier of its own.
//! 4. [`pure::check::CheckRun`] says what to do next: send, sleep, listen, done. It judges what the
//!    socket brings.
//! 5. [`pure::model::CheckResult`] goes into the bounded channel with `try_send`.
//! 6. `store::writer` gathers results and commits them together, at most once in `flush_seconds`
//!    when nothing is new.
//! 7. In the same transaction each check passes through its host's [`pure::outage::OutageDetector`], and
//!    what that says is written as an outage event. It starts from what the database holds, never
//!    from memory: so events and checks cannot disagree.
//! 8. What somebody may want to be told of them is written as a notice in that transaction too.
//!    [`alerts`] tells it, one after the other, until it was heard, and has the store note that: so
//!    a notice is lost neither by the outage it is about nor by a restart.
//!
//! ## From silence to cause
//!
//! 1. A check without any reply: the pinger, which keeps an [`pure::outage::OutageDetector`] of its own,
//!    pings on every second until that says that all is well. Each ping is a
//!    [`pure::model::Probe`]; it goes to the store like a check and moves an event's start and end.
//! 2. It tells [`witness`], which pings the gateway and the other hosts, looks whether the link is
//!    back, and follows packets. What is seen goes to the store as a [`pure::scene::Observation`].
//! 3. The store's thread keeps a [`pure::scene::Scene`] of all of it. When it writes an event it
//!    asks for the [`pure::cause::CauseEvidence`] of that time, and [`pure::cause::judge`] says whose
//!    fault it was. The scene is empty after a restart and takes nothing back.
//! 4. What belongs together is found when it is read: [`pure::incident`], by
//!    [`store::Reader::episodes`].
//!
//! ## From question to answer
//!
//! 1. An acceptor a listening socket gives each connection a thread and one of 64 slots; when none
//!    is free, whoever has waited longest without a complete request leaves.
//! 2. `web::request` turns the bytes of a head into a [`web::Request`], or into the reason why not.
//!    Pure.
//! 3. A file of the page comes from a table of embedded bytes, which build.rs has compressed;
//!    everything else is asked of the [`web::Answer`].
//! 4. `api` bounds every parameter and asks the [`store::Reader`]: short ranges are summed up from
//!    the checks, long ones from roll-ups, which the store makes of hours and packs by days.
//! 5. `web::reply` makes the head, `web::connection` writes head and body under an absolute
//!    deadline, page after page where the body is long.
//!
//! ## Threads and channels
//!
//! `main` waits for an event; `signals` turns signals into events; one `ping-N` a host; `store`
//! owns the writing connection; `witness` sleeps while all is well, and follows packets with a
//! `trace` of its own while it is not. A name that is looked up has a thread of its own for as long
//! as the resolver takes. Results go from pingers to the store, events to main, and nothing flows
//! back: readers query the database. [`web`] has `web-accept` and one `web` a connection.
//!
//! Shared mutable state is in five modules: [`stop`] has the stop flag, [`logging`] the flag that
//! reopens the log file, [`web`] the table of its connections, the compressor and the ETags of the
//! page's files, [`api`] the database connections that requests take turns with and the
//! configuration in force, [`dashboard`] the writer that is notified while the page is open.
//!
//! `alerts` tells the notices: the store rings when there is one, and is handed what came of it
//! like any result.
//!
//! Stopping, in this order: alerts (a program that runs is killed, its notice stays), web, then
//! pingers (a check in flight is dropped whole), then `Finish` to the store behind the last result,
//! which commits and closes. That order is the guarantee that no finished check is lost.
//!
//! ## Errors
//!
//! Expected fates are data: a ping that got no answer is an [`pure::model::Outcome`], a check that
//! could not be made says why in [`pure::model::CheckResult::reason`]. A `Result` means that *we*
//! could not do our job. One enum an engine; the top one, [`cli::CliError`], owns the exit code and
//! is printed once, in `main`.

pub mod pure;

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
pub mod report;
pub mod status;
pub mod web;
pub mod witness;

pub mod cli;
pub mod daemon;
pub mod dashboard;
