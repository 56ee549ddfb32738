//! `--format ndjson`: a finding to a line, each with the keys that it has in `--format json`.

use std::io::{self, Write};

use crate::report::Report;

/// Writes the findings.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        serde_json::to_writer(&mut *out, finding)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
