//! The contents of an alert: a sentence, JSON, and environment variables.

use serde_json::{Map, Value, json};

use crate::pure::cause::Cause;
use crate::pure::model::{AlertKind, EventId, EventKind};
use crate::pure::phrase;
use crate::pure::time::whole_seconds;
use crate::pure::time::{UtcMillis, parse_instant};
use crate::store::{Notice, OutageEvent};

/// Length of an environment variable. With one above 128 KiB execve(2) fails.
const MAX_VALUE_BYTES: usize = 4096;
const MAX_NAMES_IN_SENTENCE: usize = 10;

/// What the command for an alert is given.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertText {
    /// One sentence for people.
    pub text: String,
    /// One line of JSON.
    pub json: String,
    /// All names begin with `ACE_`. Variables without a value are empty, so that none is inherited.
    pub environment: Vec<(&'static str, String)>,
}

/// The alert for a notice. Times of the day of `now` are shown without their date; `offset_at` is
/// the local offset from UTC at an instant, both in seconds.
pub fn alert_text(notice: &Notice, now: UtcMillis, offset_at: impl Fn(i64) -> i64) -> AlertText {
    let clock = |at: UtcMillis| at.local_text(offset_at(at.0.div_euclid(1000)));
    let today = clock(now);
    let shown_time = |at: UtcMillis| {
        let text = clock(at);
        let (date, time) = text.split_at_checked(11).unwrap_or(("", &text));
        let time = time.get(..8).unwrap_or(time);
        if today.starts_with(date) {
            time.to_string()
        } else {
            format!("{date}{time}")
        }
    };
    let summary = Summary::of(notice);
    let text = summary.sentence(notice, &shown_time);
    let mut object = Map::new();
    object.insert("kind".into(), notice.kind.as_str().into());
    object.insert("time".into(), notice.made_at.rfc3339().into());
    object.insert("program".into(), env!("CARGO_PKG_NAME").into());
    object.insert("text".into(), text.clone().into());
    let span = |at: Option<UtcMillis>| at.map(UtcMillis::rfc3339);
    match notice.events.as_slice() {
        [] => {
            let facts: Option<Value> = notice
                .facts
                .as_deref()
                .and_then(|facts| serde_json::from_str(facts).ok());
            if let Some(Value::Object(facts)) = facts {
                object.extend(facts);
            }
        }
        [event] => {
            object.insert("host_name".into(), event.host_name.clone().into());
            object.insert("host_address".into(), event.host_address.clone().into());
            object.insert("event".into(), json!(event));
        }
        events => {
            object.insert("hosts".into(), events.len().into());
            object.insert("host_names".into(), json!(summary.names));
            object.insert("event_ids".into(), json!(summary.ids));
            object.insert("start_time".into(), json!(span(summary.start)));
            object.insert("end_time".into(), json!(span(summary.end)));
            object.insert("duration_seconds".into(), json!(summary.seconds()));
            object.insert("cause".into(), summary.cause.as_str().into());
        }
    }
    let joined = |words: &[String]| words.join(", ");
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    let ids: Vec<String> = summary.ids.iter().map(ToString::to_string).collect();
    let single = |text: &str| {
        if summary.ids.len() > 1 {
            String::new()
        } else {
            text.to_string()
        }
    };
    let environment = [
        ("ACE_KIND", notice.kind.as_str().to_string()),
        ("ACE_TEXT", text.clone()),
        ("ACE_TIME", notice.made_at.rfc3339()),
        ("ACE_HOST_NAME", single(&joined(&summary.names))),
        ("ACE_HOST_ADDRESS", single(&summary.address)),
        ("ACE_HOST_NAMES", joined(&summary.names)),
        (
            "ACE_EVENT_TYPE",
            summary
                .event_type
                .map_or(String::new(), |kind| kind.to_string()),
        ),
        ("ACE_EVENT_ID", single(&joined(&ids))),
        ("ACE_EVENT_IDS", joined(&ids)),
        ("ACE_START_TIME", or_empty(span(summary.start))),
        ("ACE_END_TIME", or_empty(span(summary.end))),
        (
            "ACE_DURATION_SECONDS",
            or_empty(summary.seconds().map(|seconds| seconds.to_string())),
        ),
        (
            "ACE_CAUSE",
            if summary.ids.is_empty() {
                String::new()
            } else {
                summary.cause.as_str().into()
            },
        ),
    ];
    let environment = environment
        .into_iter()
        .map(|(name, value)| (name, one_line(&value)))
        .collect();
    AlertText {
        text,
        json: format!("{}\n", Value::Object(object)),
        environment,
    }
}

