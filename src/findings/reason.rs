//! Why a verdict is withheld or trusted less, with the figures behind each reason.

use serde::Serialize;

use super::attachment::Covered;
use super::loggable::Unlogged;
use super::strays::StrayCount;
use crate::tally::fraction;

/// Why a verdict is withheld, or trusted less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No attached interface has an ACCEPT record, and none is known to log them.
    InterfaceSilent,
    /// The peer is a group or list that some state in force does not resolve.
    UnresolvedPeer,
    /// ACCEPTs fit the rule in all but the peer, from peers that no snapshot places.
    PeerUnproven,
    /// Flow logs never record (some of) its traffic.
    NotLoggable,
    /// The rule, or all its attachments, appeared inside the window.
    YoungRule,
    /// Less than half of the attached interface-hours are covered.
    CoveredTooLittle,
    /// The protocol is a word nobody knows, so its traffic cannot be told.
    UnknownProtocol,
    /// The logs of an attached interface leave the ports out, which the rule is about.
    PortsNotLogged,
    /// SKIPDATA records on attached interfaces.
    Skipdata,
    /// Some attached interface has no record at all, or none from before its flow log was created.
    InterfacePartlySilent,
    /// Attached interface-hours without any record, or objects that are missing among those of its account and region.
    Gap,
    /// The window is shorter than the review period.
    WindowShort,
    /// No state of the rules is as old as the window.
    HistoryUnknown,
    /// The rule was not in force all through the window.
    ChangedInWindow,
    /// ACCEPTs in its VPC on interfaces that no snapshot knows.
    UnknownInterfaces,
    /// Some rows, or some logs, could not be read.
    MalformedRows,
    /// World-open both ways: replies pass by this rule, not by tracking.
    CarriesUntrackedReplies,
    /// Its description or tags say it is for rare events.
    RareByName,
    /// A cloud service needs the rule on the interfaces it manages.
    RequiredByService,
    /// The snapshot does not say of which type the group is (Alibaba Cloud): it is judged as a basic one.
    GroupTypeUnknown,
}

/// Every reason, in their order.
pub const REASONS: [Reason; 20] = [
    Reason::InterfaceSilent,
    Reason::UnresolvedPeer,
    Reason::PeerUnproven,
    Reason::NotLoggable,
    Reason::YoungRule,
    Reason::CoveredTooLittle,
    Reason::UnknownProtocol,
    Reason::PortsNotLogged,
    Reason::Skipdata,
    Reason::InterfacePartlySilent,
    Reason::Gap,
    Reason::WindowShort,
    Reason::HistoryUnknown,
    Reason::ChangedInWindow,
    Reason::UnknownInterfaces,
    Reason::MalformedRows,
    Reason::CarriesUntrackedReplies,
    Reason::RareByName,
    Reason::RequiredByService,
    Reason::GroupTypeUnknown,
];

/// How much of the attached time is covered, as figures behind a reason.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CoveredTime {
    /// Share of the attached interface-hours, 0 to 1; null where nothing was attached.
    pub covered_share: Option<f64>,
    /// Interface-hours in which the rule was in force.
    pub attached_hours: u64,
    /// Of those, with ACCEPT, REJECT or NODATA.
    pub covered_hours: u64,
}

impl From<Covered> for CoveredTime {
    fn from(covered: Covered) -> Self {
        let Covered { attached, covered: hours } = covered;
        Self { covered_share: covered.share().map(fraction), attached_hours: attached, covered_hours: hours }
    }
}

/// How much of a rule's traffic flow logs leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All of it.
    All,
    /// Some of it.
    Part,
}

/// What came inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Newcomer {
    /// The rule itself.
    Rule,
    /// The first interface with its group.
    Attachment,
}

