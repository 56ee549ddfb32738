//! What came when: bars of traffic, and the strip of a rule, day by day.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::markup::{Cell, Column, Escaped, Row, table};
use crate::render::text::figures::{count, thousands};
use crate::report::Report;
use crate::report::series::{DayRow, RuleSeries, TimeSeries};
use crate::time;

/// Columns of a strip, at most: more units of time are put together.
const MOST_COLUMNS: i64 = 92;
/// Units between the first and the last, at most, of which those without records are shown too.
const MOST_UNITS: i64 = 1_100;
const DAY: i64 = 86_400;

/// How the units of the report are laid out.
pub(super) struct Layout<'a> {
    series: &'a TimeSeries,
    /// By unit of the report: its column.
    columns: Vec<usize>,
    /// By column: the date it begins on.
    dates: Vec<String>,
    /// Units that a column has.
    units: i64,
    rules: BTreeMap<&'a str, &'a RuleSeries>,
}

impl<'a> Layout<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let series = &report.time_series;
        let unit = series.unit_days.max(1) * DAY;
        let starts: Vec<i64> = series.days.iter().filter_map(|day| time::parse(&day.start)).collect();
        let (first, last) = (starts.first().copied().unwrap_or(0), starts.last().copied().unwrap_or(0));
        let between = (last - first) / unit + 1;
        let numbers: Vec<i64> = if between <= MOST_UNITS {
            starts.iter().map(|start| (start - first) / unit).collect()
        } else {
            // Some time is far off; those without records between are left out.
            (0..).zip(&starts).map(|(at, _)| at).collect()
        };
        let all = numbers.last().map_or(0, |last| last + 1);
        let units = ((all + MOST_COLUMNS - 1) / MOST_COLUMNS).max(1);
        let columns: Vec<usize> =
            numbers.iter().map(|number| usize::try_from(number / units).unwrap_or(0)).collect();
        let width = columns.last().map_or(0, |last| last + 1);
        let mut dates = vec![String::new(); width];
        for (column, date) in dates.iter_mut().enumerate() {
            let at = i64::try_from(column).unwrap_or(0) * units;
            let start = match columns.iter().position(|own| *own == column) {
                Some(unit) if between > MOST_UNITS => starts.get(unit).copied().unwrap_or(first),
                _ => first + at * unit,
            };
            *date = time::format(start).chars().take(10).collect();
        }
        let rules = series.rules.iter().map(|rule| (rule.rule_key.as_str(), rule)).collect();
        Self { series, columns, dates, units, rules }
    }

    fn width(&self) -> usize {
        self.dates.len()
    }

    /// Sums by column.
    fn sums(&self, counts: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut sums = vec![0_u64; self.width()];
        for (column, count) in self.columns.iter().zip(counts) {
            if let Some(sum) = sums.get_mut(*column) {
                *sum = sum.saturating_add(count);
            }
        }
        sums
    }

    /// How long a column is.
    fn column(&self) -> String {
        match self.units * self.series.unit_days {
            1 => "day".to_owned(),
            7 => "week".to_owned(),
            days => format!("{} days", thousands(days.unsigned_abs())),
        }
    }

    /// When a rule was used: the darker, the more records. None: never.
    pub(super) fn strip(&self, rule_key: &str) -> Option<String> {
        let rule = self.rules.get(rule_key)?;
        let counts = rule.records.iter().zip(&rule.reply_records).zip(&rule.possible_records);
        let sums = self.sums(counts.map(|((records, replies), possible)| records + replies + possible));
        let used = sums.iter().filter(|sum| **sum > 0).count();
        let last = sums.iter().rposition(|sum| *sum > 0)?;
        let mut paths: [String; LEVELS] = Default::default();
        let mut at = 0;
        for same in sums.chunk_by(|one, next| level(*one) == level(*next)) {
            if let Some(path) =
                level(same.first().copied().unwrap_or(0)).and_then(|level| paths.get_mut(level))
            {
                // Writing to a String cannot fail.
                let _ = write!(path, "M{at} 0h{}v1h-{}z", same.len(), same.len());
            }
            at += same.len();
        }
        let mut strip = format!(
            "<svg class=\"strip\" viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"used in {used} of {} \
             columns of a {}, last in that of {}\">",
            self.width(),
            self.width(),
            self.column(),
            self.dates.get(last).map_or("", String::as_str),
        );
        for (level, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let _ = write!(strip, "<path class=\"l{level}\" d=\"{path}\"/>");
        }
        strip.push_str("</svg>");
        Some(strip)
    }
}

