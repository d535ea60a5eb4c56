-- How far the engine that the section push of the configuration names has what is recorded. until: the host's newest check
-- that the engine has acknowledged. changes: how often a check was entered before others, or moved, so that what was
-- read before is not what there is now.
create table push_mark(
    host_id integer primary key,
    until   integer not null default -1,
    changes integer not null default 0
);
insert into push_mark(host_id) select id from host;
create trigger push_host_new after insert on host begin
    insert into push_mark(host_id) select new.id where not exists (select 1 from push_mark where host_id = new.id);
end;
-- A check that is entered after all others is behind the mark anyway; one that is there already changes nothing.
create trigger push_check_new before insert on check_result
when not exists (select 1 from check_result where host_id = new.host_id and checked_at = new.checked_at and sent is new.sent
                    and received is new.received and min_us is new.min_us and avg_us is new.avg_us and max_us is new.max_us)
 and (exists (select 1 from check_result where host_id = new.host_id and checked_at >= new.checked_at)
   or exists (select 1 from not_measured_check where host_id = new.host_id and checked_at >= new.checked_at)
   or exists (select 1 from push_mark where host_id = new.host_id and until >= new.checked_at))
begin
    update push_mark set until = min(until, new.checked_at - 1), changes = changes + 1 where host_id = new.host_id;
end;
create trigger push_not_measured_new before insert on not_measured_check
when not exists (select 1 from not_measured_check where host_id = new.host_id and checked_at = new.checked_at)
 and (exists (select 1 from check_result where host_id = new.host_id and checked_at >= new.checked_at)
   or exists (select 1 from not_measured_check where host_id = new.host_id and checked_at >= new.checked_at)
   or exists (select 1 from push_mark where host_id = new.host_id and until >= new.checked_at))
begin
    update push_mark set until = min(until, new.checked_at - 1), changes = changes + 1 where host_id = new.host_id;
end;
create trigger push_check_moved before update on check_result begin
    update push_mark set until = min(until, new.checked_at - 1), changes = changes + 1 where host_id = new.host_id;
end;
create trigger push_not_measured_moved before update on not_measured_check begin
    update push_mark set until = min(until, new.checked_at - 1), changes = changes + 1 where host_id = new.host_id;
end;

-- The events that the engine does not have as they are now. Each change of an event has a number of its own, greater than
-- those before it; push_number has the last one. Not by autoincrement: a damaged row with the greatest number of all would
-- end every write of an event.
create table push_event(
    change   integer primary key,
    event_id integer not null unique
);
create table push_number(last integer not null);
insert into push_event(change, event_id) select id, id from outage_events;
insert into push_number select coalesce(max(change), 0) from push_event;
create trigger push_event_new after insert on outage_events begin
    update push_number set last = case when typeof(last) = 'integer' and last between 0 and 4611686018427387903 then last + 1 else 1 end;
    insert or replace into push_event(change, event_id) select last, new.id from push_number;
end;
create trigger push_event_changed
 after update of start_time, end_time, event_type, cause, notes, planned, host_name, host_address, host_id on outage_events
  when new.start_time is not old.start_time or new.end_time is not old.end_time or new.event_type is not old.event_type
    or new.cause is not old.cause or new.notes is not old.notes or new.planned is not old.planned
    or new.host_name is not old.host_name or new.host_address is not old.host_address or new.host_id is not old.host_id
begin
    update push_number set last = case when typeof(last) = 'integer' and last between 0 and 4611686018427387903 then last + 1 else 1 end;
    insert or replace into push_event(change, event_id) select last, new.id from push_number;
end;
create trigger push_event_gone after delete on outage_events begin
    delete from push_event where event_id = old.id;
end;

-- The engine that the marks are of, as a hash; since when and why nothing can be sent to it, and what it said last; how many
-- checks and events it has refused for good, and its last reason.
create table push_state(
    engine     integer not null,
    failed_at  integer,
    failure    text,
    output     text,
    refused    integer not null default 0,
    refused_at integer,
    refusal    text,
    words      text
);
insert into push_state(engine) values(0);
