//! What must hold of the files that a crash leaves, however it came about.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ace_connection_logger::api::{Api, ApiConfig};
use ace_connection_logger::config;
use ace_connection_logger::pure::model::{CheckResult, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, Reader, RunState, StoreError, backup};
use ace_connection_logger::web::{Body, Handler, Request};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::common::{run, skip};
use crate::script::{self, BACKUP, EXPORT, FILES, LATER, MAIN, MINUTE, Script, Step};

/// What a file contains, as text; `None` if it does not exist or has no table.
type Content = Option<Arc<str>>;

/// What each file contains after so many steps, when nothing interrupts them.
pub struct Reference {
    steps: Vec<Step>,
    contents: Vec<BTreeMap<&'static str, Content>>,
}

/// How many steps each file shows: all numbers that it may be.
pub type Found = BTreeMap<&'static str, Vec<usize>>;

impl Reference {
    /// Performs the steps in a folder.
    pub fn read(folder: &Path) -> Reference {
        let steps = script::steps();
        let mut script = Script::new(folder);
        let content = |file| content(&folder.join(file)).expect("it is read");
        let mut contents = vec![FILES.map(|file| (file, content(file))).into()];
        for step in &steps {
            script.perform(*step);
            let mut after: BTreeMap<_, _> = BTreeMap::clone(contents.last().expect("one"));
            after.insert(step.file(), content(step.file()));
            contents.push(after);
        }
        Reference { steps, contents }
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether the files may be so when the power fails after so many steps have returned and perhaps
    /// one more was performed. `are_all_durable`: as with a rollback journal.
    pub fn accept(
        &self,
        found: &Found,
        returned: usize,
        are_all_durable: bool,
    ) -> Result<(), String> {
        for (file, shown) in found {
            let is_durable =
                |step: &Step| step.file() == *file && (are_all_durable || step.is_durable());
            let least = (self.steps[..returned].iter())
                .rposition(is_durable)
                .map_or(0, |last| last + 1);
            accept_one(file, shown, least, returned + 1)?;
        }
        Ok(())
    }

    /// Whether the files may be so when the process was killed after so many steps.
    pub fn accept_all(&self, found: &Found, returned: usize) -> Result<(), String> {
        found
            .iter()
            .try_for_each(|(file, shown)| accept_one(file, shown, returned, returned + 1))
    }

    fn find(&self, file: &'static str, content: &Content) -> Result<Vec<usize>, String> {
        let found: Vec<usize> = (self.contents.iter().enumerate())
            .filter(|(_, contents)| contents[file] == *content)
            .map(|(steps, _)| steps)
            .collect();
        if found.is_empty() {
            return Err(format!(
                "{file} is as after no step, {}",
                self.nearest(file, content.as_deref().unwrap_or_default())
            ));
        }
        Ok(found)
    }

    /// How a content differs from the one that is most like it.
    fn nearest(&self, file: &str, content: &str) -> String {
        let differences = |steps: usize| {
            let expected = self.contents[steps][file].as_deref().unwrap_or_default();
            let mut text = String::new();
            for line in content.lines().filter(|line| !expected.contains(line)) {
                let _ = writeln!(text, "+ {line}");
            }
            for line in expected.lines().filter(|line| !content.contains(line)) {
                let _ = writeln!(text, "- {line}");
            }
            (text.len(), steps, text)
        };
        let (_, steps, text) = (0..self.contents.len())
            .map(differences)
            .min()
            .expect("there are contents");
        let text: String = text.chars().take(3000).collect();
        format!("but nearly as after {steps}:\n{text}")
    }
}

fn accept_one(file: &str, shown: &[usize], least: usize, most: usize) -> Result<(), String> {
    if shown.iter().any(|steps| (least..=most).contains(steps)) {
        return Ok(());
    }
    Err(format!(
        "{file} is as after {shown:?} steps, and {least} to {most} are due"
    ))
}

/// Judges the files that crashes leave, each content once.
pub struct Judge<'r> {
    reference: &'r Reference,
    /// A folder for copies of the files, in memory.
    folder: PathBuf,
    /// A database that copies can be made of.
    source: PathBuf,
    known: HashMap<(&'static str, u64), Result<Vec<usize>, String>>,
    /// The steps that databases showed whose answers were asked for.
    answered: HashSet<(&'static str, usize)>,
}

impl<'r> Judge<'r> {
    pub fn new(reference: &'r Reference, folder: &Path, source: &Path) -> Judge<'r> {
        Judge {
            reference,
            folder: folder.to_path_buf(),
            source: source.to_path_buf(),
            known: HashMap::new(),
            answered: HashSet::new(),
        }
    }

    /// How many different contents of files were judged.
    pub fn judged(&self) -> usize {
        self.known.len()
    }

    /// What the files of a folder show, which stay as they are.
    pub fn files(&mut self, folder: &Path) -> Result<Found, String> {
        let mut groups: BTreeMap<_, _> = FILES.map(|file| (file, BTreeMap::new())).into();
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            // The index of a log is made anew.
            if name == "lost+found" || name.ends_with("-shm") {
                continue;
            }
            let owner = FILES.iter().find(|file| name.starts_with(**file));
            let group = owner.and_then(|file| groups.get_mut(file));
            let group = group.ok_or_else(|| format!("{name} is left over"))?;
            group.insert(name, fs::read(entry.path()).expect("it is read"));
        }
        let mut found = Found::new();
        for (file, group) in groups {
            let mut hasher = DefaultHasher::new();
            group.hash(&mut hasher);
            let key = (file, hasher.finish());
            if !self.known.contains_key(&key) {
                let verdict = self.group(file, &group);
                self.known.insert(key, verdict);
            }
            found.insert(file, self.known[&key].clone()?);
        }
        Ok(found)
    }

    /// Judges a file and those that belong to it.
    fn group(
        &mut self,
        file: &'static str,
        group: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<usize>, String> {
        write_all(&self.folder, group);
        let verdict = self.copied(file);
        fs::remove_dir_all(&self.folder).expect("it is ours");
        verdict.map_err(|error| {
            let kept = format!("ace-connection-logger-crash-{}", std::process::id());
            let kept = std::env::temp_dir().join(kept);
            write_all(&kept, group);
            format!("{file}: {error}\nthe files are kept in {}", kept.display())
        })
    }

    fn copied(&mut self, file: &'static str) -> Result<Vec<usize>, String> {
        let path = self.folder.join(file);
        // The program is the first to open it, as a dashboard does.
        Reader::open_current(&path).map_err(|error| error.to_string())?;
        let shown = self.reference.find(file, &content(&path)?)?;
        expect_intact(&self.folder)?;
        match file {
            BACKUP if !path.exists() => {
                backup(&self.source, &path).map_err(|error| error.to_string())?;
            }
            EXPORT if !path.exists() => script::export(&self.source, &path),
            BACKUP | EXPORT => {}
            _ => {
                // Files of one content give the same answers.
                let is_new = self.answered.insert((file, shown[0]));
                go_on(&path, is_new)?;
            }
        }
        if file == MAIN && content(&self.folder.join(ORIGINAL))? != self.reference.contents[0][MAIN]
        {
            return Err("the copy of the original's file is not as it was".into());
        }
        expect_intact(&self.folder)?;
        nothing_left_over(&self.folder)?;
        Ok(shown)
    }
}

fn write_all(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir(folder).expect("a new folder");
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("there is room");
    }
}

/// The copy that is kept of the original's file.
const ORIGINAL: &str = "connection_logs.db.original";

fn nothing_left_over(folder: &Path) -> Result<(), String> {
    for entry in fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        // A rollback journal that is not valid stays for the next transaction.
        let of_database = name.strip_suffix("-journal").unwrap_or(&name);
        if !FILES.contains(&of_database) && name != ORIGINAL {
            return Err(format!("{name} is left over"));
        }
    }
    Ok(())
}

/// All tables of a file and their rows, without what depends on the clock of this machine.
fn content(path: &Path) -> Result<Content, String> {
    if !path.exists() {
        return Ok(None);
    }
    read_content(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_content(path: &Path) -> rusqlite::Result<Content> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut text = String::new();
    lines(
        &connection,
        "select type, name, sql from sqlite_schema order by 1, 2",
        &mut text,
    )?;
    if text.is_empty() {
        return Ok(None);
    }
    let tables = "select name from sqlite_schema where type = 'table' order by 1";
    let tables: Vec<String> = (connection.prepare(tables)?)
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let columns = "select name from pragma_table_info(?1) where name <> 'clock_offset_ms'
                          and not (?1 = 'clock_step' and name = 'step_ms')";
        let columns: Vec<String> = (connection.prepare(columns)?)
            .query_map([&table], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let order: Vec<String> = (1..=columns.len() + 1).map(|n| n.to_string()).collect();
        let (columns, order) = (columns.join(", "), order.join(", "));
        let rows = format!("select '{table}', {columns} from {table} order by {order}");
        lines(&connection, &rows, &mut text)?;
    }
    Ok(Some(text.into()))
}

fn lines(connection: &Connection, sql: &str, text: &mut String) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let _ = match row.get_ref(column)? {
                ValueRef::Null => write!(text, "|"),
                ValueRef::Integer(value) => write!(text, "{value}|"),
                ValueRef::Real(value) => write!(text, "{value:?}|"),
                ValueRef::Text(value) => {
                    write!(
                        text,
                        "{}|",
                        String::from_utf8_lossy(value).replace('\n', " ")
                    )
                }
                ValueRef::Blob(value) => write!(text, "{value:02x?}|"),
            };
        }
        text.push('\n');
    }
    Ok(())
}

