//! The file of the writing connection: whether it is still the same, and another in its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{Database, FileState, LONG_ABSENCE_MS, NO_FILE, Opened};
use crate::pure::phrase;
use crate::pure::run_clock::RunClock;
use crate::pure::time::UtcMillis;
use crate::store::damage;
use crate::store::error::StoreError;
use crate::store::file::identity_of;
use crate::store::header::FileStart;
use crate::store::write::carry_over::carry_over;
use crate::store::write::totals::Totals;
use crate::sys;

impl Database {
    /// As [`Database::open`], for the monitor: a damaged file is set aside, and a new one begun.
    pub fn open_or_begin(
        path: &Path,
        now: UtcMillis,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Opened, StoreError> {
        let error = match Database::open(path, progress).and_then(Opened::read_runs) {
            Err(error) if damage::is_of_ours(&error, path) => error,
            other => return other,
        };
        let (aside, mut database) = Database::begin_anew(path, now)?;
        database.note_replaced(&error, aside);
        Ok(Opened {
            database,
            import: None,
        })
    }

    /// Sets a damaged file aside and begins a new one, with what of it was still going on.
    fn begin_anew(path: &Path, now: UtcMillis) -> Result<(PathBuf, Database), StoreError> {
        let aside = damage::set_aside(path, now)?;
        let mut database = Database::open(path, &mut |_, _| ())?.database;
        carry_over(&aside, &mut database.connection);
        Ok((aside, database))
    }

    fn note_replaced(&mut self, error: &StoreError, aside: PathBuf) {
        let sentence = format!(
            "{} was damaged ({error}): it is set aside as {aside}, and a new file is begun; what is \
             readable of it: ace-connection-logger doctor --salvage {aside}",
            self.path.display(),
            aside = aside.display()
        );
        log::error!("{sentence}");
        self.notify_of_damage(sentence, Some(aside));
    }

    /// Makes a notice with the next records.
    pub(in crate::store::write) fn notify_of_damage(
        &mut self,
        sentence: String,
        aside: Option<PathBuf>,
    ) {
        self.damage = Some((sentence, aside));
    }

    /// What other programs did to the file since it was opened.
    pub fn file_state(&mut self) -> FileState {
        if self.identity.is_some() && identity_of(&self.path) != self.identity {
            return FileState::Replaced;
        }
        let found = self.file.as_ref().map(FileStart::read);
        let (Some(known), Some(Ok(found))) = (&self.start, found) else {
            return FileState::InUse;
        };
        if known.is_continued_by(&found) {
            self.start = Some(found);
            if self.overwritten.take().is_some() {
                self.checkpoint_on_close(true);
            }
            return FileState::InUse;
        }
        // What is in the log belongs to the old contents.
        self.checkpoint_on_close(false);
        let is_complete = self.overwritten.as_ref() == Some(&found);
        let damage = if known.is_cut_short_in(&found) {
            Some("its end is missing")
        } else if !found.is_ours() && damage::is_ours(&self.path).unwrap_or(false) {
            Some("its header is gone")
        } else {
            None
        };
        self.overwritten = Some(found);
        FileState::WrittenOver {
            is_complete,
            damage,
        }
    }

    /// Whether closing the connection moves the write-ahead log into the file.
    fn checkpoint_on_close(&self, is_wanted: bool) {
        let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        if let Err(error) = self.connection.set_db_config(option, !is_wanted) {
            log::debug!("{}: {error}", self.path.display());
        }
    }

    /// Renames a file that another program wrote over, together with the write-ahead log of the
    /// old contents, so that [`Database::reopen`] begins a new one. Returns its new name.
    pub fn set_aside(&mut self, now: UtcMillis) -> Result<PathBuf, StoreError> {
        damage::set_overwritten_aside(&self.path, now)
    }

    /// Closes a file that was deleted, replaced or set aside, and opens or creates the one at its
    /// path.
    pub fn reopen(&mut self, now: UtcMillis, is_synchronised: bool) -> Result<(), StoreError> {
        // The log belongs to the old file. Both files use the same names for log and index, so
        // the old one is closed before the new one is opened.
        if self.overwritten.is_none() {
            self.checkpoint();
        }
        self.close()?;
        // A new file is readable by nobody who could not read the old one. It may exist already.
        let old = self.file.as_ref().and_then(|file| file.metadata().ok());
        drop(sys::create_like(&self.path, old.as_ref()));
        let opened = Database::open(&self.path, &mut |_, _| ())?;
        if let Some(import) = &opened.import {
            log::info!("{}: {import}", self.path.display());
        }
        self.go_on_with(opened.database, now, is_synchronised)
    }

    /// Sets the open file aside, since it is damaged, and goes on with a new one.
    pub fn replace_damaged(
        &mut self,
        error: &StoreError,
        now: UtcMillis,
        is_synchronised: bool,
    ) -> Result<(), StoreError> {
        // The log stays for the salvage.
        self.checkpoint_on_close(false);
        self.close()?;
        let (aside, mut database) = Database::begin_anew(&self.path, now)?;
        database.note_replaced(error, aside);
        self.go_on_with(database, now, is_synchronised)
    }

    /// Closes the file. Until another is opened this one counts as replaced.
    fn close(&mut self) -> Result<(), StoreError> {
        let nothing =
            Connection::open_in_memory().map_err(|cause| self.failed("closing", cause))?;
        drop(std::mem::replace(&mut self.connection, nothing));
        self.identity = NO_FILE;
        Ok(())
    }

    fn go_on_with(
        &mut self,
        mut database: Database,
        now: UtcMillis,
        is_synchronised: bool,
    ) -> Result<(), StoreError> {
        database.clock = Arc::clone(&self.clock);
        database.totals = Totals::with_counters(Arc::clone(&self.totals.counters));
        // A run that began without a file has kept its results until now.
        let started = if self.has_begun() {
            now
        } else {
            self.run_clock.started()
        };
        database.begin(started, now, is_synchronised)?;
        database.set_outage_rules(self.outage_rules);
        database.pending_notices = self.pending_notices;
        *self = database;
        Ok(())
    }

    /// Whether the monitor's run is recorded.
    pub fn has_begun(&self) -> bool {
        self.run_id.is_some()
    }

    /// Records that this monitor runs since `started`.
    pub fn begin(
        &mut self,
        started: UtcMillis,
        now: UtcMillis,
        is_synchronised: bool,
    ) -> Result<(), StoreError> {
        if let Some(why) = self.why_unopened.take() {
            return Err(why);
        }
        self.begin_run_of(started, now, is_synchronised)?;
        let dated = self.run_clock.dated(now);
        if dated != now {
            log::warn!(
                "the clock shows {}, but the newest result is from {}: results are dated after it until the clock is set forward",
                now.rfc3339(),
                dated.rfc3339()
            );
        }
        let proven = self.proven_time(dated)?;
        if dated.0.saturating_sub(proven.0) >= LONG_ABSENCE_MS {
            log::warn!(
                "the last run ended {} ago by this clock; in case it is wrong nothing is deleted for a day",
                phrase::duration(Duration::from_millis(dated.0.abs_diff(proven.0)))
            );
        }
        Ok(())
    }

    /// Goes on without the file, whose run could not begin.
    pub fn close_file(&mut self, start: UtcMillis, is_synchronised: bool) {
        if let Ok(connection) = Connection::open_in_memory() {
            // Before the file.
            drop(std::mem::replace(&mut self.connection, connection));
            (self.file, self.start) = (None, None);
        }
        self.identity = NO_FILE;
        self.run_clock = RunClock::start(start, None, is_synchronised);
    }
}
