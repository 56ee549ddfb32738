//! Rules nobody was seen to use, and rules of which the logs cannot tell.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Page;
use super::doubts;
use super::figures::{count, names, rule};
use crate::findings::FindingKind;
use crate::findings::verdict::{Confidence, Verdict};
use crate::render::table::{Column, Table};
use crate::report::{Report, RuleRow};

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    // Rules that are gone need no cleaning up.
    let of = |verdict: Verdict| {
        let rows =
            report.rules.iter().filter(move |row| row.usage.verdict == verdict && row.in_force.to.is_none());
        rows.collect::<Vec<_>>()
    };
    let names = names(report);
    page.heading(out, "Unused rules")?;
    let mut unused = of(Verdict::NotSeen);
    if unused.is_empty() {
        let text =
            if report.rules.is_empty() { "the snapshot holds no rules" } else { "none seen to be unused" };
        writeln!(out, "  {text}")?;
    } else {
        unused.sort_by_key(|row| std::cmp::Reverse(row.usage.confidence.unwrap_or(Confidence::Low)));
        rules(&unused, &names, page, out, &[("CONFIDENCE", confidence), ("COVERED", covered)])?;
        let findings = report.findings.iter().filter(|finding| finding.kind == FindingKind::UnusedRule);
        page.advice(out, findings.take(page.limit))?;
    }
    for (verdict, heading) in [
        (Verdict::CannotDecide, "Not seen, but the logs cannot tell"),
        (Verdict::PossiblyUsed, "Possibly used"),
        (Verdict::Unattached, "On no interface"),
    ] {
        let rows = of(verdict);
        if rows.is_empty() {
            continue;
        }
        page.heading(out, heading)?;
        match verdict {
            Verdict::PossiblyUsed => rules(&rows, &names, page, out, &[("RECORDS", possible_records)])?,
            _ => rules(&rows, &names, page, out, &[("COVERED", covered)])?,
        }
    }
    Ok(())
}

/// A column of figures: its head, and what it says of a rule.
type FigureColumn = (&'static str, fn(&RuleRow) -> String);

fn rules(
    rows: &[&RuleRow],
    names: &BTreeMap<&str, String>,
    page: Page,
    out: &mut dyn Write,
    figures: &[FigureColumn],
) -> io::Result<()> {
    let mut columns = vec![Column::Flexible("GROUP"), Column::Flexible("RULE")];
    columns.extend(figures.iter().map(|(head, _)| Column::Fixed(head)));
    columns.push(Column::Flexible("WHY"));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut cells = vec![names.get(row.group_id.as_str()).cloned().unwrap_or_default(), rule(row)];
        cells.extend(figures.iter().map(|(_, figure)| figure(row)));
        let reasons: Vec<String> = row.usage.evidence.values().map(doubts::words).collect();
        cells.push(reasons.join(", "));
        table.row(cells);
    }
    table.write(out, page.width, page.limit)
}

fn confidence(row: &RuleRow) -> String {
    row.usage.confidence.map_or("", Confidence::as_str).to_owned()
}

fn possible_records(row: &RuleRow) -> String {
    count(row.usage.possible_records, "record")
}

fn covered(row: &RuleRow) -> String {
    row.usage.covered_share.map_or_else(String::new, |share| format!("{:.0} %", (share * 100.0).floor()))
}
