//! What a reader should act on, derived from the tally and the newest state of the rules.

pub mod attachment;
pub mod blocked;
pub mod cadence;
mod closest;
pub mod default_group;
pub mod delivery;
pub mod described;
pub mod drift;
pub mod gaps;
pub mod identical;
pub mod ineffective;
pub mod lifetime;
pub mod loggable;
pub mod managed;
pub mod managed_inbound;
pub mod over_broad;
pub mod ports;
pub mod precedence;
pub mod reason;
pub mod recorders;
pub mod redundant;
pub mod references;
pub mod removal;
pub mod services;
pub mod settings;
pub mod space;
pub mod stale;
pub mod strays;
pub mod unattached;
pub mod unused;
pub mod verdict;
pub mod wider;

use std::borrow::Cow;
use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How much a finding matters, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Clean up when convenient.
    Low,
    /// Should be mended.
    Medium,
    /// Mend soon.
    High,
    /// Mend now.
    Critical,
}

impl Severity {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An opening wider than it should be.
    OverBroad,
    /// A rule nobody was seen to use.
    UnusedRule,
    /// Rules, or whole groups of them, that others make superfluous.
    RedundantRule,
    /// A rule that can never decide.
    IneffectiveRule,
    /// A rule of which a part would do.
    WiderThanUsed,
    /// A group on no interface.
    UnattachedGroup,
    /// Internal sources that are refused again and again.
    BlockedAttempts,
    /// An internal source that tries port after port.
    Scan,
    /// Refused by a network ACL although the groups allow it.
    BlockedByNetworkAcl,
    /// A reference to a group or list that nothing resolves.
    StaleReference,
    /// An inbound rule on interfaces of a service that needs none.
    ManagedInterfaceInbound,
    /// ACCEPTs that no rule explains.
    SnapshotDrift,
    /// What the logs or snapshots do not show.
    CoverageGap,
    /// Something that an investigation should look into.
    Investigation,
}

impl FindingKind {
    /// All, as reports order them.
    pub const ALL: [Self; 14] = [
        Self::OverBroad,
        Self::UnusedRule,
        Self::RedundantRule,
        Self::IneffectiveRule,
        Self::WiderThanUsed,
        Self::UnattachedGroup,
        Self::BlockedAttempts,
        Self::Scan,
        Self::BlockedByNetworkAcl,
        Self::StaleReference,
        Self::ManagedInterfaceInbound,
        Self::SnapshotDrift,
        Self::CoverageGap,
        Self::Investigation,
    ];

    /// In one sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::OverBroad => "An opening is wider than it should be.",
            Self::UnusedRule => "No record was let through by the rule.",
            Self::RedundantRule => "Other rules allow all that the rule allows, or all that came.",
            Self::IneffectiveRule => "The rule can never decide: others come before it, or it names nothing.",
            Self::WiderThanUsed => "A part of the rule would do for all that came.",
            Self::UnattachedGroup => "The group is on no interface.",
            Self::BlockedAttempts => "Internal sources are refused again and again.",
            Self::Scan => "An internal source tries port after port, or host after host.",
            Self::BlockedByNetworkAcl => "A network ACL refuses what the security groups allow.",
            Self::StaleReference => "The rule refers to a group or list that nothing resolves.",
            Self::ManagedInterfaceInbound => "An inbound rule on interfaces of a service that needs none.",
            Self::SnapshotDrift => "Traffic was let through that no known rule explains.",
            Self::CoverageGap => "The logs or the snapshots do not show everything.",
            Self::Investigation => "Traffic that an investigation should look into.",
        }
    }

    /// Whether it is about traffic that came, rather than about a rule as it is written.
    pub fn is_of_traffic(self) -> bool {
        matches!(self, Self::BlockedAttempts | Self::Scan | Self::BlockedByNetworkAcl | Self::Investigation)
    }

    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OverBroad => "over_broad",
            Self::UnusedRule => "unused_rule",
            Self::RedundantRule => "redundant_rule",
            Self::IneffectiveRule => "ineffective_rule",
            Self::WiderThanUsed => "wider_than_used",
            Self::UnattachedGroup => "unattached_group",
            Self::BlockedAttempts => "blocked_attempts",
            Self::Scan => "scan",
            Self::BlockedByNetworkAcl => "blocked_by_network_acl",
            Self::StaleReference => "stale_reference",
            Self::ManagedInterfaceInbound => "managed_interface_inbound",
            Self::SnapshotDrift => "snapshot_drift",
            Self::CoverageGap => "coverage_gap",
            Self::Investigation => "investigation",
        }
    }
}

/// One finding. Its id is made of what it is about, so the same finding tomorrow has the same id.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// `KIND/SUBJECT`.
    pub id: String,
    /// What it is about.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// One line for people.
    pub title: String,
    /// The group it is about.
    pub group_id: Option<String>,
    /// The rule it is about.
    pub rule_key: Option<String>,
    /// The interface it is about.
    pub interface_id: Option<String>,
    /// The figures behind it.
    pub evidence: Map<String, Value>,
    /// What to do.
    pub recommendation: String,
    /// Why it is accepted, where it is and is shown all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

impl Finding {
    /// Its title for people; of a finding that is accepted and shown all the same, it says so.
    pub fn headline(&self) -> Cow<'_, str> {
        match &self.suppressed {
            Some(_) => Cow::Owned(format!("accepted: {}", self.title)),
            None => Cow::Borrowed(&self.title),
        }
    }
}

/// Why a finding is accepted, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// Why.
    pub reason: String,
    /// The last second, RFC 3339.
    pub expires: String,
}

/// Interfaces, rules, peers or ports that a finding names of many.
const MOST_NAMED: usize = 10;

/// `1 rule`, `2 rules`.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Worst first, then by kind and id.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| (Reverse(a.severity), a.kind, &a.id).cmp(&(Reverse(b.severity), b.kind, &b.id)));
}
