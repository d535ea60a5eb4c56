//! Gives a batch to the engine, by HTTP or by the user's command, and judges the answer.

use std::process::ExitStatus;
use std::time::Duration;

use super::http::{self, HttpError, Reply, Request};
use crate::command::{Capture, CommandEnd, CommandInput, run_command};
use crate::config::{PushConfig, PushFormat, PushUrl, PushWay, read_token};
use crate::stop::Stop;

/// What became of a part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// So many of it can never be accepted; the engine has the others.
    Partly(usize, Words),
    /// Its content is refused.
    Refused(Words),
    /// Something in it is older than what the engine takes, by its newest sample of all series or of
    /// one.
    TooOld(Words, Bound),
    /// It cannot be accepted now; the engine may say when to try again.
    Later(Option<Duration>, Words),
    /// Something is wrong with the configuration, here or there.
    Misconfigured(Words),
    Stopped,
}

/// What the limit of age is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Whatever is older is refused too.
    AllSeries,
    OneSeries,
}

/// Why something is not accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Of this program.
    pub text: String,
    /// Of the engine or the command: may contain what is secret.
    pub output: String,
}

impl Words {
    pub fn of_text(text: impl Into<String>) -> Words {
        Words {
            text: text.into(),
            output: String::new(),
        }
    }
}

/// How a command says that the engine refuses the content of the batch: EX_DATAERR of sysexits(3).
const EXIT_REFUSED: i32 = 65;

/// The name of the engine in messages.
pub fn name_of(way: &PushWay) -> String {
    match way {
        PushWay::Url(url) => url.to_string(),
        PushWay::Command(words) => words.first().cloned().unwrap_or_default(),
    }
}

/// Sends a part of a batch, which has so many checks and events.
pub fn send(config: &PushConfig, body: &[u8], samples: usize, stop: &Stop) -> Answer {
    match &config.way {
        PushWay::Url(url) => send_by_http(config, url, body, samples, stop),
        PushWay::Command(words) => send_by_command(config, words, body, stop),
    }
}

fn send_by_http(
    config: &PushConfig,
    url: &PushUrl,
    body: &[u8],
    samples: usize,
    stop: &Stop,
) -> Answer {
    let mut headers = match config.format {
        PushFormat::Influx => vec![("Content-Type", "text/plain; charset=utf-8".to_owned())],
        PushFormat::RemoteWrite => vec![
            ("Content-Type", "application/x-protobuf".to_owned()),
            ("Content-Encoding", "snappy".to_owned()),
            ("X-Prometheus-Remote-Write-Version", "0.1.0".to_owned()),
        ],
    };
    let token = match config.token_file.as_deref().map(read_token).transpose() {
        Ok(token) => token.unwrap_or_default(),
        Err(wrong) => {
            let words = Words::of_text(format!("push.token_file: {wrong}"));
            return Answer::Misconfigured(words);
        }
    };
    if !token.is_empty() {
        headers.push(("Authorization", authorization(&token, config.format)));
    }
    let request = Request {
        url,
        headers: &headers,
        body,
        secrets: &secrets_of(url, &token),
    };
    match http::post(&request, config.timeout, stop) {
        Ok(reply) => judge(&reply, samples),
        Err(HttpError::Stopped) => Answer::Stopped,
        Err(HttpError::Failed(why)) => Answer::Later(None, Words::of_text(why)),
    }
}

/// What the engine's answer must not bring into a message: the token, and the part of the address that
/// is not shown.
fn secrets_of<'a>(url: &'a PushUrl, token: &'a str) -> Vec<&'a str> {
    let query = url.target.split_once('?').map(|(_, query)| query);
    let after_scheme = token.split_once(' ').map(|(_, credentials)| credentials);
    let all = [query, Some(token), after_scheme].into_iter().flatten();
    all.map(str::trim).filter(|text| !text.is_empty()).collect()
}

/// A token that names its scheme, such as `Basic dXNlcjpwYXNz`, is sent as it is.
fn authorization(token: &str, format: PushFormat) -> String {
    let scheme = match format {
        PushFormat::Influx => "Token",
        PushFormat::RemoteWrite => "Bearer",
    };
    match token.contains(' ') {
        true => token.to_owned(),
        false => format!("{scheme} {token}"),
    }
}

/// What a reply to a part of so many checks and events means.
pub fn judge(reply: &Reply, samples: usize) -> Answer {
    let words = Words {
        text: format!("{} {}", reply.status, reply.reason)
            .trim_end()
            .to_owned(),
        output: reply.words.clone(),
    };
    // Prometheus 2.42 answers 500 to what is too old, Thanos 409.
    if let (400 | 409 | 422 | 500, Some(bound)) = (reply.status, too_old(&reply.words)) {
        return Answer::TooOld(words, bound);
    }
    match reply.status {
        // Of another server, or of a network that asks for a login.
        200..=299 if reply.is_page => Answer::Misconfigured(Words {
            text: format!("{}, with a web page: this is no engine", words.text),
            ..words
        }),
        200..=299 => Answer::Accepted,
        400 | 413 | 422 => match dropped(&reply.words, samples) {
            Some(dropped) => Answer::Partly(dropped, words),
            None => Answer::Refused(words),
        },
        408 | 425 | 429 | 500..=599 => Answer::Later(reply.retry_after, words),
        _ => Answer::Misconfigured(words),
    }
}

