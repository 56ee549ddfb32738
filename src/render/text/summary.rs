//! What a reader wants first: what was read, how far to trust it, and what came out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::figures::{count, percent, thousands, window};
use super::{Page, wrapped};
use crate::findings::Severity;
use crate::findings::verdict::Verdict;
use crate::ingest::LeftOut;
use crate::report::Report;

/// Of the ACCEPTs held against rules, so many must be explained.
const TRUSTED_SHARE: f64 = 0.99;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let window = window(&report.window);
    let name = page.style(console::Style::new().bold(), report.generator.name);
    for line in wrapped(&format!("{name} {}: {window}", report.generator.version), page.width) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    for (label, text) in [
        ("Read", read(report)),
        ("Explained", explained(report)),
        ("Rules", rules(report)),
        ("Blocked", blocked(report)),
        ("Findings", findings(report, page)),
    ] {
        page.paragraph(out, &format!("{label}: {text}"))?;
    }
    Ok(())
}

/// What was there and was not read.
fn left_out(LeftOut { folders, files }: LeftOut) -> String {
    let parts = [(folders, "folder"), (files, "file")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| count(number, what))
        .collect();
    format!("left out by account, region or time: {}", parts.join(" and "))
}

fn read(report: &Report) -> String {
    let (records, files) = (&report.coverage.records, &report.coverage.files);
    let mut text = format!(
        "{} in {}: {} accepted, {} rejected, {} without data, {} skipped",
        count(records.total, "record"),
        count(files.read, "file"),
        thousands(records.accepted),
        thousands(records.rejected),
        thousands(records.no_data),
        thousands(records.skip_data),
    );
    for (figure, what) in [
        (records.malformed, "malformed"),
        (records.outside_window, "outside the window"),
        (records.duplicate, "delivered twice"),
    ] {
        if figure > 0 {
            let _ = write!(text, ", {} {what}", thousands(figure));
        }
    }
    if !files.left_out.is_nothing() {
        let _ = write!(text, "; {}", left_out(files.left_out));
    }
    if files.failed > 0 {
        let _ = write!(text, "; {} could not be read", count(files.failed, "file"));
    }
    text
}

fn explained(report: &Report) -> String {
    let told = &report.coverage.attribution;
    let basis = &told.basis;
    let undecided = basis.contradicted + basis.ambiguous;
    let decided = basis.tcp_flags
        + basis.rules
        + basis.rule_ports
        + basis.low_port
        + basis.known_service
        + basis.fan_in;
    let explained = decided + undecided;
    let all = explained + told.unexplained + told.unknown_group + told.explained_by_neighbour;
    let Some(share) = told.explained_share else {
        return "no ACCEPT could be matched to rules".to_owned();
    };
    let mut text = format!(
        "{} of {} that could be matched ({} of them by either end)",
        percent(explained, all),
        count(all, "ACCEPT"),
        thousands(undecided)
    );
    for (figure, what) in [
        (told.explained_by_neighbour, "explained by a neighbouring snapshot alone"),
        (told.unknown_group, "with an unknown group"),
        (told.unexplained, "explained by no rule"),
        (told.unknown_interface, "on interfaces of no snapshot"),
        (told.no_group, "on interfaces without groups"),
        (told.unknown_direction, "of unknown direction"),
    ] {
        if figure > 0 {
            let _ = write!(text, "; {} {what}", count(figure, "record"));
        }
    }
    if share < TRUSTED_SHARE {
        text.push_str(". Under 99 % the rules given are not those of these logs: trust what follows less");
    }
    text
}

fn rules(report: &Report) -> String {
    let groups: BTreeSet<&str> = report.rules.iter().map(|rule| rule.group_id.as_str()).collect();
    let verdicts = [
        (Verdict::Used, "used"),
        (Verdict::PossiblyUsed, "possibly used"),
        (Verdict::NotSeen, "not seen"),
        (Verdict::CannotDecide, "undecidable"),
        (Verdict::Unattached, "on no interface"),
    ];
    let parts = verdicts.iter().map(|(verdict, word)| {
        let rules = report.rules.iter().filter(|rule| rule.usage.verdict == *verdict).count();
        format!("{} {word}", thousands(rules as u64))
    });
    let parts: Vec<String> = parts.collect();
    let rules = report.rules.len() as u64;
    format!("{} in {}: {}", thousands(rules), count(groups.len() as u64, "group"), parts.join(", "))
}

fn blocked(report: &Report) -> String {
    let places: BTreeSet<(&str, &str, Option<u16>)> = report
        .blocked
        .iter()
        .map(|row| (row.interface_id.as_str(), row.protocol.as_str(), row.port))
        .collect();
    format!(
        "{} to {}",
        count(report.coverage.records.rejected, "record"),
        count(places.len() as u64, "interface and port").replace("ports", "port pairs")
    )
}

fn findings(report: &Report, page: Page) -> String {
    let levels = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let parts = levels.into_iter().filter_map(|level| {
        let number = report.findings.iter().filter(|finding| finding.severity == level).count() as u64;
        (number > 0).then(|| format!("{} {}", thousands(number), page.severity(level)))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
