//! Times in and out of text. Inside, a time is whole seconds since 1970 ([`Seconds`]).

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Timelike};

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

/// The present, by the clock of the machine.
pub fn now() -> Seconds {
    DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp()
}

/// Reads `20260131T1620Z`, as the names of objects in S3 have it.
pub fn parse_minute(text: &str) -> Option<Seconds> {
    let bytes: &[u8; 14] = text.as_bytes().try_into().ok()?;
    let [_, _, _, _, _, _, _, _, b'T', _, _, _, _, b'Z'] = bytes else { return None };
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let year = i32::try_from(number(&bytes[..4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&bytes[4..6])?, number(&bytes[6..8])?)?;
    let time = date.and_hms_opt(number(&bytes[9..11])?, number(&bytes[11..13])?, 0)?;
    Some(time.and_utc().timestamp())
}

/// RFC 3339 in UTC, whole seconds: `2026-01-01T00:00:00Z`.
pub fn format(seconds: Seconds) -> String {
    let Some(time) = DateTime::from_timestamp(seconds, 0) else { return seconds.to_string() };
    let Ok(year @ 0..=9999) = u32::try_from(time.year()) else {
        return time.to_rfc3339_opts(SecondsFormat::Secs, true);
    };
    // Reports have two for every peer they name, and chrono takes its time.
    let mut text = *b"0000-00-00T00:00:00Z";
    let parts = [
        (0, year / 100),
        (2, year % 100),
        (5, time.month()),
        (8, time.day()),
        (11, time.hour()),
        (14, time.minute()),
        (17, time.second()),
    ];
    for (at, part) in parts {
        #[expect(clippy::cast_possible_truncation, reason = "two digits")]
        let digits = [part as u8 / 10, part as u8 % 10];
        text[at] += digits[0];
        text[at + 1] += digits[1];
    }
    String::from_utf8_lossy(&text).into_owned()
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

    #[test]
    fn the_minute_of_an_object_is_read_and_nothing_else() {
        let cases = [
            ("20260131T1620Z", Some("2026-01-31T16:20:00Z")),
            ("20240229T0000Z", Some("2024-02-29T00:00:00Z")),
            ("20260229T0000Z", None),
            ("20260131T2400Z", None),
            ("20260131T1660Z", None),
            ("2026-1-1T1620Z", None),
            ("20260131T1620z", None),
            ("20260131T162000Z", None),
            ("\u{e9}0260131T162Z", None),
            ("", None),
        ];
        for (text, written) in cases {
            assert_eq!(parse_minute(text).map(format).as_deref(), written, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_chrono_writes_them() {
        let years = (-10_i64..400).map(|step| step * 31_556_952 * 37 + step * 86_399);
        let ends = [0, -1, 253_402_300_799, 253_402_300_800, -62_167_219_200, -62_167_219_201];
        for seconds in years.chain(ends) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(format(seconds), time.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        assert_eq!(format(i64::MAX), i64::MAX.to_string());
    }
}
