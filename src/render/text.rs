//! `--format text`: for people. A summary first, then tables, worst first, nothing wider than the page.

mod blocked;
pub(crate) mod doubts;
pub(crate) mod figures;
pub mod investigation;
mod openings;
mod removal;
pub mod replay;
mod summary;
mod unused;
mod wider;

use std::io::{self, Write};

use console::Style;

use crate::findings::{Finding, FindingKind, Severity};
use crate::render::sanitize;
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
        writeln!(out)?;
        for line in wrapped(text, self.width) {
            writeln!(out, "{}", self.style(Style::new().bold(), &line))?;
        }
        Ok(())
    }

    /// A paragraph, wrapped at the page and indented by two spaces.
    fn paragraph(self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        for line in wrapped(text, self.width.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
        Ok(())
    }

    /// What to do about findings, each advice once.
    fn advice<'a>(self, out: &mut dyn Write, findings: impl Iterator<Item = &'a Finding>) -> io::Result<()> {
        let mut said = std::collections::BTreeSet::new();
        for finding in findings {
            if said.insert(&finding.recommendation) {
                writeln!(out)?;
                let subject =
                    finding.rule_key.as_deref().or(finding.group_id.as_deref()).unwrap_or(&finding.id);
                let text = format!("{subject}: {}", finding.recommendation);
                self.paragraph(out, &sanitize::terminal(&text))?;
            }
        }
        Ok(())
    }
}

/// Lines no wider than said; a word wider than that is broken.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace().flat_map(|word| pieces(word, width)) {
        let last = lines.last().map_or(0, |line| console::measure_text_width(line));
        if last > 0 && last + 1 + console::measure_text_width(&word) > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}

/// A word in pieces that fit. A coloured word is never wide.
fn pieces(word: &str, width: usize) -> Vec<String> {
    if console::measure_text_width(word) <= width {
        return vec![word.to_owned()];
    }
    let characters: Vec<char> = word.chars().collect();
    characters.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// Writes the report.
pub fn render(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    summary::write(report, page, out)?;
    openings::write(report, page, out)?;
    unused::write(report, page, out)?;
    blocked::write(report, page, out)?;
    cleaning(report, page, out)?;
    removal::write(report, page, out)?;
    wider::write(report, page, out)?;
    accepted(report, page, out)?;
    gaps(report, page, out)
}

/// Findings that somebody has accepted, and those that an earlier report had already.
fn accepted(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if !report.suppressed.is_empty() {
        page.heading(out, "Accepted")?;
        for accepted in report.suppressed.iter().take(page.limit) {
            let (finding, why) = (&accepted.finding, &accepted.suppression);
            let until = why.expires.get(..10).unwrap_or(&why.expires);
            let text = format!("{}. Until {until}: {}", finding.title, why.reason);
            let line = format!("{}: {}", page.severity(finding.severity), sanitize::terminal(&text));
            page.paragraph(out, &line)?;
        }
        match report.suppressed.len().saturating_sub(page.limit) {
            0 => {}
            more => writeln!(out, "  … {more} more findings (--limit 0 shows all)")?,
        }
    }
    if !report.known.is_empty() {
        page.heading(out, "Known from the baseline")?;
        let known = figures::count(report.known.len() as u64, "finding");
        page.paragraph(out, &format!("{known} that it has too, not shown as findings here."))?;
    }
    Ok(())
}

/// Rules and groups that open something for nothing, beside the unused ones.
fn cleaning(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let kinds =
        [FindingKind::ManagedInterfaceInbound, FindingKind::IneffectiveRule, FindingKind::RedundantRule];
    let found: Vec<_> = report.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    if found.is_empty() {
        return Ok(());
    }
    page.heading(out, "Not needed, or there twice")?;
    sentences(&found, page, out)
}

/// What each finding says and advises.
fn sentences(findings: &[&Finding], page: Page, out: &mut dyn Write) -> io::Result<()> {
    for finding in findings.iter().take(page.limit) {
        let text = format!("{}. {}", finding.headline(), finding.recommendation);
        let line = format!("{}: {}", page.severity(finding.severity), sanitize::terminal(&text));
        page.paragraph(out, &line)?;
    }
    match findings.len().saturating_sub(page.limit) {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more findings (--limit 0 shows all)"),
    }
}

/// What the logs and snapshots do not show, and what could not be read.
fn gaps(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [FindingKind::CoverageGap, FindingKind::SnapshotDrift, FindingKind::StaleReference];
    let gaps: Vec<_> = report.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    let files = &report.coverage.files.failures;
    let faults = &report.coverage.faults;
    let snapshots = report.coverage.snapshots.iter();
    let aside: Vec<String> = snapshots
        .filter_map(|file| match (&file.left_aside, &file.missed) {
            (Some(why), _) => Some(format!("snapshot file {} left aside: {why}", file.file)),
            (None, Some(what)) => Some(format!("snapshot file {}: {what}", file.file)),
            (None, None) => None,
        })
        .collect();
    if gaps.is_empty() && files.is_empty() && faults.is_empty() && aside.is_empty() {
        return Ok(());
    }
    page.heading(out, "What this report cannot see")?;
    for text in aside.iter().take(page.limit) {
        page.paragraph(out, &sanitize::terminal(text))?;
    }
    sentences(&gaps, page, out)?;
    for fault in faults.iter().take(page.limit) {
        let place = fault.first.line.or(fault.first.row).unwrap_or(0);
        let file = sanitize::terminal(&fault.first.file);
        let count = figures::count(fault.count, "row");
        page.paragraph(out, &format!("{count} not read: {} (first at {file}:{place})", fault.reason))?;
    }
    for failure in files.iter().take(page.limit) {
        let (file, error) = (sanitize::terminal(&failure.file), sanitize::terminal(&failure.error));
        page.paragraph(out, &format!("{file}: {error}"))?;
    }
    match files.len().saturating_sub(page.limit) {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more files (--limit 0 shows all)"),
    }
}
