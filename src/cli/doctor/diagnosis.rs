//! The result of one test, and the list of all as text and as JSON.

use serde_json::{Value, json};

use crate::cli::print::{is_coloured, paint, printable};
use crate::pure::model::State;

pub struct Diagnosis {
    subject: &'static str,
    status: Status,
    text: String,
    cure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    /// Works, or is not needed, but the user should know it.
    Note,
    Failed,
}

impl Diagnosis {
    pub fn ok(subject: &'static str, text: impl Into<String>) -> Diagnosis {
        Diagnosis {
            subject,
            status: Status::Ok,
            text: text.into(),
            cure: None,
        }
    }

    pub fn note(subject: &'static str, text: impl Into<String>) -> Diagnosis {
        Diagnosis {
            status: Status::Note,
            ..Diagnosis::ok(subject, text)
        }
    }

    pub fn failed(
        subject: &'static str,
        text: impl Into<String>,
        cure: impl Into<String>,
    ) -> Diagnosis {
        Diagnosis {
            status: Status::Failed,
            ..Diagnosis::ok(subject, text)
        }
        .with_cure(cure)
    }

    pub fn with_cure(self, cure: impl Into<String>) -> Diagnosis {
        Diagnosis {
            cure: Some(cure.into()),
            ..self
        }
    }

    pub fn is_failed(&self) -> bool {
        self.status == Status::Failed
    }
}

pub fn json(all: &[Diagnosis]) -> Value {
    let object = |diagnosis: &Diagnosis| {
        json!({
            "what": diagnosis.subject,
            "status": match diagnosis.status {
                Status::Ok => "ok",
                Status::Note => "note",
                Status::Failed => "failed",
            },
            "text": diagnosis.text,
            "cure": diagnosis.cure,
        })
    };
    all.iter().map(object).collect()
}

pub fn text(all: &[Diagnosis]) -> String {
    let is_coloured = is_coloured();
    let width = all
        .iter()
        .map(|diagnosis| diagnosis.subject.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for diagnosis in all {
        let (word, colour) = match diagnosis.status {
            Status::Ok => ("ok    ", State::Up),
            Status::Note => ("note  ", State::Degraded),
            Status::Failed => ("FAILED", State::Down),
        };
        text += &format!(
            "{}  {:width$}  {}\n",
            paint(word, colour, is_coloured),
            diagnosis.subject,
            printable(&diagnosis.text)
        );
        let cure = diagnosis.cure.as_deref().unwrap_or_default();
        for (index, line) in cure.lines().enumerate() {
            let label = if index == 0 { "cure: " } else { "      " };
            text += &format!("{:8}{:width$}  {label}{line}\n", "", "");
        }
    }
    text
}
