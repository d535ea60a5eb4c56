//! Files of earlier versions.

macro_rules! without_push {
    () => {
        "drop trigger push_host_new; drop trigger push_check_new; drop trigger push_not_measured_new;
        drop trigger push_check_moved; drop trigger push_not_measured_moved; drop trigger push_event_new;
        drop trigger push_event_changed; drop trigger push_event_gone;
        drop table level_changes; drop table push_mark; drop table push_event; drop table push_number; drop table push_state;"
    };
}

/// Removes the marks of the section `push`, and what is younger, from a database.
pub const WITHOUT_PUSH: &str = without_push!();

/// Makes a database of the current version one of the second.
pub const TO_SECOND_VERSION: &str = concat!(
    without_push!(),
    "
        create table h as select id, address, family, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms from host;
        drop table unsent; alter table check_note drop column sent_after_ms; alter table doubt drop column silent_since;
        drop table loss; drop table damage; drop table host_total; drop index outage_events_by_host_id;
        alter table outage_events drop column removed; drop trigger host_renamed; drop table former_name;
        drop table host;
        create table host(id integer primary key, address text not null, family integer not null default 0, name text not null,
            up_rate integer not null default 95000, degraded_rate integer not null default 80000, latency_limit_us integer,
            ping_spacing_ms integer, unique(address, family));
        insert into host select id, address, family, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms from h;
        drop table h;
        alter table monitor_run drop column behind_ms; alter table monitor_run drop column copied_at;
        alter table monitor_run drop column doubt; alter table monitor_run drop column boot_id;
        alter table monitor_run drop column clock_offset_ms;
        alter table clock_step drop column run_id; alter table clock_step drop column why;
        alter table host_interval drop column by_hand;
        alter table notice drop column failed_at; alter table notice drop column failure;
        alter table notice drop column output;
        pragma user_version = 2"
);
