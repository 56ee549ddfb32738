//! Times in and out of text. Inside, a time is whole seconds since 1970 ([`Seconds`]).

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};

use crate::flow::Seconds;

/// Reads RFC 3339, the same without colons as folder names have it (`2026-01-01T00-00-00Z`, `20260101T000000Z`), or a
/// date, which means its midnight in UTC.
pub fn parse(text: &str) -> Option<Seconds> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp());
    }
    let shapes =
        ["%Y-%m-%dT%H-%M-%SZ", "%Y-%m-%dT%H%M%SZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%MZ"];
    if let Some(time) = shapes.iter().find_map(|shape| NaiveDateTime::parse_from_str(text, shape).ok()) {
        return Some(time.and_utc().timestamp());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

/// RFC 3339 in UTC, whole seconds: `2026-01-01T00:00:00Z`.
pub fn format(seconds: Seconds) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| seconds.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// `--since` and `--until`: which starts of records count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub since: Option<Seconds>,
    /// The one after the last.
    pub until: Option<Seconds>,
}

impl Window {
    /// All.
    pub const ALL: Self = Self { since: None, until: None };

    /// Whether none of the starts from `first` to `last` counts.
    pub fn excludes(self, first: Seconds, last: Seconds) -> bool {
        self.since.is_some_and(|since| last < since) || self.until.is_some_and(|until| first >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_shape_and_written_in_one() {
        let cases = [
            ("2026-01-01T12:00:00Z", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01T13:00:00+01:00", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01T12-00-00Z", Some("2026-01-01T12:00:00Z")),
            ("20260101T120000Z", Some("2026-01-01T12:00:00Z")),
            ("2026-01-01", Some("2026-01-01T00:00:00Z")),
            ("yesterday", None),
            ("", None),
        ];
        for (text, written) in cases {
            assert_eq!(parse(text).map(format).as_deref(), written, "{text}");
        }
    }
}