/// Whether the shell is here that checks files; prints that it is not.
pub fn has_shell(test: &str) -> bool {
    let is_here = Command::new("sqlite3").arg("-version").output().is_ok();
    if !is_here {
        skip(test, "sqlite3 is not installed");
    }
    is_here
}

/// `pragma integrity_check` of every database, by the shell: SQLite as it is compiled in has none.
fn expect_intact(folder: &Path) -> Result<(), String> {
    let attach: String = (FILES.into_iter().chain([ORIGINAL]).enumerate())
        .filter(|(_, file)| folder.join(file).exists())
        .map(|(number, file)| format!("attach '{file}' as d{number};"))
        .collect();
    let mut shell = Command::new("sqlite3");
    let checked = run(shell
        .current_dir(folder)
        .args(["-bail", ":memory:"])
        .arg(format!("{attach} pragma integrity_check")));
    match (checked.code, checked.stdout.as_str()) {
        (Some(0), "ok\n") => Ok(()),
        _ => Err(format!("{}{}", checked.stdout, checked.stderr)),
    }
}

/// What may never be lost again once it was read.
const MEASURED: &str = "
    select 'check', host_id, checked_at, sent, received, rtts from check_result union all
    select 'not measured', host_id, checked_at, reason, null, null from not_measured_check union all
    select 'note', host_id, checked_at, late, reason, null from check_note union all
    select 'event', id, host_id, start_time, null, null from outage_events order by 1, 2, 3, 4";

