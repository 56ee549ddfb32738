//! Conversations as bars over one axis of time: a lane for each peer, those in contact first on top.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;

use ipnet::IpNet;

use super::markup::{Cell, Column, Row, begin_table, end_table, left_out, row};
use crate::flow::Seconds;
use crate::investigation::report::{ConversationRow, Investigation};
use crate::render::text::figures::{count, minute};
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
        let steps =
            (i128::from(time) - i128::from(self.first)) * i128::from(WIDTH) / i128::from(self.length.max(1));
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

/// Addresses that were asked for.
fn asked(report: &Investigation) -> Vec<IpNet> {
    report.sought.addresses.iter().filter_map(|net| net.parse().ok()).collect()
}

/// The end of a conversation that was not asked for, and whether the interface at that end saw it.
fn other_end(asked: &[IpNet], it: &ConversationRow) -> (IpAddr, bool) {
    let is_asked = |address: IpAddr| asked.iter().any(|net| net.contains(&address));
    if is_asked(it.peer) && !is_asked(it.address) { (it.address, true) } else { (it.peer, false) }
}

/// Both ends, whoever saw it.
fn ends(it: &ConversationRow) -> [(IpAddr, u16); 2] {
    let mut ends = [(it.address, it.local_port), (it.peer, it.peer_port)];
    ends.sort_unstable();
    ends
}

/// From when to when the axis goes, and how much lies outside: a forged time must not press all others together.
fn axis_of(times: &[(Seconds, Seconds)]) -> Option<(Seconds, Seconds, u64)> {
    let mut starts: Vec<Seconds> = times.iter().map(|(began, _)| *began).collect();
    starts.sort_unstable();
    let (first, last) = (*starts.first()?, times.iter().map(|(_, ended)| *ended).max()?);
    // Among a few nobody can tell which of them is forged.
    let few = starts.len() / 100 + 1;
    let inner = starts.get(few).zip(starts.len().checked_sub(few + 1).and_then(|at| starts.get(at)));
    let Some((low, high)) = inner.filter(|_| starts.len() >= 20).map(|(low, high)| (*low, (*high).max(*low)))
    else {
        return Some((first, last, 0));
    };
    let margin = (high - low).max(3600);
    if last.saturating_sub(first) <= margin.saturating_mul(20) {
        return Some((first, last, 0));
    }
    let (first, last) = (low - margin / 10, high + margin / 10);
    let outside = times.iter().filter(|(began, ended)| *ended < first || *began > last).count() as u64;
    Some((first, last, outside))
}

pub(super) fn write(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"timeline\"><h2>In time</h2>")?;
    let mut lanes: BTreeMap<IpAddr, Lane<'_>> = BTreeMap::new();
    let mut times = Vec::new();
    let asked = asked(report);
    let views: Vec<_> = report.conversations.iter().map(|it| (it, other_end(&asked, it))).collect();
    let own: BTreeSet<_> = views.iter().filter(|(_, (_, is_far))| !is_far).map(|(it, _)| ends(it)).collect();
    for (it, (other, is_far)) in views {
        // Where both ends are ours, one of the two views is enough.
        if is_far && own.contains(&ends(it)) {
            continue;
        }
        let lane = lanes.entry(other).or_default();
        lane.of.push(it);
        if let (Some(began), Some(ended)) = (it.first_seen, it.last_seen) {
            lane.first = lane.first.into_iter().chain([began]).min();
            times.push((began, ended));
        }
    }
    let Some((first, last, outside)) = axis_of(&times) else {
        return writeln!(out, "<p>No record says when it was.</p></section>");
    };
    let axis = Axis { first, length: last - first };
    let mut lanes: Vec<(IpAddr, Lane<'_>)> = lanes.into_iter().collect();
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
    if outside > 0 {
        writeln!(
            out,
            "<p class=\"soft\">{} at far other times are drawn at the edges.</p>",
            count(outside, "conversation")
        )?;
    }
    begin_table(out, "Conversations over time, by peer", &columns)?;
    for (peer, lane) in &lanes {
        row(out, &columns, &cells(*peer, lane, axis))?;
    }
    end_table(out)?;
    left_out(out, all - lanes.len())?;
    writeln!(out, "</section>")
}

fn cells(peer: IpAddr, lane: &Lane<'_>, axis: Axis) -> Row {
    let (mut accepted, mut refused) = (String::new(), String::new());
    let (mut let_through, mut rejected) = (0_u64, 0_u64);
    for it in &lane.of {
        let_through = let_through.saturating_add(it.accepted);
        rejected = rejected.saturating_add(it.rejected);
        let path = if it.accepted > 0 { &mut accepted } else { &mut refused };
        if let (Some(began), Some(ended)) = (it.first_seen, it.last_seen) {
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
            Cell::Markup(format!("<span class=\"word\">{peer}</span>")),
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

    #[test]
    fn a_forged_time_does_not_press_the_others_together() {
        let day: Vec<(Seconds, Seconds)> =
            (0..200).map(|at| (86_400 * 9 + at * 400, 86_400 * 9 + at * 400 + 60)).collect();
        let (first, last, outside) = axis_of(&day).unwrap();
        assert_eq!((first, last, outside), (777_600, 777_600 + 199 * 400 + 60, 0));
        for forged in [-5_000_000_000, 253_402_300_799] {
            let mut times = day.clone();
            times.push((forged, forged));
            let (low, high, outside) = axis_of(&times).unwrap();
            assert!(low <= first && last <= high && high - low < 2 * 86_400, "{low} {high}");
            assert_eq!(outside, 1);
        }
        assert_eq!(axis_of(&[]), None);
        assert_eq!(axis_of(&[(5, 9)]), Some((5, 9, 0)));
        assert_eq!(axis_of(&[(5, 9), (4_000_000, 4_000_001)]), Some((5, 4_000_001, 0)));
    }
}
