//! What became different, and when: what AWS Config and `CloudTrail` tell between snapshots.
//!
//! Two kinds of statement: what a resource *is* from a time on (AWS Config; what a call created), and what was done to it
//! (`CloudTrail`), which tells something only where it is known what it was done to.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::aws::{GroupDocument, RuleDocument};
use super::state::{Interface, NetworkAcl, Subnet};
use super::{Peer, Rule, RuleProtocol};
use crate::flow::{Direction, Seconds};

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
    RuleModified(Box<ModifiedRule>),
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
    /// Entries of a network ACL were changed: what it was before is no longer in force, what it is now is not told.
    AclChanged(String),
    /// A resource was deleted.
    Gone(ResourceKind, String),
}

/// What a rule was made to be. Its direction is not told, and stays what it was: `ModifySecurityGroupRules` "cannot
/// change the rule type", so whoever knows the rule by its id knows the direction.
///
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html>.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModifiedRule {
    /// `sgr-…`.
    pub rule_id: String,
    /// The group that holds it.
    pub group_id: String,
    /// The protocol it allows.
    pub protocol: RuleProtocol,
    /// As in [`Rule`].
    pub from_port: Option<u16>,
    /// As in [`Rule`].
    pub to_port: Option<u16>,
    /// The far side.
    pub peer: Peer,
    /// The description it was given, if it was given one.
    pub description: Option<String>,
}

impl ModifiedRule {
    /// The content in full.
    pub fn directed(&self, direction: Direction) -> Rule {
        Rule {
            group_id: self.group_id.clone(),
            direction,
            protocol: self.protocol.clone(),
            from_port: self.from_port,
            to_port: self.to_port,
            peer: self.peer.clone(),
            ranked: None,
        }
    }
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

/// Every change that documents tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// Each once, in the order in which they take effect.
    pub changes: BTreeSet<Change>,
    /// From when to when every change is told.
    pub watched: Watched,
}

/// By account and region: the times of the first and last entry of the trails read. Between them every change is told.
pub type Watched = BTreeMap<(String, String), (Seconds, Seconds)>;

/// Takes in another time or range of an account and region.
pub fn watch(watched: &mut Watched, place: (String, String), (first, last): (Seconds, Seconds)) {
    let range = watched.entry(place).or_insert((first, last));
    *range = (range.0.min(first), range.1.max(last));
}

impl Trail {
    /// Takes in what other documents tell.
    pub fn add_up(&mut self, other: Self) {
        self.changes.extend(other.changes);
        for (place, range) in other.watched {
            watch(&mut self.watched, place, range);
        }
    }
}

/// Changes that could not be applied, by what they lack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unapplied {
    /// They were made to a resource that nobody describes.
    pub unknown_resource: u64,
    /// They name a rule by an id that nobody explains.
    pub unknown_rule: u64,
}

/// What a document of one source was made into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Changes, in the order met.
    pub changes: Vec<Change>,
    /// What is there, where the document does not say since when.
    pub undated: Vec<Resource>,
    /// Entries that were read and tell of no change: other events, other resource types, failed calls.
    pub others: u64,
    /// How many entries are odd: they should have told of a change, and could not be understood.
    pub odd: u64,
    /// What is odd about the first of them, in the order met: `ID: EVENT: expected …, found …`.
    pub oddities: Vec<String>,
    /// The times of the first and last entry of any sort, by account and region.
    pub watched: Watched,
}

impl Told {
    /// More oddities than this only repeat each other.
    pub const MOST_ODDITIES: usize = 20;
    /// Characters kept of one: what was found may be of any length.
    const LONGEST_ODDITY: usize = 300;

    /// Counts an entry that should have told of a change and could not be understood.
    pub fn note_odd(&mut self, oddity: &str) {
        self.odd += 1;
        if self.oddities.len() < Self::MOST_ODDITIES {
            self.oddities.push(oddity.chars().take(Self::LONGEST_ODDITY).collect());
        }
    }

    /// Notes that an entry of this time, account and region was read.
    pub fn note(&mut self, at: Seconds, owner_id: &str, region: &str) {
        watch(&mut self.watched, (owner_id.to_owned(), region.to_owned()), (at, at));
    }
}

impl Resource {
    /// What it is and what it is called.
    pub fn id(&self) -> (ResourceKind, &str) {
        match self {
            Self::Group(group, _) => (ResourceKind::Group, &group.id),
            Self::Interface(interface) => (ResourceKind::Interface, &interface.id),
            Self::Acl(acl) => (ResourceKind::Acl, &acl.id),
            Self::Subnet(subnet) => (ResourceKind::Subnet, &subnet.id),
            Self::PrefixList(id, _) => (ResourceKind::PrefixList, id),
        }
    }
}

impl Change {
    /// What kind of resource it was made to.
    pub fn kind(&self) -> ResourceKind {
        match &self.what {
            What::Is(_, resource) => resource.id().0,
            What::Gone(kind, _) => *kind,
            What::AclChanged(_) => ResourceKind::Acl,
            What::RulesAuthorized { .. } | What::RulesRevoked { .. } | What::RuleModified(_) => {
                ResourceKind::Group
            }
            What::InterfaceGroups { .. } | What::InstanceGroups { .. } | What::InterfaceAddresses { .. } => {
                ResourceKind::Interface
            }
            What::PrefixListEntries { .. } => ResourceKind::PrefixList,
        }
    }

    /// Every address range in it.
    pub fn nets(&self) -> impl Iterator<Item = IpNet> {
        fn peer(document: &RuleDocument) -> Option<IpNet> {
            match &document.rule.peer {
                Peer::Cidr(net) => Some(*net),
                _ => None,
            }
        }
        let nets: Vec<IpNet> = match &self.what {
            What::Is(_, resource) => match &**resource {
                Resource::Group(_, rules) => rules.iter().filter_map(peer).collect(),
                Resource::Interface(interface) => interface.prefixes.clone(),
                Resource::Acl(acl) => acl.entries.iter().map(|entry| entry.net).collect(),
                Resource::Subnet(subnet) => subnet.ranges.clone(),
                Resource::PrefixList(_, nets) => nets.clone(),
            },
            What::RulesRevoked { rules, .. } | What::RulesAuthorized { rules, .. } => {
                rules.iter().filter_map(peer).collect()
            }
            What::RuleModified(rule) => match &rule.peer {
                Peer::Cidr(net) => vec![*net],
                _ => Vec::new(),
            },
            What::InterfaceAddresses { added, removed, .. }
            | What::PrefixListEntries { added, removed, .. } => [added.as_slice(), removed].concat(),
            What::InterfaceGroups { .. }
            | What::InstanceGroups { .. }
            | What::AclChanged(_)
            | What::Gone(..) => Vec::new(),
        };
        nets.into_iter()
    }
}
