//! What the documents of one snapshot hold, in our nouns, and how documents add up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::list::List;
use crate::rules::Rule;
use crate::rules::alibaba::GroupListing;
use crate::rules::alibaba::settle::join_pages;
use crate::rules::ranked::EcsGroup;
use crate::rules::state::{Cloud, FlowLog, Interface, NetworkAcl, Subnet};

/// Everything one snapshot's documents say, in the order met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// describe-security-groups.
    pub groups: Option<List<GroupDocument>>,
    /// Rules of either document, with their labels.
    pub rules: List<RuleDocument>,
    /// Whether describe-security-group-rules was given.
    pub rules_described: bool,
    /// describe-network-interfaces.
    pub interfaces: Option<List<Interface>>,
    /// Prefix lists whose entries are known: (list id, entries).
    pub prefix_lists: Vec<(String, Vec<IpNet>)>,
    /// describe-network-acls.
    pub acls: Option<List<NetworkAcl>>,
    /// describe-subnets.
    pub subnets: Option<List<Subnet>>,
    /// describe-flow-logs.
    pub flow_logs: Vec<FlowLog>,
    /// describe-vpcs: (VPC id, ranges).
    pub vpcs: Vec<(String, Vec<IpNet>)>,
    /// Groups of Alibaba Cloud that are listed, with their types.
    pub listings: Vec<GroupListing>,
    /// Lists of port ranges whose entries are known: (list id, entries).
    pub port_lists: Vec<(String, Vec<(u16, u16)>)>,
    /// Whether what is not named is not there.
    pub extent: Extent,
}

/// What a snapshot says of what it does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    /// It is not there: a describe-* call answers with all there is of an account and region.
    #[default]
    Whole,
    /// Nothing: Terraform knows what it manages.
    Part,
}

/// One security group without its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupDocument {
    /// `GroupId`.
    pub id: String,
    /// `GroupName`.
    pub name: String,
    /// `Description`.
    pub description: String,
    /// `VpcId`.
    pub vpc_id: String,
    /// `OwnerId`.
    pub owner_id: String,
    /// Region, from `SecurityGroupArn`.
    pub region: String,
    /// `Tags`.
    pub tags: Vec<(String, String)>,
    /// What groups of Alibaba Cloud have; None: it is one of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecs: Option<EcsGroup>,
}

/// One rule with what labels it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleDocument {
    /// The content.
    pub rule: Rule,
    /// `SecurityGroupRuleId`, where known.
    pub rule_id: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `Tags`.
    pub tags: Vec<(String, String)>,
    /// `GroupOwnerId` or the group's `OwnerId`.
    pub owner_id: String,
    /// Region, from an ARN.
    pub region: String,
    /// VPC of the group, where known.
    pub vpc_id: String,
    /// `PeeringStatus` of a reference to a group of a peered VPC: a label, for it changes while the rule stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering_status: Option<String>,
    /// The account of the group that is referred to, where it is another one (`UserId`, `SourceGroupOwnerAccount`): a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_owner: Option<String>,
}

impl GroupDocument {
    /// Whose group it is.
    pub fn cloud(&self) -> Cloud {
        if self.ecs.is_some() { Cloud::Alibaba } else { Cloud::Aws }
    }
}

impl RuleDocument {
    /// A rule of which nothing else is known than its id.
    pub(in crate::rules) fn labelled(rule: Rule, rule_id: String) -> Self {
        Self { rule_id: Some(rule_id), ..Self::unlabelled(rule) }
    }

    /// A rule of which nothing else is known.
    pub(in crate::rules) fn unlabelled(rule: Rule) -> Self {
        Self {
            rule,
            rule_id: None,
            description: None,
            tags: Vec::new(),
            owner_id: String::new(),
            region: String::new(),
            vpc_id: String::new(),
            peering_status: None,
            peer_owner: None,
        }
    }
}

impl Objects {
    /// Whether nothing is said, not even that there is nothing.
    pub fn is_empty(&self) -> bool {
        self.groups.is_none()
            && self.rules.is_empty()
            && !self.rules_described
            && self.interfaces.is_none()
            && self.prefix_lists.is_empty()
            && self.acls.is_none()
            && self.subnets.is_none()
            && self.flow_logs.is_empty()
            && self.vpcs.is_empty()
            && self.listings.is_empty()
            && self.port_lists.is_empty()
            && self.extent == Extent::Whole
    }

