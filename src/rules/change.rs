//! What became different, and when: what AWS Config and `CloudTrail` tell between snapshots.
//!
//! Two kinds of statement: what a resource *is* from a time on (AWS Config; what a call created), and what was done to it
//! (`CloudTrail`), which tells something only where it is known what it was done to.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::aws::{GroupDocument, RuleDocument};
use super::state::{Interface, NetworkAcl, Subnet};
use crate::flow::Seconds;

/// One change. The order is that in which changes take effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Seconds,
    /// What is different from then on.
    pub what: What,
    /// Account, empty where unknown.
    pub owner_id: String,
    /// Region, empty where unknown.
    pub region: String,
    /// What the source calls it: `eventID`; resource id and `configurationStateId`, which counts within a resource only;
    /// empty where it has no name. The same change in two files is one.
    pub id: String,
}

/// What is different. Changes of one second take effect in this order: what is created is there for the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A resource is this from now on, in full.
    Is(Life, Box<Resource>),
    /// Rules were revoked.
    RulesRevoked {
        /// The group that held them.
        group_id: String,
        /// Those whose content is told. They may have a `rule_id` too.
        rules: Vec<RuleDocument>,
        /// `sgr-…` of those of which only the id is told.
        rule_ids: Vec<String>,
    },
    /// Rules were authorized.
    RulesAuthorized {
        /// The group that holds them now.
        group_id: String,
        /// The rules, with their ids where told.
        rules: Vec<RuleDocument>,
    },
    /// The rule of this id has this content now. What it was before only other documents tell.
    RuleModified {
        /// `sgr-…`.
        rule_id: String,
        /// What it is now.
        rule: Box<RuleDocument>,
    },
    /// The interface is in these groups now.
    InterfaceGroups {
        /// `eni-…`.
        interface_id: String,
        /// All its groups.
        group_ids: Vec<String>,
    },
    /// The interfaces of the instance (`ModifyInstanceAttribute` works on its first one) are in these groups now.
    InstanceGroups {
        /// `i-…`.
        instance_id: String,
        /// All its groups.
        group_ids: Vec<String>,
    },
    /// Private addresses or prefixes were assigned to or taken from an interface.
    InterfaceAddresses {
        /// `eni-…`.
        interface_id: String,
        /// New ones.
        added: Vec<IpNet>,
        /// Gone ones.
        removed: Vec<IpNet>,
    },
    /// Entries of a prefix list were added or removed.
    PrefixListEntries {
        /// `pl-…`.
        prefix_list_id: String,
        /// New ones.
        added: Vec<IpNet>,
        /// Gone ones.
        removed: Vec<IpNet>,
    },
    /// A resource was deleted.
    Gone(ResourceKind, String),
}

/// Whether a resource was there before it was told what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It was created then.
    Begins,
    /// It may have been there before.
    GoesOn,
}

/// A resource in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A security group and all its rules.
    Group(GroupDocument, Vec<RuleDocument>),
    /// A network interface.
    Interface(Interface),
    /// A network ACL.
    Acl(NetworkAcl),
    /// A subnet.
    Subnet(Subnet),
    /// A prefix list and all its entries.
    PrefixList(String, Vec<IpNet>),
}

/// What kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A security group.
    Group,
    /// A network interface.
    Interface,
    /// A network ACL.
    Acl,
    /// A subnet.
    Subnet,
    /// A prefix list.
    PrefixList,
}

/// What a document of one source was made into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Changes, in the order met.
    pub changes: Vec<Change>,
    /// Entries that were read and tell of no change: other events, other resource types, failed calls.
    pub others: u64,
    /// The times of the first and last entry of any sort: the document knows of every change between them.
    pub span: Option<(Seconds, Seconds)>,
    /// Entries that should tell of a change and could not be read: what was expected and found. At most [`MOST_ODD`] are kept.
    pub odd: Vec<String>,
    /// How many there were.
    pub odd_count: u64,
}

/// As many odd entries are shown; all are counted.
pub const MOST_ODD: usize = 20;

impl Told {
    /// Notes that an entry of this time was read.
    pub fn note(&mut self, at: Seconds) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Notes an entry that should tell of a change and could not be read.
    pub fn odd(&mut self, message: String) {
        self.odd_count += 1;
        if self.odd.len() < MOST_ODD {
            self.odd.push(message);
        }
    }
}