/// Makes a value fit on one line, such as a mail header, and into an environment variable. Host
/// names are untrusted: any program may have written them to the database.
fn one_line(value: &str) -> String {
    let mut len = 0;
    let fits = |c: &char| {
        len += c.len_utf8();
        len <= MAX_VALUE_BYTES
    };
    value
        .chars()
        .take_while(fits)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What the events of a notice have in common.
struct Summary {
    names: Vec<String>,
    /// The names with the former ones.
    full_names: Vec<String>,
    address: String,
    event_type: Option<EventKind>,
    ids: Vec<EventId>,
    start: Option<UtcMillis>,
    /// When the last event ended; `None` while one is ongoing.
    end: Option<UtcMillis>,
    /// The cause that is nearest to this machine.
    cause: Cause,
    /// A degraded check, or a loss.
    facts: Value,
}

impl Summary {
    fn of(notice: &Notice) -> Summary {
        let events = &notice.events;
        let ends: Option<Vec<UtcMillis>> = events.iter().map(|event| event.end_time).collect();
        let mut summary = Summary {
            names: events.iter().map(|event| event.host_name.clone()).collect(),
            full_names: events.iter().map(OutageEvent::name).collect(),
            address: events
                .first()
                .map(|event| event.host_address.clone())
                .unwrap_or_default(),
            event_type: events.first().map(|event| event.event_type),
            ids: events.iter().map(|event| event.id).collect(),
            start: events.iter().filter_map(|event| event.start_time).min(),
            end: ends.and_then(|ends| ends.into_iter().max()),
            cause: events
                .iter()
                .filter_map(|event| event.cause)
                .min()
                .unwrap_or(Cause::Unknown),
            facts: Value::Null,
        };
        if events.is_empty()
            && let Some(facts) = notice
                .facts
                .as_deref()
                .and_then(|facts| serde_json::from_str::<Value>(facts).ok())
        {
            let word = |name: &str| facts[name].as_str().unwrap_or_default().to_string();
            (summary.names, summary.address) = (vec![word("host_name")], word("host_address"));
            let (of, start) = match notice.kind {
                AlertKind::Loss => (&facts["loss"], "start_time"),
                _ => (&facts["check"], "timestamp"),
            };
            let instant = |name: &str| of[name].as_str().and_then(parse_instant);
            (summary.start, summary.end) = (instant(start), instant("end_time"));
            summary.facts = of.clone();
        }
        summary
    }

    fn seconds(&self) -> Option<i64> {
        self.end
            .zip(self.start)
            .map(|(end, start)| whole_seconds(&(start..end)))
    }

    fn sentence(&self, notice: &Notice, shown_time: &impl Fn(UtcMillis) -> String) -> String {
        let since = self.start.map(shown_time).unwrap_or_default();
        let subject = self.subject();
        let is_one = self.names.len() == 1;
        let (has, was) = if is_one {
            ("has", "was")
        } else {
            ("have", "were")
        };
        let cause = match self.cause {
            Cause::Unknown => String::new(),
            cause => format!(" (cause: {})", cause.as_str()),
        };
        let names = if is_one {
            String::new()
        } else {
            format!(": {}", self.listed_names())
        };
        let (down, up) = match self.event_type {
            Some(EventKind::Dns) if is_one => ("without an address", "resolved again"),
            _ => ("down", "came up again"),
        };
        let number = |name: &str| self.facts[name].as_u64().unwrap_or(0);
        match (notice.kind, self.end) {
            (AlertKind::Loss, end) => {
                let pings = phrase::count(number("sent"), "ping");
                let percent = self.facts["loss_percent"].as_f64().unwrap_or(0.0);
                let lost = format!("{} of {pings} lost ({percent:.0} %)", number("lost"));
                let Some(end) = end else {
                    return format!("{subject} has been losing pings since {since}: {lost}");
                };
                let lasted = phrase::duration_of(self.seconds().unwrap_or(0));
                format!(
                    "{subject} stopped losing pings at {}, after {lasted}: {lost}",
                    shown_time(end)
                )
            }
            (AlertKind::Degraded, _) => {
                let ms = self.facts["avg_us"]
                    .as_f64()
                    .map(|us| format!(", {:.1} ms on average", us / 1000.0))
                    .unwrap_or_default();
                format!(
                    "{subject} has been degraded since {since}: {} of {} answered{ms}",
                    number("received"),
                    phrase::count(number("sent"), "ping")
                )
            }
            (AlertKind::Up, Some(end)) => {
                let lasted = self
                    .seconds()
                    .map(|seconds| format!(", after {}", phrase::duration_of(seconds)))
                    .unwrap_or_default();
                format!(
                    "{subject} {up} at {}{lasted}{cause}{names}",
                    shown_time(end)
                )
            }
            (_, Some(end)) => format!(
                "{subject} {was} {down} from {since} to {}{cause}{names}",
                shown_time(end)
            ),
            (_, None) => format!("{subject} {has} been {down} since {since}{cause}{names}"),
        }
    }

    fn subject(&self) -> String {
        match self.names.as_slice() {
            [name] if self.event_type == Some(EventKind::LinkDown) => {
                format!("this machine's {name} ({})", self.address)
            }
            [name] => match self.full_names.as_slice() {
                [full] if full != name => format!("{full}, {},", self.address),
                _ => name.clone(),
            },
            names => phrase::count(names.len(), "host"),
        }
    }

    fn listed_names(&self) -> String {
        let more = self.names.len().saturating_sub(MAX_NAMES_IN_SENTENCE);
        let names = self.full_names[..self.names.len() - more].join(", ");
        if more > 0 {
            format!("{names} and {more} more")
        } else {
            names
        }
    }
}