/// A reason with the figures behind it. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant has the figures of the reason of that name")]
pub enum Doubt {
    InterfaceSilent {
        /// Attached interfaces.
        interfaces: u64,
        /// Their REJECT records.
        rejected: u64,
        /// Their NODATA records.
        no_data: u64,
    },
    UnresolvedPeer {
        peer: String,
        /// States within the window that hold the rule.
        states: u64,
        /// Those that do not say who the peer is.
        unresolved_states: u64,
    },
    PeerUnproven {
        near_records: u64,
    },
    NotLoggable {
        traffic: Extent,
        why: Unlogged,
    },
    YoungRule {
        what: Newcomer,
        since: String,
        window_first_seen: String,
    },
    CoveredTooLittle(CoveredTime),
    UnknownProtocol {
        protocol: String,
    },
    PortsNotLogged {
        /// ACCEPTs without ports on attached interfaces.
        records: u64,
    },
    Skipdata {
        records: u64,
        /// Interface-hours with them.
        hours: u64,
        interfaces: u64,
    },
    InterfacePartlySilent {
        /// Attached interfaces.
        interfaces: u64,
        /// Those without any record.
        silent_interfaces: u64,
        /// Attached interface-hours without a record, before the only flow log of the interface was created.
        hours_before_flow_log: u64,
        #[serde(flatten)]
        covered: CoveredTime,
    },
    Gap {
        #[serde(flatten)]
        covered: CoveredTime,
        /// Five-minute objects that are missing where the rule's account and region lack more than one in a hundred.
        missing_objects: u64,
    },
    WindowShort {
        window_hours: u64,
        review_period_hours: u64,
    },
    HistoryUnknown {
        /// Since when rules are known; null: no state describes the account.
        rules_known_since: Option<String>,
        window_first_seen: Option<String>,
    },
    ChangedInWindow {
        /// States within the window that could hold the rule.
        states: u64,
        /// Those that do not.
        states_without_rule: u64,
    },
    UnknownInterfaces(StrayCount),
    MalformedRows {
        rows: u64,
        /// Files that could not be read, or not to the end.
        failed_files: u64,
    },
    CarriesUntrackedReplies {
        /// Key of the rule that makes connections untracked together with this one.
        with_rule: String,
    },
    RareByName {
        /// The configured word that was found.
        word: String,
        /// The description, name or tag that holds it.
        text: String,
    },
    RequiredByService {
        service: &'static str,
    },
    GroupTypeUnknown {
        group_id: String,
    },
}

impl Doubt {
    /// The reason these figures stand behind.
    pub fn reason(&self) -> Reason {
        match self {
            Self::InterfaceSilent { .. } => Reason::InterfaceSilent,
            Self::UnresolvedPeer { .. } => Reason::UnresolvedPeer,
            Self::PeerUnproven { .. } => Reason::PeerUnproven,
            Self::NotLoggable { .. } => Reason::NotLoggable,
            Self::YoungRule { .. } => Reason::YoungRule,
            Self::CoveredTooLittle(_) => Reason::CoveredTooLittle,
            Self::UnknownProtocol { .. } => Reason::UnknownProtocol,
            Self::PortsNotLogged { .. } => Reason::PortsNotLogged,
            Self::Skipdata { .. } => Reason::Skipdata,
            Self::InterfacePartlySilent { .. } => Reason::InterfacePartlySilent,
            Self::Gap { .. } => Reason::Gap,
            Self::WindowShort { .. } => Reason::WindowShort,
            Self::HistoryUnknown { .. } => Reason::HistoryUnknown,
            Self::ChangedInWindow { .. } => Reason::ChangedInWindow,
            Self::UnknownInterfaces(_) => Reason::UnknownInterfaces,
            Self::MalformedRows { .. } => Reason::MalformedRows,
            Self::CarriesUntrackedReplies { .. } => Reason::CarriesUntrackedReplies,
            Self::RareByName { .. } => Reason::RareByName,
            Self::RequiredByService { .. } => Reason::RequiredByService,
            Self::GroupTypeUnknown { .. } => Reason::GroupTypeUnknown,
        }
    }
}
