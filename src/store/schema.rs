//! The tables, as an append-only list of migrations. `application_id` identifies a file of this
//! program, and `user_version` is the number of migrations that it has.
//!
//! Times are Unix milliseconds, latencies microseconds. No feature of SQLite younger than 3.22 may
//! be used in what is stored here (no `strict`, no `returning`): the files are for the plain
//! `sqlite3` shell too.

use rusqlite::Connection;

/// "ACLg": file(1) and this program recognise our files by it.
pub const APPLICATION_ID: i64 = 0x4143_4c67;

/// "ACLx": a file in the original's schema that this program has exported. The original ignores
/// it; original/text.rs explains what differs.
pub const EXPORT_ID: i64 = 0x4143_4c78;

/// How many migrations there are.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings a database from `version` to [`VERSION`], inside the caller's transaction.
pub fn migrate(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    for migration in MIGRATIONS
        .iter()
        .skip(usize::try_from(version).unwrap_or(0))
    {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}

const MIGRATIONS: &[&str] = &["
-- Every host that was ever monitored. Address and family (0 any, 4, 6) identify it; name is its newest name.
create table host(
    id      integer primary key,
    address text not null,
    family  integer not null default 0,
    name    text not null,
    unique(address, family)
);

-- One row per check. rtts: a varint per ping, 0 if it was lost, else its time - min_us + 1; null where only the sums are known.
-- Clustered on host and time, since that is how it is read.
create table check_result(
    host_id    integer not null,
    checked_at integer not null,
    sent       integer not null,
    received   integer not null,
    min_us     integer,
    avg_us     integer,
    max_us     integer,
    rtts       blob,
    primary key(host_id, checked_at)
) without rowid;

-- Rare details of a check. There is a row only if one of them is not zero or null.
create table check_note(
    host_id    integer not null,
    checked_at integer not null,
    late       integer not null,
    duplicates integer not null,
    foreigners integer not null,
    reason     text,
    primary key(host_id, checked_at)
) without rowid;

-- Checks that could not be made, for a reason on this machine.
create table not_measured_check(
    host_id    integer not null,
    checked_at integer not null,
    reason     text not null,
    primary key(host_id, checked_at)
) without rowid;

-- One row per host and hour (hours since 1970), made from the hour's checks once the hour is over. none to full count
-- checks by their success rate: none answered, up to 20, 40, 60 %, below 80, 95, 100 %, all answered; below 80 is down,
-- below 95 degraded. Success rates are in thousandths of a percent. sum_us adds the round-trip times of all replies,
-- avg_sum_us the means of the checks that have one, and latency_checks is the number of these checks. histogram: of the
-- round-trip times, as encoded by stats.rs.
create table rollup(
    host_id        integer not null,
    hour           integer not null,
    none           integer not null,
    to_20          integer not null,
    to_40          integer not null,
    to_60          integer not null,
    to_80          integer not null,
    to_95          integer not null,
    to_100         integer not null,
    full           integer not null,
    not_measured   integer not null,
    sent           integer not null,
    received       integer not null,
    rate_sum       integer not null,
    rate_min       integer,
    rate_max       integer,
    min_us         integer,
    max_us         integer,
    sum_us         integer not null,
    avg_sum_us     integer not null,
    latency_checks integer not null,
    histogram      blob not null,
    primary key(host_id, hour)
) without rowid;

-- Hours whose roll-up is missing or outdated. Until it is made again, the hour is read from its checks.
create table stale_rollup(
    host_id integer not null,
    hour    integer not null,
    primary key(host_id, hour)
) without rowid;

-- One row per host and day (days since 1970, UTC), made from its roll-ups once the day is over. counts: each hour with its
-- counts, as encoded by sums.rs; total: the sums of the day; latencies: those of each hour. The columns are in this order
-- because SQLite reads a row only up to the last column that a query needs. Such a row saves reading 24 roll-ups, and can
-- always be made from them.
create table rollup_day(
    host_id   integer not null,
    day       integer not null,
    counts    blob not null,
    total     blob not null,
    latencies blob not null,
    primary key(host_id, day)
) without rowid;

-- Days whose row in rollup_day is missing.
create table stale_rollup_day(
    host_id integer not null,
    day     integer not null,
    primary key(host_id, day)
) without rowid;

-- Checks before this instant were deleted: roll-ups of these hours can no longer be made from them.
create table pruning(pruned_before integer not null);
insert into pruning values(0);

-- The runs of the monitor: between alive_at of one and started_at of the next nothing was measured.
create table monitor_run(
    id         integer primary key,
    started_at integer not null,
    alive_at   integer not null,
    stopped_at integer,
    version    text not null
);

-- Outages, with the original's columns first. An ongoing one has no end_time. earliest_start is the last check with a
-- reply before it; packets_sent and packets_lost count the pings of its checks. host_id is null where only the address is known.
create table outage_events(
    id                    integer primary key,
    host_name             text not null,
    host_address          text not null,
    event_type            text not null,
    start_time            text not null,
    end_time              text,
    duration_seconds      integer,
    checks_failed         integer default 0,
    checks_during_outage  integer default 0,
    recovery_success_rate real,
    notes                 text,
    host_id               integer,
    earliest_start        text,
    packets_sent          integer,
    packets_lost          integer
);
create index outage_events_by_host on outage_events(host_address, start_time desc);
create index outage_events_by_time on outage_events(start_time desc);
create index outage_events_open on outage_events(start_time) where end_time is null;

-- The original's table, as a view.
create view ping_results as
select (c.host_id << 43) | c.checked_at as id,
       h.name as host_name,
       h.address as host_address,
       strftime('%Y-%m-%d %H:%M:%f', c.checked_at / 1000.0, 'unixepoch') as timestamp,
       c.received as success_count,
       c.sent - c.received as failure_count,
       case when c.sent = 0 then 0.0 else 100.0 * c.received / c.sent end as success_rate,
       c.min_us / 1000.0 as min_latency,
       c.max_us / 1000.0 as max_latency,
       c.avg_us / 1000.0 as avg_latency
  from check_result c join host h on h.id = c.host_id;

-- An outer `or replace` rules inside a trigger too: it must replace a check, but never a host, hence `where not exists`.
create trigger ping_results_insert instead of insert on ping_results begin
    select raise(abort, 'ping_results: timestamp must be text, YYYY-MM-DD HH:MM:SS, from 1970 on, UTC')
     where typeof(new.timestamp) <> 'text'
        or new.timestamp not glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
        -- SQLite takes the 30th of February for a day in March.
        or strftime('%Y-%m-%d', julianday(substr(new.timestamp, 1, 10))) is not substr(new.timestamp, 1, 10)
        or coalesce(round((julianday(new.timestamp) - 2440587.5) * 86400000), -1) not between 0 and 8796093022207;
    select raise(abort, 'ping_results: host_address and host_name must be text, and host_address not empty')
     where coalesce(trim(new.host_address), '') = '' or 'blob' in (typeof(new.host_address), typeof(new.host_name));
    -- What .import brings is text, hence numbers are told by being equal to themselves as numbers.
    select raise(abort, 'ping_results: success_count and failure_count must be whole numbers from 0')
     where exists (select 1 from (select new.success_count as n union all select new.failure_count)
                    where n is null or n <> cast(n as integer) or cast(n as integer) not between 0 and 1000000);
    select raise(abort, 'ping_results: latencies must be milliseconds from 0, or NULL')
     where exists (select 1 from (select new.min_latency as ms union all select new.avg_latency union all select new.max_latency)
                    where ms <> '' and (ms <> cast(ms as real) or cast(ms as real) not between 0 and 4294967));
    insert into host(address, family, name)
    select new.host_address, 0, coalesce(nullif(new.host_name, ''), new.host_address)
     where not exists (select 1 from host where address = new.host_address);
    update host set name = new.host_name where address = new.host_address and name <> new.host_name and new.host_name <> '';
    insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts)
    select (select min(id) from host where address = new.host_address),
           cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer),
           cast(new.success_count as integer) + cast(new.failure_count as integer),
           cast(new.success_count as integer),
           cast(round(nullif(new.min_latency, '') * 1000) as integer),
           cast(round(nullif(new.avg_latency, '') * 1000) as integer),
           cast(round(nullif(new.max_latency, '') * 1000) as integer),
           null;
    -- The note of a check that was replaced; what is not there to be replaced has none.
    delete from check_note
     where host_id = (select min(id) from host where address = new.host_address)
       and checked_at = cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer)
       and exists (select 1 from check_result c where c.host_id = check_note.host_id and c.checked_at = check_note.checked_at
                      and c.rtts is null);
    insert into stale_rollup(host_id, hour)
    select h.id, cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer) / 3600000
      from (select min(id) as id from host where address = new.host_address) h
     where not exists (select 1 from stale_rollup s where s.host_id = h.id
                        and s.hour = cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer) / 3600000);
