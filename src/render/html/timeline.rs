//! Conversations as bars over one axis of time: a lane for each peer, those in contact first on top.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::markup::{Cell, Column, Escaped, Row, begin_table, end_table, left_out, row};
use crate::flow::Seconds;
use crate::investigation::report::{ConversationRow, Investigation};
use crate::render::text::figures::minute;
use crate::time;

/// Lanes, at most.
const MOST_LANES: usize = 60;
/// Steps of the axis.
const WIDTH: i64 = 1000;
/// What is shorter than this is to be seen all the same.
const THINNEST: i64 = 3;

/// What came with one peer.
#[derive(Default)]
struct Lane<'a> {
    first: Option<Seconds>,
    of: Vec<&'a ConversationRow>,
}

impl Lane<'_> {
    fn records(&self) -> u64 {
        self.of.iter().map(|it| it.accepted.saturating_add(it.rejected)).fold(0, u64::saturating_add)
    }
}

/// The axis: from the first to the last moment.
#[derive(Clone, Copy)]
struct Axis {
    first: Seconds,
    length: Seconds,
}

impl Axis {
    fn at(self, time: Seconds) -> i64 {
        let steps = i128::from(time - self.first) * i128::from(WIDTH) / i128::from(self.length.max(1));
        i64::try_from(steps).unwrap_or(0).clamp(0, WIDTH)
    }

    /// A bar from one moment to another.
    fn bar(self, first: Seconds, last: Seconds, path: &mut String) {
        let from = self.at(first).min(WIDTH - THINNEST);
        let width = (self.at(last) - from).max(THINNEST);
        // Writing to a String cannot fail.
        let _ = write!(path, "M{from} 1h{width}v8h-{width}z");
    }
}

fn moment(text: Option<&String>) -> Option<Seconds> {
    text.and_then(|text| time::parse(text))
}

pub(super) fn write(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"timeline\"><h2>In time</h2>")?;
    let mut lanes: BTreeMap<&str, Lane<'_>> = BTreeMap::new();
    let (mut first, mut last) = (Seconds::MAX, Seconds::MIN);
    for it in &report.conversations {
        let lane = lanes.entry(&it.peer).or_default();
        lane.of.push(it);
        if let (Some(began), Some(ended)) = (moment(it.first_seen.as_ref()), moment(it.last_seen.as_ref())) {
            lane.first = lane.first.into_iter().chain([began]).min();
            (first, last) = (first.min(began), last.max(ended));
        }
    }
    if first > last {
        return writeln!(out, "<p>No record says when it was.</p></section>");
    }
    let axis = Axis { first, length: last - first };
    let mut lanes: Vec<(&str, Lane<'_>)> = lanes.into_iter().collect();
    let all = lanes.len();
    // Where there are too many, those with most of it are worth a look.
    lanes.sort_by_key(|(peer, lane)| (std::cmp::Reverse(lane.records()), *peer));
    lanes.truncate(MOST_LANES);
    lanes.sort_by_key(|(peer, lane)| (lane.first.is_none(), lane.first, *peer));
    writeln!(
        out,
        "<p>From {} to {}, a lane for each of the peers with most records, first those in contact first.</p><ul class=\"legend\">\
         <li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"t-in\" width=\"10\" height=\"10\"/></svg>let through</li>\
         <li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"t-refused\" width=\"10\" height=\"10\"/></svg>refused</li></ul>",
        minute(&time::format(first)),
        minute(&time::format(last))
    )?;
    let columns = [
        Column::Text("Peer"),
        Column::Text("When"),
        Column::Number("Let through"),
        Column::Number("Refused"),
    ];
    begin_table(out, "Conversations over time, by peer", &columns)?;
    for (peer, lane) in &lanes {
        row(out, &columns, &cells(peer, lane, axis))?;
    }
    end_table(out)?;
    left_out(out, all - lanes.len())?;
    writeln!(out, "</section>")
}

fn cells(peer: &str, lane: &Lane<'_>, axis: Axis) -> Row {
    let (mut accepted, mut refused) = (String::new(), String::new());
    let (mut let_through, mut rejected) = (0_u64, 0_u64);
    for it in &lane.of {
        let_through = let_through.saturating_add(it.accepted);
        rejected = rejected.saturating_add(it.rejected);
        let path = if it.accepted > 0 { &mut accepted } else { &mut refused };
        if let (Some(began), Some(ended)) = (moment(it.first_seen.as_ref()), moment(it.last_seen.as_ref())) {
            axis.bar(began, ended, path);
        }
    }
    let first = lane.first.map(time::format).unwrap_or_default();
    // What was let through lies on top: a single way in must not hide among refusals.
    let mut lane_of = format!(
        "<svg class=\"lane\" viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{} conversations, the \
         first at {first}\">",
        lane.of.len()
    );
    for (class, path) in [("t-refused", &refused), ("t-in", &accepted)] {
        if !path.is_empty() {
            let _ = write!(lane_of, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
    lane_of.push_str("</svg>");
    Row {
        by: Vec::new(),
        cells: vec![
            Cell::Markup(format!("<span class=\"word\">{}</span>", Escaped(peer))),
            Cell::Markup(lane_of),
            Cell::Number(let_through),
            Cell::Number(rejected),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_lies_where_its_time_is_and_is_never_too_thin_to_see() {
        let axis = Axis { first: 1000, length: 2000 };
        let cases = [
            (1000, 3000, "M0 1h1000v8h-1000z"),
            (1500, 2000, "M250 1h250v8h-250z"),
            (1500, 1500, "M250 1h3v8h-3z"),
            (3000, 3000, "M997 1h3v8h-3z"),
        ];
        for (first, last, expected) in cases {
            let mut path = String::new();
            axis.bar(first, last, &mut path);
            assert_eq!(path, expected);
        }
        let mut path = String::new();
        Axis { first: 5, length: 0 }.bar(5, 5, &mut path);
        assert_eq!(path, "M0 1h3v8h-3z");
    }
}
