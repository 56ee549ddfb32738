//! Rules nobody was seen to use, and rules of which the logs cannot tell.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Page;
use super::figures::{count, names, rule};
use crate::findings::FindingKind;
use crate::findings::verdict::{Confidence, Reason, Verdict};
use crate::render::table::{Column, Table};
use crate::report::{Report, RuleRow};

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    // Rules that are gone need no cleaning up.
    let of = |verdict: Verdict| {
        let rows =
            report.rules.iter().filter(move |row| row.usage.verdict == verdict && row.in_force.to.is_none());
        rows.collect::<Vec<_>>()
    };
    let names = names(report);
    page.heading(out, "Unused rules")?;
    let mut unused = of(Verdict::NotSeen);
    if unused.is_empty() {
        let text =
            if report.rules.is_empty() { "the snapshot holds no rules" } else { "none seen to be unused" };
        writeln!(out, "  {text}")?;
    } else {
        unused.sort_by_key(|row| std::cmp::Reverse(row.usage.confidence.unwrap_or(Confidence::Low)));
        rules(&unused, &names, page, out, "CONFIDENCE", |row| {
            row.usage.confidence.map_or("", Confidence::as_str).to_owned()
        })?;
        let findings = report.findings.iter().filter(|finding| finding.kind == FindingKind::UnusedRule);
        page.advice(out, findings.take(page.limit))?;
    }
    for (verdict, heading) in [
        (Verdict::CannotDecide, "Not seen, but the logs cannot tell"),
        (Verdict::PossiblyUsed, "Possibly used"),
        (Verdict::Unattached, "On no interface"),
    ] {
        let rows = of(verdict);
        if rows.is_empty() {
            continue;
        }
        page.heading(out, heading)?;
        match verdict {
            Verdict::PossiblyUsed => {
                rules(&rows, &names, page, out, "RECORDS", |row| {
                    count(row.usage.possible_records, "record")
                })?;
            }
            _ => rules(&rows, &names, page, out, "COVERED", covered)?,
        }
    }
    Ok(())
}

fn rules(
    rows: &[&RuleRow],
    names: &BTreeMap<&str, String>,
    page: Page,
    out: &mut dyn Write,
    head: &'static str,
    figure: impl Fn(&RuleRow) -> String,
) -> io::Result<()> {
    let columns =
        [Column::Flexible("GROUP"), Column::Flexible("RULE"), Column::Fixed(head), Column::Flexible("WHY")];
    let mut table = Table::new(&columns);
    for row in rows {
        let reasons: Vec<&str> = row.usage.reasons.iter().map(|reason| words(*reason)).collect();
        table.row(vec![
            names.get(row.group_id.as_str()).cloned().unwrap_or_default(),
            rule(row),
            figure(row),
            reasons.join(", "),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn covered(row: &RuleRow) -> String {
    row.usage.covered_share.map_or_else(String::new, |share| format!("{:.0} %", (share * 100.0).floor()))
}

/// A reason in a few words.
fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::InterfaceSilent => "no ACCEPT on its interfaces",
        Reason::UnresolvedPeer => "peer not in the snapshot",
        Reason::PeerUnproven => "similar traffic from unknown peers",
        Reason::NotLoggable => "flow logs leave such traffic out",
        Reason::YoungRule => "newer than the window",
        Reason::CoveredTooLittle => "under half covered",
        Reason::UnknownProtocol => "unknown protocol",
        Reason::PortsNotLogged => "ports not logged",
        Reason::Skipdata => "records were skipped",
        Reason::InterfacePartlySilent => "an interface without records",
        Reason::Gap => "gaps in the logs",
        Reason::WindowShort => "short window",
        Reason::HistoryUnknown => "no snapshot that old",
        Reason::ChangedInWindow => "changed inside the window",
        Reason::UnknownInterfaces => "traffic on unknown interfaces",
        Reason::MalformedRows => "malformed rows",
        Reason::CarriesUntrackedReplies => "carries untracked replies",
        Reason::RareByName => "for rare events by its name",
        Reason::RequiredByService => "an AWS service needs it",
    }
}
