//! The over-broad openings, worst first.

use std::io::{self, Write};

use serde_json::Value;

use super::Page;
use super::figures::{names, thousands};
use crate::findings::{Finding, FindingKind};
use crate::render::sanitize::terminal;
use crate::render::table::{Column, Table};
use crate::report::Report;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    page.heading(out, "Over-broad openings")?;
    let names = names(report);
    let open: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.kind == FindingKind::OverBroad).collect();
    if open.is_empty() {
        return writeln!(out, "  none");
    }
    let mut table = Table::new(&[
        Column::Fixed("SEVERITY"),
        Column::Flexible("OPENING"),
        Column::Flexible("GROUP"),
        Column::Flexible("EVIDENCE"),
    ]);
    for finding in &open {
        let subject = finding.group_id.as_deref().or(finding.interface_id.as_deref()).unwrap_or_default();
        table.row(vec![
            page.severity(finding.severity),
            terminal(&finding.headline()).into_owned(),
            names.get(subject).cloned().unwrap_or_else(|| terminal(subject).into_owned()),
            exposure(finding),
        ]);
    }
    table.write(out, page.width, page.limit)?;
    page.advice(out, open.iter().take(page.limit).copied())
}

fn exposure(finding: &Finding) -> String {
    let figure = |key: &str| finding.evidence.get(key).and_then(Value::as_u64).unwrap_or(0);
    let records = thousands(figure("internet_records"));
    match finding.evidence.get("exposure").and_then(Value::as_str) {
        Some("answered") => format!("reached {records} times, answered"),
        Some("reached") => format!("reached {records} times, never answered"),
        Some("reached_answer_unknown") => format!("reached {records} times"),
        Some(_) => "exposure not shown".to_owned(),
        None => String::new(),
    }
}