    /// Takes in what other documents of the same time say.
    pub fn add_up(&mut self, other: Self) {
        fn extend<T: Clone>(into: &mut Option<List<T>>, from: Option<List<T>>) {
            if let Some(from) = from {
                into.get_or_insert_default().add_up(from);
            }
        }
        if self.is_empty() {
            *self = other;
            return;
        }
        if other.extent == Extent::Whole && !other.is_empty() {
            self.extent = Extent::Whole;
        }
        extend(&mut self.groups, other.groups);
        extend(&mut self.interfaces, other.interfaces);
        extend(&mut self.acls, other.acls);
        extend(&mut self.subnets, other.subnets);
        self.rules.add_up(other.rules);
        self.rules_described |= other.rules_described;
        self.prefix_lists.extend(other.prefix_lists);
        self.flow_logs.extend(other.flow_logs);
        self.vpcs.extend(other.vpcs);
        self.listings.extend(other.listings);
        self.port_lists.extend(other.port_lists);
    }

    /// How many groups, rules and interfaces there are.
    pub(in crate::rules) fn listed(&self) -> usize {
        let groups = self.groups.as_ref().map_or(0, |groups| groups.len());
        groups + self.rules.len() + self.interfaces.as_ref().map_or(0, |interfaces| interfaces.len())
    }

    /// Groups, rules and interfaces that others say too are there once from now on, as far as they stand in one order.
    pub(in crate::rules) fn share(&mut self, others: &Self) {
        if let (Some(groups), Some(others)) = (&mut self.groups, &others.groups) {
            groups.share(others);
        }
        if let (Some(interfaces), Some(others)) = (&mut self.interfaces, &others.interfaces) {
            interfaces.share(others);
        }
        self.rules.share(&others.rules);
    }

    /// Sorted groups, rules and interfaces, each said once, without what some objects say, and with what others say. None: some of it is said
    /// twice, so that all must be added up.
    pub(in crate::rules) fn exchanged(&self, gone: &[&Self], new: &[&Self]) -> Option<Self> {
        type Picked<'a, T> = fn(&'a Objects) -> Option<&'a List<T>>;
        fn pick<'a, T>(from: &[&'a Objects], list: Picked<'a, T>) -> Vec<Arc<T>> {
            from.iter().filter_map(|objects| list(objects)).flatten().map(Arc::clone).collect()
        }
        let mut objects = self.clone();
        if let Some(groups) = &mut objects.groups {
            let of: Picked<'_, _> = |objects| objects.groups.as_ref();
            *groups = groups.exchanged(&pick(gone, of), &pick(new, of))?;
        }
        if let Some(interfaces) = &mut objects.interfaces {
            let of: Picked<'_, _> = |objects| objects.interfaces.as_ref();
            *interfaces = interfaces.exchanged(&pick(gone, of), &pick(new, of))?;
        }
        let of: Picked<'_, _> = |objects| Some(&objects.rules);
        objects.rules = objects.rules.exchanged(&pick(gone, of), &pick(new, of))?;
        Some(objects)
    }

    /// Puts everything in an order of its own, once each. Pages of one list add up.
    pub fn sort(&mut self) {
        fn tidy<T: Ord>(objects: &mut Vec<T>) {
            objects.sort();
            objects.dedup();
        }
        tidy(&mut self.listings);
        tidy(&mut self.port_lists);
        self.groups.iter_mut().filter(|groups| !groups.is_known_tidy()).for_each(join_pages);
        self.groups.iter_mut().for_each(List::tidy);
        self.interfaces.iter_mut().for_each(List::tidy);
        self.acls.iter_mut().for_each(List::tidy);
        self.subnets.iter_mut().for_each(List::tidy);
        self.rules.tidy();
        tidy(&mut self.flow_logs);
        for lists in [&mut self.prefix_lists, &mut self.vpcs] {
            let mut sums: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
            for (id, nets) in lists.drain(..) {
                sums.entry(id).or_default().extend(nets);
            }
            lists.extend(sums.into_iter().map(|(id, nets)| (id, nets.into_iter().collect())));
        }
    }

    /// Whether [`Objects::sort`] would change nothing.
    pub fn is_sorted(&self) -> bool {
        fn tidy<T: Ord>(objects: &[T]) -> bool {
            objects.is_sorted_by(|a, b| a < b)
        }
        let lists = [&self.prefix_lists, &self.vpcs];
        self.groups.iter().all(List::is_tidy)
            && self.interfaces.iter().all(List::is_tidy)
            && self.acls.iter().all(List::is_tidy)
            && self.subnets.iter().all(List::is_tidy)
            && self.rules.is_tidy()
            && tidy(&self.flow_logs)
            && tidy(&self.listings)
            && tidy(&self.port_lists)
            && lists
                .iter()
                .all(|lists| lists.is_sorted_by(|a, b| a.0 < b.0) && lists.iter().all(|(_, nets)| tidy(nets)))
    }
}
