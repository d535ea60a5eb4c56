//! The report, the same that the command `report` writes.

use super::parameters::Parameters;
use super::{Api, ApiError, ApiResult, now};
use crate::report::{self, Appendix, Format, Period, ReportQuery};
use crate::sys;
use crate::web::{Body, Reply};

pub(super) fn report(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let named = |name: &'static str| {
        move |detail: String| ApiError::BadParameter(format!("{name}: {detail}"))
    };
    let format = parameters
        .text("format")
        .map_or(Ok(Format::Html), Format::from_word)
        .map_err(named("format"))?;
    let (from, to) = (parameters.instant("from")?, parameters.instant("to")?);
    let (days, month) = (parameters.text("days"), parameters.text("month"));
    let (name, period) = match (from, days, month) {
        (Some(from), None, None) => ("from", Period::Between(from, to)),
        (None, None, None) if to.is_some() => {
            return Err(ApiError::BadParameter(
                "from: this parameter is required with to".into(),
            ));
        }
        (None, Some(days), None) => ("days", Period::days(days).map_err(named("days"))?),
        (None, None, Some(month)) => ("month", Period::month(month).map_err(named("month"))?),
        (None, None, None) => ("days", Period::Days(30)),
        _ => {
            return Err(ApiError::BadParameter(
                "from: give either from and to, or days, or month".into(),
            ));
        }
    };
    let now = now(api);
    sys::reread_zone();
    let span = period.span(now, sys::utc_offset_at).map_err(named(name))?;
    let config = api.config();
    let reader = api.reader()?;
    let only = parameters.text("host_address");
    let settings = &config.report;
    let query = ReportQuery {
        span,
        now,
        only,
        settings,
        offset_at: sys::utc_offset_at,
        appendix: Appendix::Nothing,
    };
    let gather = || report::gather(&reader, &query, &mut |_, _| ());
    let report = reader.in_one_state(gather).map_err(|error| match error {
        report::ReportError::Store(error) => error.into(),
        report::ReportError::UnknownHost { requested, .. } => ApiError::NotFound(format!(
            "host_address: {requested:?} was never recorded and is not configured"
        )),
    })?;
    drop(reader);
    let text = report.format(format);
    let body = Body::Whole((text.before_pings + text.after_pings).into_bytes());
    Ok(Reply {
        content_security_policy: (format == Format::Html).then(html_policy),
        ..Reply::ok(format.content_type(), body)
    })
}

/// The HTML report can be kept as a file, so its one style is inside it and is allowed by its
/// hash. Scripts and other files are not allowed.
fn html_policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        report::STYLE_HASH
    )
}
