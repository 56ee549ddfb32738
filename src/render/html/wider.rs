//! Rules that are wider than used, and what may take their place.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::markup::{Cell, Column, Escaped, Row, table};
use crate::findings::wider::Narrower;
use crate::render::text::figures::{closed, names, narrow, rule};
use crate::report::{Report, RuleRow};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"wider\"><h2>What should shrink</h2>")?;
    let narrower: Vec<&Narrower> = report.narrower().collect();
    if narrower.is_empty() {
        return writeln!(
            out,
            "<p>No rule was seen to be wider than its use, with enough to show for it.</p></section>"
        );
    }
    writeln!(
        out,
        "<p>These rules open more than was used of them. Narrower ones cover all of that, and close so much of what was open \
         without use. Put the new in before the old goes, and replay first what is to be changed.</p>"
    )?;
    let rules: BTreeMap<&str, &RuleRow> =
        report.rules.iter().map(|row| (row.rule_key.as_str(), row)).collect();
    let names = names(report);
    let columns =
        [Column::Text("Group"), Column::Text("Rule"), Column::Text("Would do"), Column::Text("Closes")];
    let rows = narrower.iter().map(|narrower| {
        let row = rules.get(narrower.key.as_str());
        let group = row.and_then(|row| names.get(row.group_id.as_str())).cloned().unwrap_or_default();
        let by: Vec<String> = narrower.by.iter().map(|by| Escaped(&narrow(by)).to_string()).collect();
        Row {
            by: Vec::new(),
            cells: vec![
                Cell::Text(group),
                Cell::Text(row.map_or_else(|| narrower.key.clone(), |row| rule(row))),
                Cell::Markup(by.join("<br>")),
                Cell::Text(closed(narrower.over_exposure)),
            ],
        }
    });
    table(out, "Rules wider than used", &columns, narrower.len(), rows)?;
    writeln!(out, "</section>")
}
