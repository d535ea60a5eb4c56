//! The contents of an alert: a sentence, JSON, and environment variables.

use serde_json::{Map, Value, json};

use super::plan::{Alert, Repeated};
use super::sentence::sentence;
use super::summary::Summary;
use crate::command::CommandInput;
use crate::pure::model::AlertKind;
use crate::pure::phrase::is_unprintable;
use crate::pure::time::UtcMillis;

/// Length of an environment variable. With one above 128 KiB execve(2) fails.
const MAX_VALUE_BYTES: usize = 4096;

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

impl AlertText {
    pub fn input(&self) -> CommandInput<'_> {
        CommandInput {
            bytes: self.json.as_bytes(),
            environment: &self.environment,
        }
    }
}

/// Shows the local time of an instant, without the date if it is that of `now`. `offset_at` is the
/// local offset from UTC at an instant, both in seconds.
pub fn shown_time(now: UtcMillis, offset_at: impl Fn(i64) -> i64) -> impl Fn(UtcMillis) -> String {
    let clock = move |at: UtcMillis| at.local_text(offset_at(at.0.div_euclid(1000)));
    let today = clock(now);
    move |at: UtcMillis| {
        let text = clock(at);
        let (date, time) = text.split_at_checked(11).unwrap_or(("", &text));
        let time = time.get(..8).unwrap_or(time);
        if today.starts_with(date) {
            time.to_string()
        } else {
            format!("{date}{time}")
        }
    }
}

/// What the command is given for an alert. Times of the day of `now` are shown without their date; `offset_at` is
/// the local offset from UTC at an instant, both in seconds.
pub fn alert_text(alert: &Alert, now: UtcMillis, offset_at: impl Fn(i64) -> i64) -> AlertText {
    let shown_time = shown_time(now, offset_at);
    let summary = Summary::of(alert, now);
    let text = sentence(alert.kind, &summary, &shown_time);
    let mut object = Map::new();
    object.insert("kind".into(), alert.kind.as_str().into());
    object.insert("time".into(), alert.made_at.rfc3339().into());
    object.insert("program".into(), env!("CARGO_PKG_NAME").into());
    object.insert("text".into(), text.clone().into());
    let span = |at: Option<UtcMillis>| at.map(UtcMillis::rfc3339);
    let repeated = |repeated: &Repeated| {
        json!({
            "times": repeated.times,
            "since": repeated.since.rfc3339(),
            "seconds": repeated.seconds,
        })
    };
    object.insert(
        "repeated".into(),
        json!(alert.repeated.as_ref().map(repeated)),
    );
    match alert.events.as_slice() {
        _ if alert.kind == AlertKind::Digest => {
            object.insert("notices".into(), alert.ids.len().into());
            object.insert("hosts".into(), summary.names.len().into());
            object.insert("host_names".into(), json!(summary.names));
            object.insert("still_down".into(), json!(summary.still_down));
            object.insert("start_time".into(), json!(span(summary.start)));
        }
        [] => {
            let facts: Option<Value> = alert
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
        if summary.names.len() > 1 {
            String::new()
        } else {
            text.to_string()
        }
    };
    let environment = [
        ("ACE_KIND", alert.kind.as_str().to_string()),
        ("ACE_TEXT", text.clone()),
        ("ACE_TIME", alert.made_at.rfc3339()),
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
            "ACE_COUNT",
            match (alert.kind, alert.repeated) {
                (AlertKind::Digest, _) => alert.ids.len().to_string(),
                (_, Some(repeated)) => repeated.times.to_string(),
                (_, None) => String::new(),
            },
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
        .map(|c| if is_unprintable(c) { ' ' } else { c })
        .collect()
}
