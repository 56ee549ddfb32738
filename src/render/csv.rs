//! `--format csv=FOLDER`: one file per report, for spreadsheets.
//!
//! Names and descriptions are written by anybody, and a spreadsheet runs what looks like a formula: such a cell begins
//! with an apostrophe. Source: <https://owasp.org/www-community/attacks/CSV_Injection>.

pub mod investigation;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use csv::Writer;
use serde::Serialize;

use crate::findings::verdict::Confidence;
use crate::report::{BlockedRow, Report, RuleRow};

/// A file of the folder, and what writes it.
pub type File = (&'static str, fn(&Report, &mut dyn Write) -> io::Result<()>);

/// The files of the folder.
pub const FILES: [File; 6] = [
    ("findings.csv", findings),
    ("rules.csv", rules),
    ("blocked.csv", blocked),
    ("removal_set.csv", removal_set),
    ("narrower.csv", narrower),
    ("time_series.csv", time_series),
];

/// A cell that no spreadsheet takes for a formula.
fn safe(cell: &str) -> Cow<'_, str> {
    let dangerous = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if cell.trim_start_matches(' ').starts_with(dangerous) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// One row of cells.
#[derive(Default)]
struct Row(Vec<String>);

impl Row {
    /// What somebody may have written.
    fn text(mut self, cell: &str) -> Self {
        self.0.push(safe(cell).into_owned());
        self
    }

    fn text_if(self, cell: Option<&str>) -> Self {
        self.text(cell.unwrap_or_default())
    }

    /// A number of ours, or a word.
    fn own(mut self, cell: impl Display) -> Self {
        self.0.push(cell.to_string());
        self
    }

    fn own_if(self, cell: Option<impl Display>) -> Self {
        match cell {
            Some(cell) => self.own(cell),
            None => self.own(""),
        }
    }
}

/// The word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn table(out: &mut dyn Write, head: &[&str], rows: impl Iterator<Item = Row>) -> io::Result<()> {
    let mut writer = Writer::from_writer(out);
    writer.write_record(head).map_err(io::Error::other)?;
    for Row(cells) in rows {
        writer.write_record(&cells).map_err(io::Error::other)?;
    }
    writer.flush()
}

fn findings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let head = [
        "severity",
        "kind",
        "id",
        "title",
        "group_id",
        "rule_key",
        "interface_id",
        "recommendation",
        "evidence",
        "accepted_because",
        "accepted_until",
    ];
    let rows = report.findings.iter().map(|finding| {
        Row::default()
            .own(finding.severity.as_str())
            .own(finding.kind.as_str())
            .text(&finding.id)
            .text(&finding.title)
            .text_if(finding.group_id.as_deref())
            .text_if(finding.rule_key.as_deref())
            .text_if(finding.interface_id.as_deref())
            .text(&finding.recommendation)
            .text(&serde_json::to_string(&finding.evidence).unwrap_or_default())
            .text_if(finding.suppressed.as_ref().map(|it| it.reason.as_str()))
            .text_if(finding.suppressed.as_ref().map(|it| it.expires.as_str()))
    });
    table(out, &head, rows)
}

fn rules(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let head = [
        "rule_key",
        "rule_id",
        "group_id",
        "group_name",
        "direction",
        "action",
        "priority",
        "protocol",
        "from_port",
        "to_port",
        "peer_kind",
        "peer",
        "description",
        "in_force_from",
        "in_force_to",
        "verdict",
        "confidence",
        "reasons",
        "covered_share",
        "records",
        "reply_records",
        "answered_records",
        "possible_records",
        "sole_records",
        "possible_sole_records",
        "near_records",
        "packets",
        "bytes",
        "first_seen",
        "last_seen",
        "interfaces",
    ];
    table(out, &head, report.rules.iter().map(rule))
}

