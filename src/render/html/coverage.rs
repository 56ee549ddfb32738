//! What was read, and what was not.

use std::io::{self, Write};

use super::markup::{Cell, Column, Row, table};
use crate::render::text::figures::thousands;
use crate::report::Report;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (records, files) = (&report.coverage.records, &report.coverage.files);
    writeln!(out, "<section id=\"coverage\"><h2>What was read</h2><ul>")?;
    for (figure, what) in [
        (records.total, "records"),
        (records.accepted, "accepted"),
        (records.rejected, "rejected"),
        (records.no_data, "without data"),
        (records.skip_data, "skipped by the cloud"),
        (records.malformed, "rows that are no record"),
        (records.outside_window, "outside the window"),
        (records.duplicate, "delivered twice, counted once"),
        (files.read, "files read"),
        (files.failed, "files not read, or not to their end"),
        (files.left_out.folders, "folders left out by account, region or time"),
        (files.left_out.files, "files left out by account, region or time"),
    ] {
        if figure > 0 {
            writeln!(out, "<li>{} {what}</li>", thousands(figure))?;
        }
    }
    writeln!(out, "</ul>")?;
    if !files.failures.is_empty() {
        let rows = files.failures.iter().map(|failure| Row {
            by: Vec::new(),
            cells: vec![Cell::Text(failure.file.clone()), Cell::Text(failure.error.clone())],
        });
        let columns = [Column::Text("File"), Column::Text("Why")];
        table(out, "Files that could not be read", &columns, files.failures.len(), rows)?;
    }
    let faults = &report.coverage.faults;
    if !faults.is_empty() {
        let rows = faults.iter().map(|fault| {
            let place = fault.first.line.or(fault.first.row).unwrap_or(0);
            Row {
                by: Vec::new(),
                cells: vec![
                    Cell::Number(fault.count),
                    Cell::Text(fault.reason.clone()),
                    Cell::Text(format!("{}:{place}", fault.first.file)),
                ],
            }
        });
        let columns = [Column::Number("Rows"), Column::Text("What is wrong"), Column::Text("First at")];
        table(out, "Rows that are no record", &columns, faults.len(), rows)?;
    }
    let snapshots = &report.coverage.snapshots;
    let rows = snapshots.iter().map(|file| {
        let said = file.left_aside.as_ref().map(|why| format!("left aside: {why}")).or(file.missed.clone());
        Row {
            by: Vec::new(),
            cells: vec![
                Cell::Text(file.file.clone()),
                Cell::Text(file.in_force_from.clone().unwrap_or_else(|| "always".to_owned())),
                Cell::Text(said.unwrap_or_default()),
            ],
        }
    });
    let columns = [Column::Text("Document"), Column::Text("In force since"), Column::Text("Not understood")];
    table(out, "Documents of the rules", &columns, snapshots.len(), rows)?;
    writeln!(out, "</section>")
}
