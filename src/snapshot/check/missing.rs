//! What the newest state lacks, what that means, and how to get it.

use std::collections::BTreeSet;

use super::super::History;
use super::Missing;
use crate::rules::Peer;
use crate::rules::change::Watched;
use crate::rules::state::{Cloud, Interface, State};
use crate::rules::timeline::{Look, QUIET, Timeline};
use crate::time;

/// Ids shown of those that are missing.
const SHOWN: usize = 5;

pub(super) fn missing(history: &History, state: &State) -> Vec<Missing> {
    let timeline = &history.timeline;
    let mut missing = Vec::new();
    let mut note = |ids: BTreeSet<&str>, what: &str, remedy: &str| {
        if !ids.is_empty() {
            missing.push(Missing {
                what: what.to_owned(),
                count: ids.len(),
                ids: ids.iter().take(SHOWN).map(|id| (*id).to_owned()).collect(),
                remedy: remedy.to_owned(),
            });
        }
    };
    let in_ecs = |it: &Interface| it.cloud == Cloud::Alibaba;
    let has_ecs = state.interfaces.values().any(|it| in_ecs(it));
    let all_ecs = has_ecs && state.interfaces.values().all(|it| in_ecs(it));
    let absent = |empty: bool, what| if empty { BTreeSet::from([what]) } else { BTreeSet::new() };
    note(
        absent(state.groups.is_empty(), "security groups"),
        "no security groups: nothing can be said of rules",
        "aws ec2 describe-security-groups",
    );
    note(
        absent(state.interfaces.is_empty(), "network interfaces"),
        "no network interfaces: no record can be joined to a rule",
        "aws ec2 describe-network-interfaces --include-managed-resources",
    );
    let interfaces = || state.interfaces.values();
    note(
        interfaces()
            .flat_map(|it| it.group_ids.iter().map(String::as_str))
            .filter(|id| !state.groups.contains_key(*id))
            .collect(),
        "groups on interfaces, of which the rules are not known: their traffic is not explained",
        if has_ecs {
            "aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId ID > ID.json, for each"
        } else {
            "aws ec2 describe-security-groups, in every account and region of the interfaces"
        },
    );
    let untyped = state.groups.iter().filter(|(_, group)| group.ecs.is_some_and(|ecs| ecs.kind.is_none()));
    note(
        untyped.map(|(id, _)| id.as_str()).collect(),
        "groups of a type that is not told: judged as basic",
        "aliyun ecs DescribeSecurityGroups --RegionId REGION > groups.json",
    );
    let rules = || state.groups.values().flat_map(|group| &group.rules);
    let peers = || rules().map(|rule| &timeline.rules[rule.index()].peer);
    let carried: BTreeSet<&str> =
        interfaces().flat_map(|it| it.group_ids.iter().map(String::as_str)).collect();
    note(
        peers()
            .filter_map(|peer| if let Peer::Group(id) = peer { Some(id.as_str()) } else { None })
            .filter(|id| !state.groups.contains_key(*id) && !carried.contains(id))
            .collect(),
        "groups that rules refer to and nothing describes: their members are not known",
        "the snapshot of the account that owns them, or remove the stale reference",
    );
    note(
        peers()
            .filter_map(|peer| if let Peer::PrefixList(id) = peer { Some(id.as_str()) } else { None })
            .filter(|id| !state.prefix_lists.contains_key(*id))
            .collect(),
        "prefix lists that rules name, of which the entries are not known",
        "aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json",
    );
    // No network ACLs and flow logs of Alibaba Cloud are read.
    let subnets = || interfaces().filter(|it| !it.subnet_id.is_empty() && !in_ecs(it));
    let subnet = |it: &'_ Interface, known: bool| (!known).then_some(it.subnet_id.clone());
    let undescribed: BTreeSet<String> =
        subnets().filter_map(|it| subnet(it, state.subnets.contains_key(&it.subnet_id))).collect();
    note(
        undescribed.iter().map(String::as_str).collect(),
        "subnets of interfaces, of which the ranges are not known: a network ACL then applies to every peer",
        "aws ec2 describe-subnets",
    );
    let unguarded: BTreeSet<String> =
        subnets().filter_map(|it| subnet(it, state.acls.contains_key(&it.subnet_id))).collect();
    note(
        unguarded.iter().map(String::as_str).collect(),
        "subnets without a network ACL: what one refused cannot be told from other causes",
        "aws ec2 describe-network-acls",
    );
    note(
        absent(timeline.flow_logs.is_empty() && !all_ecs, "flow logs"),
        "no flow logs: whether an interface without records is logged at all is not known",
        "aws ec2 describe-flow-logs",
    );
    let untold = untold(timeline, &history.loaded.trail.watched);
    note(
        untold.iter().map(String::as_str).collect(),
        "times between a trail and a snapshot: what changed then is taken to have changed at the snapshot, or not at all",
        "the CloudTrail files of that time",
    );
    missing
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