end;

create trigger ping_results_delete instead of delete on ping_results begin
    delete from check_result where host_id = old.id >> 43 and checked_at = (old.id & 8796093022207);
    delete from check_note where host_id = old.id >> 43 and checked_at = (old.id & 8796093022207);
    insert into stale_rollup(host_id, hour)
    select old.id >> 43, (old.id & 8796093022207) / 3600000
     where not exists (select 1 from stale_rollup where host_id = old.id >> 43 and hour = (old.id & 8796093022207) / 3600000);
end;
", "
-- The thresholds that a host's newest checks are judged by: success rates in thousandths of a percent. ping_spacing_ms:
-- between two pings of a check.
alter table host add column up_rate integer not null default 95000;
alter table host add column degraded_rate integer not null default 80000;
alter table host add column latency_limit_us integer;
alter table host add column ping_spacing_ms integer;

-- The interval between a host's checks since an instant: each check represents that much time.
create table host_interval(
    host_id     integer not null,
    since       integer not null,
    interval_ms integer not null,
    primary key(host_id, since)
) without rowid;

-- When a user last viewed the newest results through another process.
create table watcher(looked_at integer not null);
insert into watcher values(0);

-- The numbers of checks that were judged down and degraded when the roll-up was made; null in older roll-ups, where they
-- follow from none to full.
alter table rollup add column down integer;
alter table rollup add column degraded integer;
-- The encoding of days has changed: they are made again from their hours.
insert into stale_rollup_day(host_id, day)
select distinct host_id, day from rollup_day r
 where not exists (select 1 from stale_rollup_day s where s.host_id = r.host_id and s.day = r.day);
