//! Blocked attempts: by cause, broken applications apart, then the noise.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Page;
use super::figures::thousands;
use crate::attribution::Cause;
use crate::findings::FindingKind;
use crate::render::sanitize::terminal;
use crate::render::table::{Column, Table};
use crate::report::{BlockedRow, Report};

/// Rows of the tables of peers, ports and interfaces, which only show the tip.
const TIP: usize = 5;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    page.heading(out, "Blocked attempts")?;
    if report.blocked.is_empty() {
        return writeln!(out, "  none in the logs");
    }
    causes(report, page, out)?;
    broken(report, page, out)?;
    page.heading(out, "Who was refused most, where")?;
    tip(report, page, out, "PEER", |row| {
        row.top_peers.iter().map(|peer| (terminal(&peer.peer).into_owned(), peer.records)).collect()
    })?;
    writeln!(out)?;
    tip(report, page, out, "PORT", |row| vec![(port(row), row.records)])?;
    writeln!(out)?;
    tip(report, page, out, "INTERFACE", |row| vec![(terminal(&row.interface_id).into_owned(), row.records)])
}

fn causes(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let mut by_cause: BTreeMap<Cause, u64> = BTreeMap::new();
    for row in &report.blocked {
        *by_cause.entry(row.cause).or_default() += row.records;
    }
    let mut causes: Vec<(Cause, u64)> = by_cause.into_iter().collect();
    causes.sort_by_key(|(cause, records)| (std::cmp::Reverse(*records), *cause));
    let mut table =
        Table::new(&[Column::Number("RECORDS"), Column::Fixed("CAUSE"), Column::Flexible("WHICH MEANS")]);
    for (cause, records) in causes {
        table.row(vec![thousands(records), cause.as_str().to_owned(), meaning(cause).to_owned()]);
    }
    table.write(out, page.width, usize::MAX)
}

fn broken(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [FindingKind::BlockedAttempts, FindingKind::BlockedByNetworkAcl];
    let broken: Vec<_> = report.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    if broken.is_empty() {
        return Ok(());
    }
    page.heading(out, "Internal sources refused again and again: probably broken applications")?;
    for finding in broken.iter().take(page.limit) {
        page.paragraph(out, &format!("{}. {}", terminal(&finding.title), terminal(&finding.recommendation)))?;
    }
    match broken.len().saturating_sub(page.limit) {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more (--limit 0 shows all)"),
    }
}

fn tip(
    report: &Report,
    page: Page,
    out: &mut dyn Write,
    head: &'static str,
    of: impl Fn(&BlockedRow) -> Vec<(String, u64)>,
) -> io::Result<()> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (key, records) in report.blocked.iter().flat_map(of) {
        *sums.entry(key).or_default() += records;
    }
    let mut sums: Vec<(String, u64)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut table = Table::new(&[Column::Number("RECORDS"), Column::Flexible(head)]);
    for (key, records) in sums.into_iter().take(TIP) {
        table.row(vec![thousands(records), key]);
    }
    table.write(out, page.width, TIP)
}

fn port(row: &BlockedRow) -> String {
    match (row.port, row.port_range) {
        (Some(port), _) => format!("{}/{port}", row.protocol),
        (None, Some([from, to])) => format!("{}/{from}-{to}", row.protocol),
        (None, None) => row.protocol.clone(),
    }
}

fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::Unattributed => "the interface or the direction is not known",
        Cause::BlockPublicAccess => "VPC Block Public Access",
        Cause::EncryptionControl => "VPC encryption controls",
        Cause::NetworkAcl => "the network ACL refused it",
        Cause::BlockedReply => "a reply that the network ACL refused",
        Cause::LatePacket => "the connection was over: no attempt",
        Cause::LateReplyOrScan => "a late reply, or a scan from a service port",
        Cause::Undetermined => "the records cannot show why",
        Cause::UnknownGroup => "a group of the interface is not in the snapshot",
        Cause::SecurityGroupAndNetworkAcl => "no rule allows it, and the network ACL denies it",
        Cause::SecurityGroup => "no rule allows it",
        Cause::NotSecurityGroup => "rules allow it: look at the ACL, or the age of the snapshot",
    }
}