const OVERLAPPING: &str = "select a.id, b.id from outage_events a join outage_events b on a.host_id = b.host_id
    and a.id < b.id and b.start_time < coalesce(a.end_time, '9') and a.start_time < coalesce(b.end_time, '9')";

/// The program starts again, records a check, answers every question where `is_asked`, and stops.
fn go_on(path: &Path, is_asked: bool) -> Result<(), String> {
    let text = |error: StoreError| error.to_string();
    let mut database = Database::open(path, &mut |_, _| ()).map_err(text)?.database;
    let query = |sql: &str| -> Result<String, String> {
        let mut text = String::new();
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        connection
            .and_then(|connection| lines(&connection, sql, &mut text))
            .map_err(|error| format!("{sql}: {error}"))?;
        Ok(text)
    };
    let before = query(MEASURED)?;
    let now = UtcMillis(LATER);
    database.begin_run(now, true).map_err(text)?;
    if query(MEASURED)? != before {
        return Err("the start of a run changes what was measured".into());
    }
    let [host, ..] = script::hosts();
    let check = CheckResult {
        pings: vec![Outcome::Reply { rtt_us: 1234 }],
        interval_ms: 60_000,
        ..CheckResult::begin(host, UtcMillis(LATER - 1))
    };
    let written = database.write(&[check], now, RunState::Running);
    written.map_err(text)?;
    if is_asked {
        answer_all(path)?;
    }
    database.write(&[], now, RunState::Stopped).map_err(text)?;
    database.checkpoint();
    drop(database);
    let after = query(MEASURED)?;
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.lines().collect(), after.lines().collect());
    let added: Vec<_> = after.difference(&before).collect();
    if !before.is_subset(&after) || added.len() != 1 || !added[0].starts_with("check|") {
        let lost: Vec<_> = before.difference(&after).collect();
        return Err(format!("lost: {lost:?}, added: {added:?}"));
    }
    match query(OVERLAPPING)?.as_str() {
        "" => Ok(()),
        pairs => Err(format!("outages overlap: {pairs}")),
    }
}