delete from rollup_day;

-- facts: the JSON of the evidence for the cause. path: the JSON of how far packets got. planned: 1 excludes the event from
-- the totals. answered_since: the first reply of a host that does not count as up yet.
alter table outage_events add column cause text;
alter table outage_events add column facts text;
alter table outage_events add column path text;
alter table outage_events add column planned integer not null default 0;
alter table outage_events add column answered_since text;

-- The probes to a silent host that has no outage yet: the last reply, and the number of lost probes since.
create table doubt(
    host_id    integer primary key,
    noted_at   integer not null,
    replied_at integer,
    lost       integer not null
);

-- Times in which a running monitor could not measure. kind: asleep, held_up, or clock where the clock was set forward.
create table interruption(
    id         integer primary key,
    started_at integer not null,
    ended_at   integer not null,
    kind       text not null
);
create index interruption_by_end on interruption(ended_at);

-- Changes of the wall clock. at: the time after the change. moved: the number of checks whose times were corrected.
create table clock_step(
    id      integer primary key,
    at      integer not null,
    step_ms integer not null,
    moved   integer not null
);

-- Notices, each of which waits until its alert succeeds. kind: down, up, degraded, incident. facts: the JSON of a degraded
-- check; events are described as they are recorded when the alert is sent. told_at: when it was sent. An id is never used
-- again, so that no notice is mistaken for another.
create table notice(
    id      integer primary key autoincrement,
    made_at integer not null,
    kind    text not null,
    facts   text,
    tries   integer not null default 0,
    told_at integer
);
create index notice_waiting on notice(id) where told_at is null;
-- The events that a notice is about: several for an incident.
create table notice_event(
    event_id  integer not null,
    notice_id integer not null,
    primary key(event_id, notice_id)
) without rowid;
create index notice_event_by_notice on notice_event(notice_id);
create trigger notice_gone after delete on notice begin
    delete from notice_event where notice_id = old.id;