/// By the words of Prometheus, which Thanos repeats, and the names of Mimir's errors. What a series has
/// already is among this, where the engine takes samples only in order.
fn too_old(words: &str) -> Option<Bound> {
    const BOUNDS: [(&str, Bound); 7] = [
        ("out of bounds", Bound::AllSeries),
        ("too old sample", Bound::AllSeries),
        ("out of order sample", Bound::OneSeries),
        ("duplicate sample", Bound::OneSeries),
        ("err-mimir-sample-timestamp-too-old", Bound::AllSeries),
        ("err-mimir-sample-out-of-order", Bound::OneSeries),
        ("err-mimir-sample-duplicate-timestamp", Bound::OneSeries),
    ];
    let found = BOUNDS.iter().find(|(text, _)| words.contains(text));
    found.map(|(_, bound)| *bound)
}

/// How many of so many points InfluxDB has dropped for good, while it has written the others:
/// `partial write: points beyond retention policy dropped=3`. All of them can only be too old: that
/// all are of a wrong type is a mistake of the configuration.
fn dropped(words: &str, samples: usize) -> Option<usize> {
    let (_, rest) = words.split_once("partial write:")?;
    let (reason, rest) = rest.split_once("dropped=")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let dropped: usize = rest.get(..end)?.parse().ok()?;
    (dropped < samples || reason.contains("retention policy")).then_some(dropped.min(samples))
}

fn send_by_command(config: &PushConfig, words: &[String], body: &[u8], stop: &Stop) -> Answer {
    let given = CommandInput {
        bytes: body,
        environment: &[],
    };
    let run = match run_command(words, given, config.timeout, stop, Capture::Stderr) {
        Ok(run) => run,
        Err(error) => return Answer::Misconfigured(Words::of_text(error.to_string())),
    };
    let said = Words {
        text: run.end_text(),
        output: run.last_line(),
    };
    match run.end {
        CommandEnd::Stopped => Answer::Stopped,
        CommandEnd::Exited(status) if status.success() => Answer::Accepted,
        CommandEnd::Exited(status) if ExitStatus::code(&status) == Some(EXIT_REFUSED) => {
            Answer::Refused(said)
        }
        CommandEnd::Exited(_) | CommandEnd::TimedOut => Answer::Later(None, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_says_what_became_of_a_part_of_a_batch() {
        let beyond = r#"{"error":"partial write: points beyond retention policy dropped=3"}"#;
        let conflict =
            r#"{"error":"partial write: field type conflict: input field \"sent\" dropped=2"}"#;
        let said = |text: &str, output: &str| Words {
            text: text.into(),
            output: output.into(),
        };
        let minute = Some(Duration::from_secs(60));
        for (status, reason, retry_after, words, expected) in [
            (204, "No Content", None, "", Answer::Accepted),
            (200, "OK", None, "", Answer::Accepted),
            (
                400,
                "Bad Request",
                None,
                "no",
                Answer::Refused(said("400 Bad Request", "no")),
            ),
            (413, "", None, "", Answer::Refused(said("413", ""))),
            (422, "x", None, "", Answer::Refused(said("422 x", ""))),
            (
                400,
                "x",
                None,
                beyond,
                Answer::Partly(3, said("400 x", beyond)),
            ),
            (
                400,
                "x",
                None,
                conflict,
                Answer::Partly(2, said("400 x", conflict)),
            ),
            (
                429,
                "x",
                minute,
                "",
                Answer::Later(minute, said("429 x", "")),
            ),
            (
                503,
                "x",
                minute,
                "",
                Answer::Later(minute, said("503 x", "")),
            ),
            (
                500,
                "x",
                None,
                "no",
                Answer::Later(None, said("500 x", "no")),
            ),
            (401, "x", None, "", Answer::Misconfigured(said("401 x", ""))),
            (404, "x", None, "", Answer::Misconfigured(said("404 x", ""))),
            (
                302,
                "Found",
                None,
                "",
                Answer::Misconfigured(said("302 Found", "")),
            ),
        ] {
            let reply = Reply {
                status,
                reason: reason.into(),
                retry_after,
                words: words.into(),
                ..Reply::default()
            };
            assert_eq!(judge(&reply, 3), expected, "{status} {words}");
        }
        let page = Reply {
            status: 200,
            reason: "OK".into(),
            is_page: true,
            ..Reply::default()
        };
        let words = said("200 OK, with a web page: this is no engine", "");
        assert_eq!(judge(&page, 3), Answer::Misconfigured(words));
        for (status, words, bound) in [
            (400, "out of bounds", Some(Bound::AllSeries)),
            (500, "too old sample", Some(Bound::AllSeries)),
            (
                409,
                "store locally for endpoint a:1: add 1 samples: out of order sample",
                Some(Bound::OneSeries),
            ),
            (
                400,
                "its timestamp is too old (err-mimir-sample-timestamp-too-old). The",
                Some(Bound::AllSeries),
            ),
            (409, "conflict", None),
            (503, "too old sample", None),
        ] {
            let reply = Reply {
                status,
                words: words.into(),
                ..Reply::default()
            };
            let found = match judge(&reply, 3) {
                Answer::TooOld(_, bound) => Some(bound),
                _ => None,
            };
            assert_eq!(found, bound, "{status} {words}");
        }
        // That all are of a wrong type is no fault of the checks.
        assert_eq!(dropped(conflict, 2), None);
        assert_eq!(dropped(beyond, 2), Some(2));
        assert_eq!(dropped("partial write: dropped=", 2), None);
    }

    #[test]
    fn a_token_is_sent_with_the_scheme_that_it_names_or_that_of_the_format() {
        for (token, expected) in [("abc==", "Token abc=="), ("Basic abc==", "Basic abc==")] {
            assert_eq!(authorization(token, PushFormat::Influx), expected);
        }
    }
}