/// Every path of the API, with every format of the report.
const QUESTIONS: [&str; 25] = [
    "/health",
    "/metrics",
    "/api/status",
    "/api/hosts",
    "/api/hosts/all",
    "/api/hosts/192.0.2.1/active-outage",
    "/api/ping-results?hours=0&limit=0",
    "/api/ping-results/latest",
    "/api/statistics/192.0.2.1?hours=0",
    "/api/series?host_address=192.0.2.1&SPAN",
    "/api/distribution?host_address=192.0.2.1&SPAN",
    "/api/hours?host_address=192.0.2.1&SPAN",
    "/api/overview",
    "/api/outages",
    "/api/outages/by-incident",
    "/api/outages/active",
    "/api/outages/statistics/192.0.2.1",
    "/api/incidents?SPAN",
    "/api/gaps?SPAN",
    "/api/changes?SPAN",
    "/api/report?format=text&SPAN",
    "/api/report?format=html&SPAN",
    "/api/report?format=csv&SPAN",
    "/api/report?format=json&SPAN",
    "/api/ping-results?host_address=192.0.2.2&hours=0&limit=5",
];

fn answer_all(path: &Path) -> Result<(), String> {
    let hosts: String = script::hosts()
        .iter()
        .map(|host| format!("- {{name: {}, address: {}}}\n", host.name, host.address))
        .collect();
    let file = format!("database: {{path: '{}'}}\nhosts:\n{hosts}", path.display());
    let config = config::parse(file.as_bytes(), "config.yaml").config;
    let api = Api::new(ApiConfig::of(&config), || ());
    let span = format!(
        "from={}&to={}",
        (LATER - 5 * 24 * 60 * MINUTE) / 1000,
        LATER / 1000
    );
    for question in QUESTIONS {
        let question = question.replace("SPAN", &span);
        let (address, query) = question.split_once('?').unwrap_or((&question, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let reply = api.handle(&Request {
            path: address.into(),
            query: pairs.map(|(k, v)| (k.into(), v.into())).collect(),
            if_none_match: None,
            accept: None,
            is_from_other_origin: false,
        });
        // By the clock of this machine the newest check is old.
        let is_stale = address == "/health" && reply.status == 503;
        let status = reply.status;
        let body = whole(reply.body);
        if status != 200 && !is_stale {
            return Err(format!(
                "{question}: {status} {}",
                String::from_utf8_lossy(&body)
            ));
        }
    }
    Ok(())
}

fn whole(body: Body) -> Vec<u8> {
    match body {
        Body::Whole(bytes) => bytes,
        Body::Written(write) => {
            let mut bytes = Vec::new();
            match write(&mut bytes) {
                Ok(()) => bytes,
                Err(reply) => whole(reply.body),
            }
        }
        Body::Chunks(chunks) => std::iter::from_fn(chunks.next).flatten().collect(),
    }
}