/// Shades of a strip: 1 to 9 records, 10 to 99, and so on.
const LEVELS: usize = 5;

fn level(records: u64) -> Option<usize> {
    let digits = records.checked_ilog10()?;
    Some(usize::try_from(digits).unwrap_or(LEVELS).min(LEVELS - 1))
}

pub(super) fn write(report: &Report, layout: &Layout<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"time\"><h2>Over time</h2>")?;
    if layout.width() == 0 {
        return writeln!(out, "<p>No record says when it was.</p></section>");
    }
    let days = &report.time_series.days;
    let of = |count: fn(&DayRow) -> u64| layout.sums(days.iter().map(count));
    writeln!(out, "<div class=\"columns\">")?;
    bars("Accepted records", "used", &of(|day| day.accepted), layout, out)?;
    bars("Refused records", "unseen", &of(|day| day.rejected), layout, out)?;
    writeln!(out, "</div><details class=\"more\"><summary>As figures</summary>")?;
    let columns = [
        Column::Text("From"),
        Column::Number("Accepted"),
        Column::Number("Refused"),
        Column::Number("Bytes accepted"),
    ];
    let rows = days.iter().map(|day| Row {
        by: Vec::new(),
        cells: vec![
            Cell::Text(day.start.chars().take(10).collect()),
            Cell::Number(day.accepted),
            Cell::Number(day.rejected),
            Cell::Number(day.accepted_bytes),
        ],
    });
    table(out, "Records by time", &columns, days.len(), rows)?;
    writeln!(out, "</details>")?;
    legend(layout, out)?;
    writeln!(out, "</section>")
}

fn bars(
    caption: &str,
    class: &str,
    sums: &[u64],
    layout: &Layout<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let most = sums.iter().copied().max().unwrap_or(0);
    let mut path = String::new();
    for (at, sum) in sums.iter().enumerate().filter(|(_, sum)| **sum > 0) {
        // Whatever came is to be seen.
        let height = (u128::from(*sum) * 100).div_ceil(u128::from(most.max(1)));
        let _ = write!(path, "M{at}.1 100v-{height}h.8v{height}z");
    }
    let when = |at: usize| layout.dates.get(at).map_or("", String::as_str);
    let peak = sums.iter().position(|sum| *sum == most).map_or("", when);
    let all = sums.iter().fold(0, |all: u64, sum| all.saturating_add(*sum));
    writeln!(
        out,
        "<figure><figcaption>{caption}: {}, at most {} a {} ({peak})</figcaption><svg class=\"bars b-{class}\" viewBox=\"0 0 {} 100\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{caption} from {} to {}\"><path d=\"{path}\"/></svg>\
         <div class=\"axis soft\"><span>{}</span><span>{}</span></div></figure>",
        thousands(all),
        thousands(most),
        layout.column(),
        layout.width(),
        when(0),
        when(layout.width() - 1),
        when(0),
        when(layout.width() - 1),
    )
}

/// What the strips beside the rules mean.
fn legend(layout: &Layout<'_>, out: &mut dyn Write) -> io::Result<()> {
    let used = count(layout.rules.len() as u64, "rule");
    let column = layout.column();
    writeln!(
        out,
        "<p>{} used at some time. The strip beside each (<a href=\"#groups\">rules by group</a>) goes over the same time, a column \
         for each {}:</p><ul class=\"legend\">",
        Escaped(&used),
        Escaped(&column)
    )?;
    for (level, words) in
        ["1 to 9 records", "10 to 99", "100 to 999", "1,000 to 9,999", "10,000 or more"].iter().enumerate()
    {
        writeln!(
            out,
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"l{level}\" width=\"10\" height=\"10\"/></svg>{words}</li>"
        )?;
    }
    writeln!(out, "</ul>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_by_the_number_of_digits() {
        let cases = [
            (0, None),
            (1, Some(0)),
            (9, Some(0)),
            (10, Some(1)),
            (9_999, Some(3)),
            (10_000, Some(4)),
            (u64::MAX, Some(4)),
        ];
        for (records, expected) in cases {
            assert_eq!(level(records), expected, "{records}");
        }
    }
}
