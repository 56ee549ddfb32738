//! The report as a value: what `--format json` writes, key by key. The names are a public contract.

pub mod blocked;
pub mod build;
pub mod coverage;
pub mod owners;
pub mod replay;
pub mod rows;
pub mod series;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::findings::reason::{Doubt, Reason};
use crate::findings::removal::Ground;
use crate::findings::removal::fewest::Method;
use crate::findings::verdict::{Confidence, Verdict};
use crate::findings::wider::Narrower;
use crate::findings::{Finding, FindingKind, Severity, Suppression};
use crate::flow::Seconds;
use crate::tally::credit::Span;
use crate::time;
pub use coverage::{
    Attribution, BasisCounts, Coverage, Failure, Fault, FaultPlace, Files, InterfaceRow, Records,
    SnapshotFile,
};
use owners::Owners;
use series::TimeSeries;

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `1`.
    pub schema_version: &'static str,
    /// Who wrote it.
    pub generator: Generator,
    /// Of the traffic records.
    pub window: Window,
    /// What was read, and what was not.
    pub coverage: Coverage,
    /// Every rule of every snapshot, once.
    pub rules: Vec<RuleRow>,
    /// Every refused record, grouped.
    pub blocked: Vec<BlockedRow>,
    /// Who was refused most, where: sums over all of `blocked`, not over its `top_peers`.
    pub blocked_summary: BlockedSummary,
    /// What to act on, worst first.
    pub findings: Vec<Finding>,
    /// Rules that can go together.
    pub removal_set: RemovalRows,
    /// Rules that may take the place of wider ones: those that findings of kind `wider_than_used` name.
    #[serde(skip)]
    pub narrower: Vec<Narrower>,
    /// Whose the groups and interfaces are.
    #[serde(skip)]
    pub owners: Owners,
    /// What came when, and when each rule was used.
    pub time_series: TimeSeries,
    /// Findings that somebody has accepted (`--suppress`).
    pub suppressed: Vec<SuppressedFinding>,
    /// Findings that the baseline has too (`--baseline`), and that are therefore not among the findings.
    pub known: Vec<KnownFinding>,
}

impl Report {
    /// Of when it is: the last record, or else the newest snapshot. None: neither has a time.
    pub fn dated(&self) -> Option<Seconds> {
        let newest = self.coverage.snapshots.iter().filter_map(|snapshot| snapshot.in_force_from.as_deref());
        let last = self.window.last_seen.as_deref();
        last.and_then(time::parse).or_else(|| newest.filter_map(time::parse).max())
    }

    /// Documents that were understood, the newest first.
    pub fn snapshot_files(&self) -> Vec<String> {
        let mut understood: Vec<&SnapshotFile> =
            self.coverage.snapshots.iter().filter(|snapshot| snapshot.left_aside.is_none()).collect();
        understood.sort_by(|a, b| b.in_force_from.cmp(&a.in_force_from).then_with(|| a.file.cmp(&b.file)));
        understood.into_iter().map(|snapshot| snapshot.file.clone()).collect()
    }

    /// Rules that may take the place of wider ones, as far as the finding that says so is shown and nobody has accepted it. What
    /// can go need not shrink.
    pub fn narrower(&self) -> impl Iterator<Item = &Narrower> {
        let wide = self.findings.iter().filter(|finding| finding.kind == FindingKind::WiderThanUsed);
        let shown: BTreeSet<&str> = wide
            .filter(|finding| finding.suppressed.is_none())
            .filter_map(|finding| finding.rule_key.as_deref())
            .collect();
        let gone: BTreeSet<&str> = self.removal_set.rules.iter().map(String::as_str).collect();
        self.narrower.iter().filter(move |narrower| {
            let key = narrower.key.as_str();
            shown.contains(key) && !gone.contains(key)
        })
    }
}

/// A finding that is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownFinding {
    /// Its id.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// One line for people.
    pub title: String,
}

impl KnownFinding {
    /// In short.
    pub fn of(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), severity: finding.severity, title: finding.title.clone() }
    }
}

/// A finding that somebody has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SuppressedFinding {
    /// Which.
    #[serde(flatten)]
    pub finding: KnownFinding,
    /// Why, and until when.
    #[serde(flatten)]
    pub suppression: Suppression,
}

/// Rules that can go together, with every observed ACCEPT still allowed by a rule that stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RemovalRows {
    /// Keys, in the order in which they should go.
    pub rules: Vec<String>,
    /// Whether there is no larger set.
    pub method: Method,
    /// The same rules with what speaks for each.
    pub steps: Vec<RemovalRow>,
}

/// One rule that can go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemovalRow {
    /// Its key.
    pub rule_key: String,
    /// `sgr-…`, where known.
    pub rule_id: Option<String>,
    /// Why it can go.
    pub ground: Ground,
}

