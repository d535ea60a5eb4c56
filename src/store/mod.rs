//! The database: every check for as long as the retention says, its roll-ups for years, in one
//! SQLite file. Only this folder knows SQL. `write` records, `read` answers queries, `rollup` sums
//! up hours and days for both, `original` reads and writes files of the Python original.

mod columns;
mod connection;
mod copy;
mod damage;
mod error;
mod event;
mod file;
mod frozen;
mod header;
mod journal;
mod open;
mod original;
mod presence;
mod push_mark;
mod read;
mod rollup;
mod rows;
mod salvage;
mod schema;
mod write;

pub use copy::{backup, partial_copy};
pub use error::{StoreError, reason};
pub use event::OutageEvent;
pub use file::{database_id, database_sizes};
pub use original::import::{Import, require_importable};
pub use push_mark::{PushFailure, PushMark};
pub use read::check_json::{CheckJson, JsonFields};
pub use read::checks::{Checks, RecordedCheck};
pub use read::damage::damage_of;
pub use read::events::OutageFilter;
pub use read::gaps::{Gap, GapHost, missing_ms};
pub use read::grouped::{GroupedOutage, UngroupedOutages};
pub use read::history::{NoteSums, Source};
pub use read::hosts::{HostIndex, RecordedHost};
pub use read::incidents::{Incident, by_incident, incidents};
pub use read::intervals::{CheckIntervals, Interval};
pub use read::latest::LatestCheck;
pub use read::measured::{
    CoveredTime, MeasuredTime, any_down_seconds, down_spans, joined, length_ms,
};
pub use read::push::{CheckToPush, EventToPush, HostToPush, PushState, Unpushed};
pub use read::reader::Reader;
pub use read::runs::MonitorRun;
pub use read::unreadable::Unreadable;
pub use read::waiting::{LastFailure, Notice, WaitingNotices};
pub use salvage::{Salvage, SalvagedHost, salvage};
pub use write::counters::MonitorCounts;
pub use write::database::{Database, Opened};
pub use write::notices::{NoticeResult, SendFailure};
pub use write::prune::Pruned;
pub use write::push::PushProgress;
pub use write::record::{Record, RunState};
pub use write::scrub::Scrub;
pub use write::state::{Order, StoreSettings, WriterState};
pub use write::writer::{Writer, WriterHandle};
