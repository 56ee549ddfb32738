//! From one record to the rules that explain it, or to the cause that refused it.
//!
//! Security groups are stateful and flow logs never say which rule let a packet through, so every record is read twice:
//! *forward* (its sender opened the connection; tested by rules of its own direction on `dstport`) and *reply* (its
//! receiver did; rules of the opposite direction on `srcport`). What decides between the two is the [`Basis`].
//!
//! [`naive`] is the definition in plain loops and stays for ever as the oracle of the fast path.

use serde::Serialize;

pub mod acl;
mod address;
pub mod index;
pub mod judge;
pub mod naive;
mod port_classes;
pub mod refusal;
mod seat;
pub mod sets;
pub mod situation;

/// What told which end opened the connection of an ACCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// TCP flags left one reading, and rules match it.
    TcpFlags,
    /// TCP flags left one reading, and only the other one finds rules: undecided.
    Contradicted,
    /// Rules match one reading alone.
    Rules,
    /// Both match; one alone through a rule for a specific service.
    RulePorts,
    /// Both match; one of the two ports is below 512.
    LowPort,
    /// Both match; decided records show one end as the service more often.
    KnownService,
    /// Both match; more different ports talk to one end than to the other.
    FanIn,
    /// Both match and nothing tells: undecided.
    Ambiguous,
}

impl Basis {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TcpFlags => "tcp_flags",
            Self::Contradicted => "contradicted",
            Self::Rules => "rules",
            Self::RulePorts => "rule_ports",
            Self::LowPort => "low_port",
            Self::KnownService => "known_service",
            Self::FanIn => "fan_in",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// Every basis, in the order of the definition.
pub const BASES: [Basis; 8] = [
    Basis::TcpFlags,
    Basis::Contradicted,
    Basis::Rules,
    Basis::RulePorts,
    Basis::LowPort,
    Basis::KnownService,
    Basis::FanIn,
    Basis::Ambiguous,
];

/// What may lie behind an ACCEPT that no rule explains: the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The state in force lacks the interface: its groups and addresses are those of another time.
    StaleInterface,
    /// A rule fits in all but the peer, and who its peer is the state does not say.
    UnresolvedReference,
    /// TCP flags without SYN: the connection was opened before the record, perhaps under rules that are gone.
    TrackedConnection,
    /// TCP flags with SYN: the connection was opened then, so a rule allowed it that the state lacks.
    NewConnection,
    /// The record does not tell.
    Untold,
}

/// Every drift, in the order in which they are asked.
pub const DRIFTS: [Drift; 5] = [
    Drift::StaleInterface,
    Drift::UnresolvedReference,
    Drift::TrackedConnection,
    Drift::NewConnection,
    Drift::Untold,
];

impl Drift {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StaleInterface => "stale_interface",
            Self::UnresolvedReference => "unresolved_reference",
            Self::TrackedConnection => "tracked_connection",
            Self::NewConnection => "new_connection",
            Self::Untold => "untold",
        }
    }
}

/// Why a REJECT was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The interface or the direction is not known.
    Unattributed,
    /// `reject-reason` BPA.
    BlockPublicAccess,
    /// `reject-reason` EC.
    EncryptionControl,
    /// The network ACL refused it.
    NetworkAcl,
    /// A reply that the network ACL (or nothing known) refused.
    BlockedReply,
    /// A packet of a connection that was closed or expired: not an attempt.
    LatePacket,
    /// Either a late reply from a service port, or a scan from one.
    LateReplyOrScan,
    /// The records cannot show what refused it.
    Undetermined,
    /// A group of the interface is in no snapshot, so its rules are not known.
    UnknownGroup,
    /// No rule allows it, and the network ACL denies it too.
    SecurityGroupAndNetworkAcl,
    /// No rule allows it.
    SecurityGroup,
    /// Rules allow it: the ACL is not in the snapshot, the connection was closed, or the snapshot is out of date.
    NotSecurityGroup,
}

impl Cause {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unattributed => "unattributed",
            Self::BlockPublicAccess => "block_public_access",
            Self::EncryptionControl => "encryption_control",
            Self::NetworkAcl => "network_acl",
            Self::BlockedReply => "blocked_reply",
            Self::LatePacket => "late_packet",
            Self::LateReplyOrScan => "late_reply_or_scan",
            Self::Undetermined => "undetermined",
            Self::UnknownGroup => "unknown_group",
            Self::SecurityGroupAndNetworkAcl => "security_group_and_network_acl",
            Self::SecurityGroup => "security_group",
            Self::NotSecurityGroup => "not_security_group",
        }
    }
}
