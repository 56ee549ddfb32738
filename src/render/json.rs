//! `--format json`: the whole report, stable key order, one trailing newline.

use std::io::{self, Write};

use crate::report::Report;

/// Writes the report.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report).map_err(io::Error::from)?;
    out.write_all(b"\n")
}