end;
-- A later event may get the same id.
create trigger outage_event_gone after delete on outage_events begin
    delete from notice_event where event_id = old.id;
end;
", "
-- A host is identified by its source too: an address or an interface; empty where routing chooses, and null in a host of
-- before, until it is checked again. The table is made anew, because SQLite cannot change a unique constraint; no alter table
-- rename, because that fails for a table which a view uses.
create table host_before as select * from host;
drop table host;
create table host(
    id               integer primary key,
    address          text not null,
    family           integer not null default 0,
    source           text default '',
    name             text not null,
    up_rate          integer not null default 95000,
    degraded_rate    integer not null default 80000,
    latency_limit_us integer,
    ping_spacing_ms  integer,
    -- The address that the newest check of a name or of the gateway pinged.
    resolved_address text,
    unique(address, family, source)
);
insert into host(id, address, family, source, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms)
select id, address, family, null, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms from host_before;
drop table host_before;
-- A name that does not resolve is one host's: its twins over another version of IP or from another source may be fine.
update outage_events set host_id = (select id from host h where h.address = host_address order by h.name <> host_name, id limit 1)
 where event_type = 'dns' and host_id is null;

-- When the pings of a check were sent, if not a spacing apart: milliseconds after it began, separated by commas.
alter table check_note add column sent_after_ms text;
-- When the first of the lost probes was sent.
alter table doubt add column silent_since integer;

-- Times in which a host was to be pinged and nothing could be sent to it.
create table unsent(
    id         integer primary key,
    host_id    integer not null,
    started_at integer not null,
    ended_at   integer not null,
    reason     text not null
);
create index unsent_by_end on unsent(ended_at);

-- behind_ms: the wall clock of this run shows a time before the newest result of before, hence what it records is dated so
-- much later. copied_at: the file is a copy, made while this run was going on: what it recorded later is not in it.
alter table monitor_run add column behind_ms integer not null default 0;
alter table monitor_run add column copied_at integer;
-- doubt: why a step forward corrects the whole run. boot_id: the kernel's; clock_offset_ms: wall clock minus time since boot.
alter table monitor_run add column doubt text;
alter table monitor_run add column boot_id text;
alter table monitor_run add column clock_offset_ms integer;
-- run_id: during which run. why: behind, unsynchronised, set_back or undone, where times were corrected; else skipped.
alter table clock_step add column run_id integer;
alter table clock_step add column why text;

-- rollup.down counts poor checks too, as before: down from now on are those in none.
-- The hosts that are losing pings, which are notified of as `loss`, and since when.
create table loss(
    host_id integer primary key,
    since   integer not null
);

-- removed: 1 where an outage ended with the last check because its host was removed from the configuration.
alter table outage_events add column removed integer not null default 0;
update outage_events set removed = 1
 where notes like '%the host was removed from the configuration during the outage: its end is unknown%';
-- The earlier names of a host.
create table former_name(
    host_id integer not null,
    name    text not null,
    primary key(host_id, name)
) without rowid;
insert into former_name(host_id, name)
select distinct e.host_id, e.host_name from outage_events e join host h on h.id = e.host_id where e.host_name <> h.name;
create trigger host_renamed after update of name on host when new.name <> old.name begin
    insert into former_name(host_id, name)
    select old.id, old.name where not exists (select 1 from former_name where host_id = old.id and name = old.name);
    delete from former_name where host_id = new.id and name = new.name;
end;

