//! Whether the engine of the section `push` has what is recorded. Nothing is sent to find out.

use super::diagnosis::Diagnosis;
use crate::alerts::shown_time;
use crate::config::Config;
use crate::push::{PushReason, PushStatus};
use crate::status;
use crate::store::{Reader, StoreError};
use crate::sys;

/// `None` where nothing is to be sent.
pub fn push(config: &Config) -> Option<Diagnosis> {
    const SUBJECT: &str = "push";
    config.push.as_ref()?;
    let status = match behind(config) {
        Ok(Some(status)) => status,
        Ok(None) => return Some(Diagnosis::ok(SUBJECT, "the engine has what is recorded")),
        Err(error) => return Some(Diagnosis::note(SUBJECT, error.to_string())),
    };
    let now = sys::clocks().utc();
    let text = status.sentence(shown_time(now, sys::utc_offset_at));
    Some(match status.reason {
        PushReason::Failed => {
            let cure = "correct the section push, or the engine; what is recorded is sent later";
            Diagnosis::failed(SUBJECT, text, cure)
        }
        PushReason::NoMonitor => {
            Diagnosis::note(SUBJECT, text).with_cure("ace-connection-logger monitor")
        }
        PushReason::Sending | PushReason::Refused => Diagnosis::note(SUBJECT, text),
    })
}

fn behind(config: &Config) -> Result<Option<PushStatus>, StoreError> {
    let Some(reader) = Reader::open_current(&config.database.path)? else {
        return Ok(None);
    };
    let now = reader.present(sys::clocks().utc())?;
    let flush = config.database.flush;
    let is_running = status::is_monitor_running(&reader, flush, now)?;
    PushStatus::read(&reader, config.push.as_ref(), flush, is_running, now)
}