fn rule(rule: &RuleRow) -> Row {
    let usage = &rule.usage;
    let reasons: Vec<String> = usage.reasons.iter().map(word).collect();
    Row::default()
        .text(&rule.rule_key)
        .text_if(rule.rule_id.as_deref())
        .text(&rule.group_id)
        .text(&rule.group_name)
        .own(rule.direction)
        .own(rule.action)
        .own_if(rule.priority)
        .text(&rule.protocol)
        .own_if(rule.from_port)
        .own_if(rule.to_port)
        .own(rule.peer.kind)
        .text(&rule.peer.value)
        .text_if(rule.description.as_deref())
        .text_if(rule.in_force.from.as_deref())
        .text_if(rule.in_force.to.as_deref())
        .own(word(&usage.verdict))
        .own_if(usage.confidence.map(Confidence::as_str))
        .own(reasons.join(" "))
        .own_if(usage.covered_share)
        .own(usage.records)
        .own(usage.reply_records)
        .own_if(usage.answered_records)
        .own(usage.possible_records)
        .own(usage.sole_records)
        .own(usage.possible_sole_records)
        .own(usage.near_records)
        .own(usage.packets)
        .own(usage.bytes)
        .text_if(usage.first_seen.as_deref())
        .text_if(usage.last_seen.as_deref())
        .text(&usage.interfaces.join(" "))
}

fn blocked(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let head = [
        "interface_id",
        "direction",
        "protocol",
        "from_port",
        "to_port",
        "cause",
        "records",
        "packets",
        "bytes",
        "first_seen",
        "last_seen",
        "distinct_peers",
        "top_peers",
    ];
    table(out, &head, report.blocked.iter().map(blocked_row))
}

fn blocked_row(row: &BlockedRow) -> Row {
    let (from, to) = match (row.port, row.port_range) {
        (Some(port), _) => (Some(port), Some(port)),
        (None, Some([from, to])) => (Some(from), Some(to)),
        (None, None) => (None, None),
    };
    let peers: Vec<String> =
        row.top_peers.iter().map(|peer| format!("{} ({})", peer.peer, peer.records)).collect();
    Row::default()
        .text(&row.interface_id)
        .own_if(row.direction)
        .text(&row.protocol)
        .own_if(from)
        .own_if(to)
        .own(row.cause.as_str())
        .own(row.records)
        .own(row.packets)
        .own(row.bytes)
        .text_if(row.first_seen.as_deref())
        .text_if(row.last_seen.as_deref())
        .own_if(row.distinct_peers)
        .text(&peers.join(" "))
}

fn removal_set(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = (1..).zip(&report.removal_set.steps).map(|(order, step): (u64, _)| {
        Row::default()
            .own(order)
            .text(&step.rule_key)
            .text_if(step.rule_id.as_deref())
            .own(step.ground.as_str())
    });
    table(out, &["order", "rule_key", "rule_id", "ground"], rows)
}

fn narrower(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = report.narrower().flat_map(|narrower| {
        narrower.by.iter().map(|by| {
            let (before, after) = narrower.over_exposure;
            Row::default().text(&narrower.key).text(&by.key()).own(before).own(after)
        })
    });
    table(out, &["rule_key", "replacement", "over_exposure_before", "over_exposure_after"], rows)
}

/// A row for each rule and day on which it was used; without a rule, what came that day.
fn time_series(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let series = &report.time_series;
    let days = series.days.iter().map(|day| {
        Row::default().own("").own(&day.start).own(day.accepted).own(day.rejected).own("").own("").own("")
    });
    let rules = series.rules.iter().flat_map(|rule| {
        let counts = rule.records.iter().zip(&rule.reply_records).zip(&rule.possible_records);
        let used = series.days.iter().zip(counts);
        let used = used.filter(|(_, ((records, replies), possible))| **records + **replies + **possible > 0);
        used.map(|(day, ((records, replies), possible))| {
            let row = Row::default().text(&rule.rule_key).own(&day.start).own("").own("");
            row.own(records).own(replies).own(possible)
        })
    });
    let head = ["rule_key", "day", "accepted", "rejected", "records", "reply_records", "possible_records"];
    table(out, &head, days.chain(rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_text() {
        let cases = [
            ("=HYPERLINK(\"http://x\")", true),
            ("+1", true),
            ("-1", true),
            ("@SUM(A1)", true),
            ("\t=1", true),
            ("  =1", true),
            ("＝1", true),
            ("sg-1=2", false),
            ("", false),
            ("a@b", false),
        ];
        for (cell, quoted) in cases {
            assert_eq!(safe(cell).starts_with('\''), quoted, "{cell}");
        }
    }
}
