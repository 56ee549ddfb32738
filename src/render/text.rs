//! `--format text`: for people. A summary first, then tables, worst first, nothing wider than the page.

mod blocked;
mod figures;
mod openings;
mod summary;
mod unused;

use std::io::{self, Write};

use console::Style;

use crate::findings::{FindingKind, Severity};
use crate::report::Report;

/// How the text report is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Columns of the terminal.
    pub width: usize,
    /// Rows per table.
    pub limit: usize,
    /// Whether to colour.
    pub paint: Paint,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Yes.
    Color,
    /// No.
    Plain,
}

impl Page {
    fn style(self, style: Style, text: &str) -> String {
        style.force_styling(self.paint == Paint::Color).apply_to(text).to_string()
    }

    fn severity(self, severity: Severity) -> String {
        let style = match severity {
            Severity::Critical => Style::new().red().bold(),
            Severity::High => Style::new().red(),
            Severity::Medium => Style::new().yellow(),
            Severity::Low | Severity::Info => Style::new().dim(),
        };
        self.style(style, severity.as_str())
    }

    fn heading(self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        writeln!(out, "\n{}", self.style(Style::new().bold(), text))
    }

    /// A paragraph, wrapped at the page and indented by two spaces.
    fn paragraph(self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        let mut line = String::new();
        for word in text.split_whitespace() {
            let longer = console::measure_text_width(&line) + 1 + console::measure_text_width(word);
            if !line.is_empty() && longer + 2 > self.width {
                writeln!(out, "  {line}")?;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        writeln!(out, "  {line}")
    }
}

/// Writes the report.
pub fn render(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    summary::write(report, page, out)?;
    openings::write(report, page, out)?;
    unused::write(report, page, out)?;
    blocked::write(report, page, out)?;
    gaps(report, page, out)
}

/// What the logs and snapshots do not show, and what could not be read.
fn gaps(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [FindingKind::CoverageGap, FindingKind::SnapshotDrift];
    let gaps: Vec<_> = report.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    let files = &report.coverage.files.failures;
    let faults = &report.coverage.faults;
    if gaps.is_empty() && files.is_empty() && faults.is_empty() {
        return Ok(());
    }
    page.heading(out, "What this report cannot see")?;
    for finding in gaps {
        let title = super::sanitize::terminal(&finding.title);
        let line = format!("{}: {title}. {}", page.severity(finding.severity), finding.recommendation);
        page.paragraph(out, &line)?;
    }
    for fault in faults.iter().take(page.limit) {
        let place = fault.first.line.or(fault.first.row).unwrap_or(0);
        let file = super::sanitize::terminal(&fault.first.file);
        let count = figures::count(fault.count, "row");
        page.paragraph(out, &format!("{count} not read: {} (first at {file}:{place})", fault.reason))?;
    }
    for failure in files.iter().take(page.limit) {
        let (file, error) =
            (super::sanitize::terminal(&failure.file), super::sanitize::terminal(&failure.error));
        page.paragraph(out, &format!("{file}: {error}"))?;
    }
    match files.len().saturating_sub(page.limit) {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more files (--limit 0 shows all)"),
    }
}