-- by_hand: 1 where a check was made by the command check: it stands for the time of its pings.
alter table host_interval add column by_hand integer not null default 0;
", "
-- The events of a host are few beside those of all: without it each answer about one host reads every row.
create index outage_events_by_host_id on outage_events(host_id, start_time);
-- The last failed attempt to send a notice: when, how the program ended, and its last line of output.
alter table notice add column failed_at integer;
alter table notice add column failure text;
alter table notice add column output text;
", "
-- The latencies of an inserted check are put in order, and one without a reply has none.
drop trigger ping_results_insert;
-- An outer `or replace` rules inside a trigger too: it must replace a check, but never a host, hence `where not exists`.
create trigger ping_results_insert instead of insert on ping_results begin
    select raise(abort, 'ping_results: timestamp must be text, YYYY-MM-DD HH:MM:SS, from 1970 on, UTC')
     where typeof(new.timestamp) <> 'text'
        or new.timestamp not glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'
        -- SQLite takes the 30th of February for a day in March.
        or strftime('%Y-%m-%d', julianday(substr(new.timestamp, 1, 10))) is not substr(new.timestamp, 1, 10)
        or coalesce(round((julianday(new.timestamp) - 2440587.5) * 86400000), -1) not between 0 and 8796093022207;
    select raise(abort, 'ping_results: host_address and host_name must be text, and host_address not empty')
     where coalesce(trim(new.host_address), '') = '' or 'blob' in (typeof(new.host_address), typeof(new.host_name));
    -- What .import brings is text, hence numbers are told by being equal to themselves as numbers.
    select raise(abort, 'ping_results: success_count and failure_count must be whole numbers from 0')
     where exists (select 1 from (select new.success_count as n union all select new.failure_count)
                    where n is null or n <> cast(n as integer) or cast(n as integer) not between 0 and 1000000);
    select raise(abort, 'ping_results: latencies must be milliseconds from 0, or NULL')
     where exists (select 1 from (select new.min_latency as ms union all select new.avg_latency union all select new.max_latency)
                    where ms <> '' and (ms <> cast(ms as real) or cast(ms as real) not between 0 and 4294967));
    insert into host(address, family, name)
    select new.host_address, 0, coalesce(nullif(new.host_name, ''), new.host_address)
     where not exists (select 1 from host where address = new.host_address);
    update host set name = new.host_name where address = new.host_address and name <> new.host_name and new.host_name <> '';
    insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts)
    select (select min(id) from host where address = new.host_address),
           cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer),
           cast(new.success_count as integer) + cast(new.failure_count as integer),
           cast(new.success_count as integer),
           -- The least and the greatest of those that are there; the mean is the third, or lies on its side of the other.
           min(a, coalesce(b, a), coalesce(c, a)),
           coalesce(a, 0) + b + coalesce(c, 4294967295)
               - min(coalesce(a, 0), b, coalesce(c, 4294967295)) - max(coalesce(a, 0), b, coalesce(c, 4294967295)),
           max(c, coalesce(a, c), coalesce(b, c)),
           null
      from (select cast(round(nullif(new.min_latency, '') * 1000) as integer) as a,
                   cast(round(nullif(new.avg_latency, '') * 1000) as integer) as b,
                   cast(round(nullif(new.max_latency, '') * 1000) as integer) as c
             where cast(new.success_count as integer) > 0
             union all select null, null, null where cast(new.success_count as integer) = 0);
    -- The note of a check that was replaced; what is not there to be replaced has none.
    delete from check_note
     where host_id = (select min(id) from host where address = new.host_address)
       and checked_at = cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer)
       and exists (select 1 from check_result c where c.host_id = check_note.host_id and c.checked_at = check_note.checked_at
                      and c.rtts is null);
    insert into stale_rollup(host_id, hour)
    select h.id, cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer) / 3600000
      from (select min(id) as id from host where address = new.host_address) h
     where not exists (select 1 from stale_rollup s where s.host_id = h.id
                        and s.hour = cast(round((julianday(new.timestamp) - 2440587.5) * 86400000) as integer) / 3600000);
end;
-- What of this file was found to be damaged, until it is whole again.
create table damage(
    id       integer primary key,
    found_at integer not null,
    what     text not null
);
", "
-- What was counted of each host over the life of the file, for /metrics: retention does not lower it. counted_until: the
-- newest check that is in it. totals: as encoded by totals.rs.
create table host_total(
    host_id       integer primary key,
    counted_until integer not null,
    totals        blob not null
);
",
    include_str!("schema/push.sql"),
    "
-- Since when a host is slower or faster, or loses more or fewer pings. at: the first check of the new level. kind: latency,
-- with levels in microseconds, or loss, with levels in thousandths of a percent. sureness: 0 to 99, how many percent of
-- the evidence went beyond what was needed.
create table level_changes(
    host_id  integer not null,
    kind     text not null,
    at       integer not null,
    before   integer not null,
    after    integer not null,
    sureness integer not null,
    primary key(host_id, kind, at)
) without rowid;
",
];
