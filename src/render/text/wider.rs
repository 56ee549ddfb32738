//! Rules that are wider than used, and what may take their place.

use std::io::{self, Write};

use super::Page;
use super::figures::{closed, names, narrow, rule};
use crate::render::table::{Column, Table};
use crate::report::Report;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        Column::Flexible("GROUP"),
        Column::Flexible("RULE"),
        Column::Flexible("WOULD DO"),
        Column::Fixed("CLOSES"),
    ]);
    let names = names(report);
    let mut any = false;
    for narrower in report.narrower() {
        let Some(row) = report.rules.iter().find(|row| row.rule_key == narrower.key) else { continue };
        let group = names.get(row.group_id.as_str()).cloned().unwrap_or_default();
        let by: Vec<String> = narrower.by.iter().map(narrow).collect();
        table.row(vec![group, rule(row), by.join("; "), closed(narrower.over_exposure)]);
        any = true;
    }
    if !any {
        return Ok(());
    }
    page.heading(out, "Wider than used")?;
    let text = "These rules open more than was used of them: narrower ones cover all of that, and close so much of what was \
                open without use. Put the new in before the old goes, and replay first what is to be changed.";
    page.paragraph(out, text)?;
    table.write(out, page.width, page.limit)
}