/// Who wrote a report.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Generator {
    /// `flowaudit`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Generator {
    /// This program.
    pub const OURS: Self = Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
}

impl Window {
    /// As reports write it.
    pub fn of(span: Span) -> Self {
        Self { first_seen: rows::text(span.first()), last_seen: rows::text(span.last()) }
    }
}

/// Smallest start and largest end of ACCEPT and REJECT records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Window {
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleRow {
    /// The content as one string.
    pub rule_key: String,
    /// `sgr-…`, where known.
    pub rule_id: Option<String>,
    /// The group that holds it.
    pub group_id: String,
    /// The group's name, empty where unknown.
    pub group_name: String,
    /// `ingress` or `egress`.
    pub direction: crate::flow::Direction,
    /// `allow` or `deny`.
    pub action: &'static str,
    /// Of clouds whose rules have one.
    pub priority: Option<u8>,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all`, or a number.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<u16>,
    /// Last port, or ICMP code.
    pub to_port: Option<u16>,
    /// The far side.
    pub peer: PeerRow,
    /// Description.
    pub description: Option<String>,
    /// Since when and until when snapshots hold it.
    pub in_force: InForce,
    /// What it was used for.
    pub usage: Usage,
}

/// The far side of a rule.
#[derive(Debug, Clone, Serialize)]
pub struct PeerRow {
    /// `cidr`, `group` or `prefix_list`.
    pub kind: &'static str,
    /// Range or id.
    pub value: String,
}

/// Since when and until when a rule was in force.
#[derive(Debug, Clone, Serialize)]
pub struct InForce {
    /// Null: since before the first snapshot, or always.
    pub from: Option<String>,
    /// Null: it still is.
    pub to: Option<String>,
}

/// What a rule was used for.
#[derive(Debug, Clone, Serialize)]
pub struct Usage {
    /// Whether it is used.
    pub verdict: Verdict,
    /// Of `not_seen` only.
    pub confidence: Option<Confidence>,
    /// Why the verdict is withheld or trusted less.
    pub reasons: Vec<Reason>,
    /// The figures behind each reason, by its name.
    pub evidence: BTreeMap<Reason, Doubt>,
    /// Share of attached interface-hours that the logs speak of, 0 to 1.
    pub covered_share: Option<f64>,
    /// Records in forward role.
    pub records: u64,
    /// Records in reply role.
    pub reply_records: u64,
    /// Replies with SYN and ACK; null where no credited record shows TCP flags.
    pub answered_records: Option<u64>,
    /// Records that may have been let through by it.
    pub possible_records: u64,
    /// Records that no other rule explains.
    pub sole_records: u64,
    /// Records that it may explain alone.
    pub possible_sole_records: u64,
    /// Records that fit it in all but the peer.
    pub near_records: u64,
    /// Packets of all credited records.
    pub packets: u64,
    /// Bytes of all credited records.
    pub bytes: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
    /// Interfaces where it was credited in any way.
    pub interfaces: Vec<String>,
}

/// Refused records of one (interface, direction, protocol, port, cause).
#[derive(Debug, Clone, Serialize)]
pub struct BlockedRow {
    /// Interface id.
    pub interface_id: String,
    /// Null where it cannot be told.
    pub direction: Option<crate::flow::Direction>,
    /// Name or number.
    pub protocol: String,
    /// Destination port; 0 where the protocol has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// In place of `port` where the interface was probed on too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range: Option<[u16; 2]>,
    /// Why.
    pub cause: crate::attribution::Cause,
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
    /// Null where peers were widened to prefixes.
    pub distinct_peers: Option<u64>,
    /// Peers with most records.
    pub top_peers: Vec<PeerCount>,
}

/// Who was refused most, where. Attempts only: no late packets, no replies.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BlockedSummary {
    /// Peers of private networks that tried to come in.
    pub internal_peers: Vec<PeerCount>,
    /// Peers of the internet that tried to come in.
    pub internet_peers: Vec<PeerCount>,
    /// Where interfaces of ours tried to go.
    pub egress_peers: Vec<PeerCount>,
    /// Destination ports.
    pub ports: Vec<PortCount>,
    /// Interfaces.
    pub interfaces: Vec<InterfaceCount>,
}

/// Attempts on one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortCount {
    /// Name or number.
    pub protocol: String,
    /// First and last port: the same, unless rows were widened.
    pub port_range: [u16; 2],
    /// Records.
    pub records: u64,
}

/// Attempts on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterfaceCount {
    /// Interface id.
    pub interface_id: String,
    /// Records.
    pub records: u64,
}

/// Records of one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerCount {
    /// Address, or the prefix it was widened to.
    pub peer: String,
    /// Records.
    pub records: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}
