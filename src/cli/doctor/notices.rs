//! Whether notices wait to be sent.

use super::diagnosis::Diagnosis;
use crate::alerts::{Queue, WaitReason, shown_time};
use crate::config::Config;
use crate::status;
use crate::store::{Reader, StoreError};
use crate::sys;

pub fn notices(config: &Config) -> Diagnosis {
    const SUBJECT: &str = "notices";
    let queue = match queue(config) {
        Ok(queue) => queue,
        Err(error) => return Diagnosis::note(SUBJECT, error.to_string()),
    };
    let Some(queue) = queue else {
        return Diagnosis::ok(
            SUBJECT,
            if config.alerts.command.is_empty() {
                "none is sent: no alerts.command is configured"
            } else {
                "none waits for its command"
            },
        );
    };
    let now = sys::clocks().utc();
    let text = queue.sentence(shown_time(now, sys::utc_offset_at));
    match queue.reason {
        WaitReason::Failed => Diagnosis::failed(SUBJECT, text, "ace-connection-logger alert-test"),
        WaitReason::NoMonitor => {
            Diagnosis::note(SUBJECT, text).with_cure("ace-connection-logger monitor")
        }
        WaitReason::NoCommand | WaitReason::Limit => Diagnosis::note(SUBJECT, text),
    }
}

fn queue(config: &Config) -> Result<Option<Queue>, StoreError> {
    let Some(reader) = Reader::open_current(&config.database.path)? else {
        return Ok(None);
    };
    let now = reader.present(sys::clocks().utc())?;
    let is_running = status::is_monitor_running(&reader, config.database.flush, now)?;
    Queue::read(&reader, &config.alerts, &config.grouping, is_running, now)
}
