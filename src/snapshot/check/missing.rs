//! What the newest state lacks, what that means, and how to get it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::History;
use super::Missing;
use crate::rules::change::Watched;
use crate::rules::ranked::Pages;
use crate::rules::state::{Cloud, Group, Interface, State};
use crate::rules::timeline::{Look, QUIET, Timeline};
use crate::rules::{Peer, Rule};
use crate::time;

/// Ids shown of those that are missing.
const SHOWN: usize = 5;

pub(super) fn missing(history: &History, state: &State) -> Vec<Missing> {
    let mut notes = Notes { missing: Vec::new(), clouds: Clouds::of(history, state) };
    notes.groups_and_interfaces(state);
    notes.peers(&history.timeline, state);
    notes.networks(&history.timeline, state);
    let untold = untold(&history.timeline, &history.loaded.trail.watched);
    notes.add(
        &untold.iter().map(String::as_str).collect(),
        "times between a trail and a snapshot: what changed then is taken to have changed at the snapshot, or not at all",
        "the CloudTrail files of that time",
    );
    notes.missing
}

/// Where what is known lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clouds {
    Aws,
    Alibaba,
    /// In both, or nothing is known.
    Either,
}

impl Clouds {
    fn of(history: &History, state: &State) -> Self {
        let interfaces = || state.interfaces.values().map(|it| it.cloud);
        let groups =
            || state.groups.values().map(|it| if it.ecs.is_some() { Cloud::Alibaba } else { Cloud::Aws });
        let has = |cloud: Cloud| interfaces().chain(groups()).any(|of| of == cloud);
        // Trails are of AWS.
        let trail = !history.loaded.trail.watched.is_empty();
        match (trail || has(Cloud::Aws), has(Cloud::Alibaba)) {
            (true, false) => Self::Aws,
            (false, true) => Self::Alibaba,
            _ => Self::Either,
        }
    }

    /// The call that tells it, of either cloud.
    fn call(self, aws: &str, alibaba: &str) -> String {
        match self {
            Self::Aws => aws.to_owned(),
            Self::Alibaba => alibaba.to_owned(),
            Self::Either => format!("{aws}; or {alibaba}"),
        }
    }
}

struct Notes {
    missing: Vec<Missing>,
    clouds: Clouds,
}

/// The thing itself, where there is none of a kind.
fn absent(empty: bool, what: &str) -> BTreeSet<&str> {
    if empty { BTreeSet::from([what]) } else { BTreeSet::new() }
}

impl Notes {
    fn add(&mut self, ids: &BTreeSet<&str>, what: &str, remedy: &str) {
        if !ids.is_empty() {
            self.missing.push(Missing {
                what: what.to_owned(),
                count: ids.len(),
                ids: ids.iter().take(SHOWN).map(|id| (*id).to_owned()).collect(),
                remedy: remedy.to_owned(),
            });
        }
    }

    fn groups_and_interfaces(&mut self, state: &State) {
        let call = self.clouds.call(
            "aws ec2 describe-security-groups",
            "aliyun ecs DescribeSecurityGroups and DescribeSecurityGroupAttribute",
        );
        self.add(
            &absent(state.groups.is_empty(), "security groups"),
            "no security groups: nothing can be said of rules",
            &call,
        );
        let call = self.clouds.call(
            "aws ec2 describe-network-interfaces --include-managed-resources",
            "aliyun ecs DescribeNetworkInterfaces",
        );
        self.add(
            &absent(state.interfaces.is_empty(), "network interfaces"),
            "no network interfaces: no record can be joined to a rule",
            &call,
        );
        let call = self.clouds.call(
            "aws ec2 describe-security-groups, in every account and region of the interfaces",
            "aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId ID > ID.json, for each",
        );
        self.add(
            &carried(state).filter(|id| !state.groups.contains_key(*id)).collect(),
            "groups on interfaces, of which the rules are not known: their traffic is not explained",
            &call,
        );
        let untyped = |group: &Group| group.ecs.is_some_and(|ecs| ecs.kind.is_none());
        let untyped = state.groups.iter().filter(|(_, group)| untyped(group));
        self.add(
            &untyped.map(|(id, _)| id.as_str()).collect(),
            "groups of a type that is not told: judged as basic",
            "aliyun ecs DescribeSecurityGroups --RegionId REGION > groups.json",
        );
        let cut = |group: &Group| group.ecs.is_some_and(|ecs| ecs.pages == Pages::More);
        let cut = state.groups.iter().filter(|(_, group)| cut(group));
        self.add(
            &cut.map(|(id, _)| id.as_str()).collect(),
            "groups without their last page: some of their rules are not known",
            "aliyun ecs DescribeSecurityGroupAttribute with the NextToken of the page before, until it is empty",
        );
    }

