//! `--format markdown`: for a ticket or a pull request. Short: the summary, findings, and what can go.
//!
//! Names are written by anybody: nothing in them is markup, a mention or a link.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::sanitize::terminal;
use super::text::figures::{closed, count, names, narrow, rule, thousands, window};
use crate::findings::removal::fewest::Method;
use crate::findings::verdict::{Confidence, Verdict};
use crate::findings::wider::Narrower;
use crate::report::Report;

/// Writes the report, at most `limit` rows of each table.
pub fn render(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    summary(report, out)?;
    findings(report, limit, out)?;
    unused(report, limit, out)?;
    removal(report, limit, out)?;
    wider(report, limit, out)?;
    blind(report, limit, out)
}

/// Text that stays text: no markup, no mention, no link, one line.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // What is decoded before links and mentions are looked for must not stand beside what it would mention.
            '@' => safe.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    // Neither are addresses made into links.
    safe.replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
}

fn table(out: &mut dyn Write, heads: &[&str], rows: &[Vec<String>], limit: usize) -> io::Result<()> {
    writeln!(out, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()))?;
    for row in rows.iter().take(limit) {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    match rows.len().saturating_sub(limit) {
        0 => writeln!(out),
        more => writeln!(out, "\n… {} more\n", thousands(more as u64)),
    }
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let window = window(&report.window);
    let (records, files) = (&report.coverage.records, &report.coverage.files);
    writeln!(out, "# Security groups, {window}\n")?;
    let mut read = format!(
        "{} in {}: {} accepted, {} rejected",
        count(records.total, "record"),
        count(files.read, "file"),
        thousands(records.accepted),
        thousands(records.rejected)
    );
    if files.failed > 0 {
        // Writing to a String cannot fail.
        let _ = write!(read, "; **{} could not be read**", count(files.failed, "file"));
    }
    writeln!(out, "- Read: {read}")?;
    if let Some(share) = report.coverage.attribution.explained_share {
        let share = (share * 1000.0).floor() / 10.0;
        writeln!(out, "- Explained: {share:.1} % of the ACCEPTs that could be matched to rules")?;
    }
    let of = |verdict| report.rules.iter().filter(|rule| rule.usage.verdict == verdict).count() as u64;
    writeln!(
        out,
        "- Rules: {}: {} used, {} not seen, {} undecidable, {} on no interface",
        thousands(report.rules.len() as u64),
        thousands(of(Verdict::Used)),
        thousands(of(Verdict::NotSeen)),
        thousands(of(Verdict::CannotDecide)),
        thousands(of(Verdict::Unattached)),
    )?;
    writeln!(out, "- By {} {}\n", report.generator.name, report.generator.version)
}

fn findings(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Findings\n")?;
    for (more, what) in
        [(report.suppressed.len(), "accepted"), (report.known.len(), "known from the baseline")]
    {
        if more > 0 {
            writeln!(out, "{} {what}.\n", count(more as u64, "finding"))?;
        }
    }
    if report.findings.is_empty() {
        return writeln!(out, "None.\n");
    }
    let row = |finding: &crate::findings::Finding| {
        let accepted = finding
            .suppressed
            .as_ref()
            .map(|it| format!(" (accepted until {}: {})", plain(&it.expires), plain(&it.reason)));
        let title = format!("{}{}", plain(&finding.title), accepted.unwrap_or_default());
        vec![finding.severity.as_str().to_owned(), title, plain(&finding.recommendation)]
    };
    let rows: Vec<_> = report.findings.iter().map(row).collect();
    table(out, &["Severity", "Finding", "What to do"], &rows, limit)
}

fn unused(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let unused =
        report.rules.iter().filter(|row| row.usage.verdict == Verdict::NotSeen && row.in_force.to.is_none());
    let mut unused: Vec<_> = unused.collect();
    if unused.is_empty() {
        return Ok(());
    }
    unused.sort_by_key(|row| std::cmp::Reverse(row.usage.confidence));
    let names = names(report);
    writeln!(out, "## Rules not seen in use\n")?;
    let row = |row: &&crate::report::RuleRow| {
        vec![
            plain(names.get(row.group_id.as_str()).map_or(row.group_id.as_str(), String::as_str)),
            plain(&rule(row)),
            row.usage.confidence.map_or("", Confidence::as_str).to_owned(),
        ]
    };
    let rows: Vec<_> = unused.iter().map(row).collect();
    table(out, &["Group", "Rule", "Confidence"], &rows, limit)
}

fn removal(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let set = &report.removal_set;
    if set.steps.is_empty() {
        return Ok(());
    }
    let largest = match set.method {
        Method::Exact => "no larger set does that",
        Method::Greedy => "there may be a larger one",
    };
    writeln!(out, "## What can go together\n")?;
    writeln!(
        out,
        "Without these rules every ACCEPT of these logs is still allowed by a rule that stays ({largest}). The least risk \
         comes first.\n"
    )?;
    let rows: Vec<_> = set
        .steps
        .iter()
        .map(|step| vec![plain(&step.rule_key), plain(&step.ground.as_str().replace('_', " "))])
        .collect();
    table(out, &["Rule", "Because"], &rows, limit)
}

fn wider(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let row = |narrower: &Narrower| {
        let by: Vec<String> = narrower.by.iter().map(|by| plain(&narrow(by))).collect();
        vec![plain(&narrower.key), by.join("; "), closed(narrower.over_exposure)]
    };
    let rows: Vec<_> = report.narrower().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Wider than used\n")?;
    table(out, &["Rule", "Would do", "Closes of what was not used"], &rows, limit)
}

fn blind(report: &Report, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let (failures, faults) = (&report.coverage.files.failures, &report.coverage.faults);
    if failures.is_empty() && faults.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Not read\n")?;
    for failure in failures.iter().take(limit) {
        writeln!(out, "- {}: {}", plain(&failure.file), plain(&failure.error))?;
    }
    for fault in faults.iter().take(limit) {
        writeln!(out, "- {}: {}", count(fault.count, "row"), plain(&fault.reason))?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let cases = [
            ("a|b", "a\\|b"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("[x](http://y)", "\\[x\\]\\(http:&#47;&#47;y\\)"),
            ("@team", "@<!-- -->team"),
            ("**b**", "\\*\\*b\\*\\*"),
            ("`c`", "\\`c\\`"),
            ("a\nb", "a\\\\u\\{a\\}b"),
            ("www.x.de", "www&#46;x.de"),
        ];
        for (text, shown) in cases {
            assert_eq!(plain(text), shown);
        }
    }
}
