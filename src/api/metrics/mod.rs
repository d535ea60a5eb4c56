//! `/metrics`, for Prometheus and what reads its formats: the newest check of every configured host, and
//! counters from which rates and shares can be computed over any time. A dashboard without the monitor
//! shows only what can be read from the database: another process has the counters.

mod accept;
mod families;
mod figures;
mod text;
mod values;

use super::parameters::Parameters;
use super::{Api, ApiResult, not_made, written};

use accept::Format;
use figures::Figures;

pub(super) fn metrics(api: &Api, parameters: &Parameters<'_>) -> ApiResult {
    let format = Format::accepted(parameters.accept);
    let figures = Figures::gather(api)?;
    Ok(written(format.content_type(), move |out| {
        families::write(&figures, format, out).map_err(not_made)
    }))
}