    /// Groups and lists that rules name.
    fn peers(&mut self, timeline: &Timeline, state: &State) {
        let rules = || {
            let indices = state.groups.values().flat_map(|group| &group.rules);
            indices.map(|index| &timeline.rules[index.index()])
        };
        let carried: BTreeSet<&str> = carried(state).collect();
        let groups = rules().filter_map(|rule| match &rule.peer {
            Peer::Group(id) => Some(id.as_str()),
            _ => None,
        });
        self.add(
            &groups.filter(|id| !state.groups.contains_key(*id) && !carried.contains(id)).collect(),
            "groups that rules refer to and nothing describes: their members are not known",
            "the snapshot of the account that owns them, or remove the stale reference",
        );
        let lists = rules().filter_map(|rule| match &rule.peer {
            Peer::PrefixList(id) => Some(id.as_str()),
            _ => None,
        });
        let call = self.clouds.call(
            "aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json",
            "aliyun ecs DescribePrefixListAttributes --PrefixListId ID > ID.json",
        );
        self.add(
            &lists.filter(|id| !state.prefix_lists.contains_key(*id)).collect(),
            "prefix lists that rules name, of which the entries are not known",
            &call,
        );
        let lists = rules().filter_map(Rule::port_list).filter(|list| list.ranges.is_none());
        self.add(
            &lists.map(|list| list.id.as_str()).collect(),
            "lists of ports that rules name, of which the entries are not known",
            "aliyun ecs DescribePortRangeListEntries --PortRangeListId ID > ID.json",
        );
    }

    /// No network ACLs and flow logs of Alibaba Cloud are read.
    fn networks(&mut self, timeline: &Timeline, state: &State) {
        let of_aws = |it: &&Arc<Interface>| !it.subnet_id.is_empty() && it.cloud == Cloud::Aws;
        let subnets: BTreeSet<&str> =
            state.interfaces.values().filter(of_aws).map(|it| it.subnet_id.as_str()).collect();
        self.add(
            &subnets.iter().copied().filter(|id| !state.subnets.contains_key(*id)).collect(),
            "subnets of interfaces, of which the ranges are not known: a network ACL then applies to every peer",
            "aws ec2 describe-subnets",
        );
        self.add(
            &subnets.into_iter().filter(|id| !state.acls.contains_key(*id)).collect(),
            "subnets without a network ACL: what one refused cannot be told from other causes",
            "aws ec2 describe-network-acls",
        );
        self.add(
            &absent(timeline.flow_logs.is_empty() && self.clouds != Clouds::Alibaba, "flow logs"),
            "no flow logs: whether an interface without records is logged at all is not known",
            "aws ec2 describe-flow-logs",
        );
    }
}

/// Groups that interfaces carry.
fn carried(state: &State) -> impl Iterator<Item = &str> {
    state.interfaces.values().flat_map(|it| it.group_ids.iter().map(String::as_str))
}

/// Times longer than a quiet day between the end of a trail and the next snapshot, and between a snapshot and the trail
/// that begins after it.
fn untold(timeline: &Timeline, watched: &Watched) -> BTreeSet<String> {
    let mut untold = BTreeSet::new();
    for ((account, region), (first, last)) in watched {
        let is_here = |look: &&Look| look.is_of(account, region);
        let mut before = None;
        let mut after = None;
        for at in timeline.looks.iter().filter(is_here).filter_map(|look| look.at) {
            before = if at < *first { Some(at) } else { before };
            after = after.or((at > *last).then_some(at));
        }
        let gaps = [before.map(|at| (at, *first)), after.map(|at| (*last, at))];
        for (from, to) in gaps.into_iter().flatten().filter(|(from, to)| to - from > QUIET) {
            let (from, to) = (time::format(from), time::format(to));
            untold.insert(format!("{account} {region} {from} to {to}"));
        }
    }
    untold
}
