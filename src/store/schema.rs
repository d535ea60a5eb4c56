//! The tables, as an append-only list of migrations. A file says by `application_id` whose it is
//! and by `user_version` how many of these it has seen.
//!
//! Times are Unix milliseconds, latencies microseconds. No feature of SQLite younger than 3.22 may
//! be used in what is stored here (no `strict`, no `returning`): the files are for the plain
//! `sqlite3` shell too.

use rusqlite::Connection;

/// "ACLg": what file(1) and we know our files by.
pub const APPLICATION_ID: i64 = 0x4143_4c67;

/// "ACLx": a file in the original's schema that this program has exported. The original does not
/// look at it; export.rs says what it means.
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
-- What was ever monitored. Address and family (0 any, 4, 6) are the identity, the name is the newest.
create table host(
    id      integer primary key,
    address text not null,
    family  integer not null default 0,
    name    text not null,
    unique(address, family)
);

-- One row a check. rtts: a varint a ping, 0 lost, else its time less min_us plus 1; null where only the sums are known.
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

-- What is rare: written only when there is something to tell.
create table check_note(
    host_id    integer not null,
    checked_at integer not null,
    late       integer not null,
    duplicates integer not null,
    foreigners integer not null,
    reason     text,
    primary key(host_id, checked_at)
) without rowid;

-- Checks that could not be made, through no fault of the host.
create table not_measured_check(
    host_id    integer not null,
    checked_at integer not null,
    reason     text not null,
    primary key(host_id, checked_at)
) without rowid;

-- One row a host and hour (hours since 1970), made from the hour's checks once the hour is over. none to full count
-- checks by their success rate: none answered, up to 20, 40, 60 %, below 80, 95, 100 %, all answered; below 80 is down,
-- below 95 degraded. Success rates are in thousandths of a percent. sum_us is over the replies; avg_sum_us over the means of the checks that have one, latency_checks their
-- number. histogram: of the replies' times, as stats.rs writes it.
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

-- Hours whose roll-up is missing or no longer right. Until it is made, the hour is read from its checks.
create table stale_rollup(
    host_id integer not null,
    hour    integer not null,
    primary key(host_id, hour)
) without rowid;

-- One row a host and day (days since 1970, UTC), made from its roll-ups once the day is over: counts are those of its hours
-- (which hour, then its counts, as sums.rs writes them), total the sums of the day, latencies what the replies of each
-- hour took: in the order in which SQLite reads the rest of a row only where it is asked for. Nothing is lost with these rows: they only save reading 24.
create table rollup_day(
    host_id   integer not null,
    day       integer not null,
    counts    blob not null,
    total     blob not null,
    latencies blob not null,
    primary key(host_id, day)
) without rowid;

-- Days whose packed row is missing.
create table stale_rollup_day(
    host_id integer not null,
    day     integer not null,
    primary key(host_id, day)
) without rowid;

-- Checks before this instant were deleted: roll-ups of these hours can no longer be made from them.
create table pruning(pruned_before integer not null);
insert into pruning values(0);

-- The ledger of daemons: between alive_at of one and started_at of the next nothing was measured.
create table monitor_run(
    id         integer primary key,
    started_at integer not null,
    alive_at   integer not null,
    stopped_at integer,
    version    text not null
);

-- Outages, with the original's columns first. One that goes on has no end_time. earliest_start is the last check with a
-- reply before it; packets_ count the pings of its checks. host_id is null where only the address is known.
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

-- The original's relation.
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
-- By what a host's checks are judged, newest: success rates in thousandths of a percent. ping_spacing_ms: from one ping of
-- a check to the next.
alter table host add column up_rate integer not null default 95000;
alter table host add column degraded_rate integer not null default 80000;
alter table host add column latency_limit_us integer;
alter table host add column ping_spacing_ms integer;

-- How far apart a host's checks were, from when on: for so long each of them stands.
create table host_interval(
    host_id     integer not null,
    since       integer not null,
    interval_ms integer not null,
    primary key(host_id, since)
) without rowid;

-- When somebody last looked at the newest results through another process.
create table watcher(looked_at integer not null);
insert into watcher values(0);

-- Checks that were down and degraded as they were judged when the roll-up was made; null in older ones, where the classes
-- tell.
alter table rollup add column down integer;
alter table rollup add column degraded integer;
-- The packed form has changed: the days are made again from their hours.
insert into stale_rollup_day(host_id, day)
select distinct host_id, day from rollup_day r
 where not exists (select 1 from stale_rollup_day s where s.host_id = r.host_id and s.day = r.day);
delete from rollup_day;

-- cause and facts: whose fault it was, and the JSON of what that rests on; path: the JSON of how far packets got. planned:
-- told apart and not counted. answered_since: the first reply of a host that is not yet counted as back.
alter table outage_events add column cause text;
alter table outage_events add column facts text;
alter table outage_events add column path text;
alter table outage_events add column planned integer not null default 0;
alter table outage_events add column answered_since text;

-- What single pings said of a host that is silent, but not for long enough to be out: the last reply, and lost pings since.
create table doubt(
    host_id    integer primary key,
    noted_at   integer not null,
    replied_at integer,
    lost       integer not null
);

-- Times in which a daemon that was not stopped measured nothing: kind asleep, held_up, or clock where it was set forward.
create table interruption(
    id         integer primary key,
    started_at integer not null,
    ended_at   integer not null,
    kind       text not null
);
create index interruption_by_end on interruption(ended_at);

-- When the wall clock was set, by the new time, and by how much. moved: how many checks were dated anew.
create table clock_step(
    id      integer primary key,
    at      integer not null,
    step_ms integer not null,
    moved   integer not null
);

-- What is to be told, until somebody has heard it. kind: down, up, degraded, incident. facts: the JSON of a check that was
-- degraded; of events is told what is on record of them by then. An id is never used again, so that nobody takes one
-- notice for another.
create table notice(
    id      integer primary key autoincrement,
    made_at integer not null,
    kind    text not null,
    facts   text,
    tries   integer not null default 0,
    told_at integer
);
create index notice_waiting on notice(id) where told_at is null;
-- The events that a notice is about: several of an incident.
create table notice_event(
    event_id  integer not null,
    notice_id integer not null,
    primary key(event_id, notice_id)
) without rowid;
create index notice_event_by_notice on notice_event(notice_id);
create trigger notice_gone after delete on notice begin
    delete from notice_event where notice_id = old.id;
end;
-- The next event may get its id.
create trigger outage_event_gone after delete on outage_events begin
    delete from notice_event where event_id = old.id;
end;
"];
