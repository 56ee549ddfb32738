//! Findings, and the rules that can go together.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::markup::{Cell, Column, Escaped, Row, table, tools};
use super::summary::SEVERITIES;
use crate::findings::removal::Ground;
use crate::findings::removal::fewest::Method;
use crate::findings::{Finding, Severity};
use crate::render::text::figures::{count, names, rule};
use crate::report::{Report, RuleRow};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"findings\"><h2>Findings</h2>")?;
    if report.findings.is_empty() {
        writeln!(out, "<p>None.</p>")?;
    } else {
        let severities = SEVERITIES.map(|severity| (severity.as_str(), severity.as_str()));
        tools(out, "findings", &[("severity", "Severity", &severities)])?;
        let names = names(report);
        let columns = [
            Column::Text("Severity"),
            Column::Text("Group"),
            Column::Text("Finding"),
            Column::Text("What to do"),
        ];
        let rows = report.findings.iter().map(|it| finding(it, &names));
        table(out, "Findings, worst first", &columns, report.findings.len(), rows)?;
    }
    if !report.suppressed.is_empty() {
        let accepted = count(report.suppressed.len() as u64, "finding");
        writeln!(out, "<h2>Accepted</h2><p>{accepted} somebody has accepted:</p>")?;
        let columns =
            [Column::Text("Severity"), Column::Text("Finding"), Column::Text("Why"), Column::Text("Until")];
        let rows = report.suppressed.iter().map(|it| Row {
            by: Vec::new(),
            cells: vec![
                severity(it.finding.severity),
                Cell::Text(it.finding.title.clone()),
                Cell::Text(it.suppression.reason.clone()),
                Cell::Text(it.suppression.expires.clone()),
            ],
        });
        table(out, "Accepted findings", &columns, report.suppressed.len(), rows)?;
    }
    if !report.known.is_empty() {
        let known = count(report.known.len() as u64, "finding");
        writeln!(out, "<p class=\"soft\">{known} that the baseline has too are not shown.</p>")?;
    }
    writeln!(out, "</section>")
}

pub(super) fn severity(severity: Severity) -> Cell {
    let name = severity.as_str();
    Cell::Markup(format!("<span class=\"{name}\">{name}</span>"))
}

fn finding(finding: &Finding, names: &BTreeMap<&str, String>) -> Row {
    let title = with_evidence(finding);
    Row {
        by: vec![("severity", finding.severity.as_str())],
        cells: vec![
            severity(finding.severity),
            finding
                .group_id
                .as_deref()
                .map_or(Cell::Empty, |id| Cell::Text(names.get(id).map_or(id, String::as_str).to_owned())),
            title,
            Cell::Text(finding.recommendation.clone()),
        ],
    }
}

/// A finding's words, and its figures behind a fold.
pub(super) fn with_evidence(finding: &Finding) -> Cell {
    let evidence = serde_json::to_string_pretty(&finding.evidence).unwrap_or_default();
    Cell::Markup(format!(
        "{}<details class=\"more\"><summary>Evidence</summary><code>{}</code></details>",
        Escaped(&finding.headline()),
        lines(&evidence)
    ))
}

/// Lines of our own below each other, whatever each holds.
fn lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        format!("{}{}", "&nbsp;".repeat(indent), Escaped(line.trim_start()))
    });
    lines.collect::<Vec<_>>().join("<br>")
}

pub(super) fn removal(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let set = &report.removal_set;
    writeln!(out, "<section id=\"removal\"><h2>What can go together</h2>")?;
    if set.steps.is_empty() {
        return writeln!(out, "<p>No rule.</p></section>");
    }
    let largest = match set.method {
        Method::Exact => "No larger set of these rules does that.",
        Method::Greedy => "There may be a larger one.",
    };
    writeln!(
        out,
        "<p>Without these rules every ACCEPT of these logs is still allowed by a rule that stays. {largest} The least risk \
         comes first; ask the owners, and take a few at a time.</p>"
    )?;
    let rules: BTreeMap<&str, &RuleRow> =
        report.rules.iter().map(|row| (row.rule_key.as_str(), row)).collect();
    let names = names(report);
    let columns =
        [Column::Number("Step"), Column::Text("Group"), Column::Text("Rule"), Column::Text("Because")];
    let rows = (1..).zip(&set.steps).map(|(at, step)| {
        let row = rules.get(step.rule_key.as_str());
        let group = row.and_then(|row| names.get(row.group_id.as_str())).cloned().unwrap_or_default();
        let words = row.map_or_else(|| step.rule_key.clone(), |row| rule(row));
        Row {
            by: Vec::new(),
            cells: vec![
                Cell::Number(at),
                Cell::Text(group),
                Cell::Text(words),
                Cell::Text(because(step.ground).to_owned()),
            ],
        }
    });
    table(out, "Rules that can go, in this order", &columns, set.steps.len(), rows)?;
    writeln!(out, "</section>")
}

fn because(ground: Ground) -> &'static str {
    match ground {
        Ground::Unattached => "its group is on no interface",
        Ground::Ineffective => "it never decides",
        Ground::NotSeen => "not seen, high confidence",
        Ground::Redundant => "others let the same through",
        Ground::NotSeenWithDoubt => "not seen, with doubt",
        Ground::UnattachedWithDoubt => "its group is on no interface, with doubt",
    }
}
