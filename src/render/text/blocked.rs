//! Blocked attempts: by cause, broken applications apart, then the noise.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Page;
use super::figures::thousands;
use crate::attribution::Cause;
use crate::findings::FindingKind;
use crate::render::sanitize::terminal;
use crate::render::table::{Column, Table};
use crate::report::{PeerCount, PortCount, Report};

/// Rows of the tables of peers, ports and interfaces, which only show the tip.
const TIP: usize = 5;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    page.heading(out, "Blocked attempts")?;
    if report.blocked.is_empty() {
        return writeln!(out, "  none in the logs");
    }
    causes(report, page, out)?;
    broken(report, page, out)?;
    let summary = &report.blocked_summary;
    let peers = |peers: &[PeerCount]| {
        peers.iter().map(|peer| (peer.records, terminal(&peer.peer).into_owned())).collect::<Vec<_>>()
    };
    page.heading(out, "Who was refused most, where")?;
    let ports: Vec<_> = summary.ports.iter().map(|port| (port.records, ports(port))).collect();
    let interfaces = summary.interfaces.iter();
    let interfaces: Vec<_> =
        interfaces.map(|row| (row.records, terminal(&row.interface_id).into_owned())).collect();
    let tips = [
        ("INTERNAL PEER", peers(&summary.internal_peers)),
        ("INTERNET PEER", peers(&summary.internet_peers)),
        ("ON THE WAY OUT TO", peers(&summary.egress_peers)),
        ("PORT", ports),
        ("INTERFACE", interfaces),
    ];
    for (at, (head, rows)) in tips.iter().filter(|(_, rows)| !rows.is_empty()).enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        tip(page, out, head, rows)?;
    }
    Ok(())
}

fn causes(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let mut by_cause: BTreeMap<Cause, u64> = BTreeMap::new();
    for row in &report.blocked {
        *by_cause.entry(row.cause).or_default() += row.records;
    }
    let mut causes: Vec<(Cause, u64)> = by_cause.into_iter().collect();
    causes.sort_by_key(|(cause, records)| (std::cmp::Reverse(*records), *cause));
    let ranked = report.rules.iter().any(|rule| rule.priority.is_some());
    let mut table =
        Table::new(&[Column::Number("RECORDS"), Column::Fixed("CAUSE"), Column::Flexible("WHICH MEANS")]);
    for (cause, records) in causes {
        table.row(vec![thousands(records), cause.as_str().to_owned(), meaning(cause, ranked).to_owned()]);
    }
    table.write(out, page.width, usize::MAX)
}

fn broken(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [FindingKind::BlockedAttempts, FindingKind::BlockedByNetworkAcl, FindingKind::Scan];
    let broken: Vec<_> = report.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    if broken.is_empty() {
        return Ok(());
    }
    page.heading(out, "Internal sources refused again and again: probably broken applications")?;
    for finding in broken.iter().take(page.limit) {
        page.paragraph(
            out,
            &format!("{}. {}", terminal(&finding.headline()), terminal(&finding.recommendation)),
        )?;
    }
    match broken.len().saturating_sub(page.limit) {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more (--limit 0 shows all)"),
    }
}

fn tip(page: Page, out: &mut dyn Write, head: &'static str, rows: &[(u64, String)]) -> io::Result<()> {
    let mut table = Table::new(&[Column::Number("RECORDS"), Column::Flexible(head)]);
    for (records, key) in rows.iter().take(TIP) {
        table.row(vec![thousands(*records), key.clone()]);
    }
    table.write(out, page.width, TIP)
}

fn ports(row: &PortCount) -> String {
    let [from, to] = row.port_range;
    if from == to { format!("{}/{from}", row.protocol) } else { format!("{}/{from}-{to}", row.protocol) }
}

/// `ranked`: some rules are of Alibaba Cloud.
fn meaning(cause: Cause, ranked: bool) -> &'static str {
    match cause {
        Cause::SecurityGroup if ranked => "no rule allows it, or a Drop rule decides",
        Cause::NotSecurityGroup if ranked => {
            "rules allow it: look at the ACL, the age of the snapshot, or TCP 25, which the cloud blocks"
        }
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
