//! Which format a scraper asks for: RFC 9110, section 12.5.1.

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// OpenMetrics where it is named with a weight that is not below that of the text format.
    pub(super) fn accepted(accept: Option<&str>) -> Format {
        let ranges: Vec<MediaRange<'_>> = accept
            .unwrap_or_default()
            .split(',')
            .map(MediaRange::parse)
            .collect();
        let weight = |kind: &str, version: &str| {
            let fitting = ranges.iter().filter(|range| {
                range.kind.eq_ignore_ascii_case(kind)
                    && range.version.is_none_or(|other| other == version)
            });
            fitting.map(|range| range.weight).reduce(f32::max)
        };
        let text = weight("text/plain", "0.0.4")
            .or_else(|| weight("text/*", ""))
            .or_else(|| weight("*/*", ""));
        match weight("application/openmetrics-text", "1.0.0") {
            Some(weight) if weight > 0.0 && weight >= text.unwrap_or(0.0) => Format::OpenMetrics,
            _ => Format::Text,
        }
    }
}

/// One item of an Accept header.
struct MediaRange<'a> {
    kind: &'a str,
    version: Option<&'a str>,
    weight: f32,
}

impl<'a> MediaRange<'a> {
    fn parse(item: &'a str) -> MediaRange<'a> {
        let mut parts = item.split(';').map(str::trim);
        let mut range = MediaRange {
            kind: parts.next().unwrap_or_default(),
            version: None,
            weight: 1.0,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                // A weight that is no number refuses.
                range.weight = value.parse().unwrap_or(0.0);
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value);
            }
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_sent_only_where_it_is_asked_for_and_not_weighed_below_text() {
        const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/plain"), Format::Text),
            (
                Some("text/html,application/xhtml+xml,*/*;q=0.8"),
                Format::Text,
            ),
            (Some(PROMETHEUS), Format::OpenMetrics),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (
                Some("Application/OpenMetrics-Text; Version=\"1.0.0\""),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text; version=0.0.1"),
                Format::Text,
            ),
            (
                Some("application/openmetrics-text;q=0.3, text/plain;q=0.5"),
                Format::Text,
            ),
            (
                Some("application/openmetrics-text;q=0.5, text/plain;q=0.3"),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text;q=0.5, */*;q=0.5"),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text;q=0.5, */*"),
                Format::Text,
            ),
            (
                Some("application/openmetrics-text;q=0, text/plain;q=0"),
                Format::Text,
            ),
            (Some("application/openmetrics-text;q=x"), Format::Text),
            (
                Some("application/openmetrics-text;q=0.9, text/plain;version=1.0.0"),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text;q=0.2, text/*;q=0.1"),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text;q=0.1, text/*;q=0.2"),
                Format::Text,
            ),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
