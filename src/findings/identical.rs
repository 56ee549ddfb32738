//! Groups of one VPC that say the same: what one of them lets through, each does.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::references::References;
use super::{Finding, FindingKind, Severity, default_group, managed};
use crate::flow::Direction;
use crate::rules::ranked::{EcsGroup, Pages, Ranked};
use crate::rules::state::Group;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleProtocol};

/// The far side of a rule, where the group itself is the same as any other group's self.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side<'a> {
    Itself,
    Other(&'a Peer),
}

/// A rule without the group that holds it.
type Content<'a> = (Direction, &'a RuleProtocol, Option<u16>, Option<u16>, Side<'a>, Option<&'a Ranked>);

/// What groups must have alike besides their rules: VPC, account, and what they do by themselves.
type Kind<'a> = (&'a str, &'a str, Option<EcsGroup>);

fn content(rule: &Rule) -> Content<'_> {
    let side = match &rule.peer {
        Peer::Group(peer) if *peer == rule.group_id => Side::Itself,
        peer => Side::Other(peer),
    };
    (rule.direction, &rule.protocol, rule.from_port, rule.to_port, side, rule.ranked.as_deref())
}

/// One finding per set of groups of the newest state that have the same rules, in the same VPC. Groups without rules,
/// default groups and groups that a service made are left out.
pub fn identical(timeline: &Timeline, references: &References<'_>) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let mut sets: BTreeMap<(Kind<'_>, Vec<Content<'_>>), Vec<&str>> = BTreeMap::new();
    for (id, group) in newest.groups.iter().filter(|(_, group)| is_comparable(group)) {
        let rules = || group.rules.iter().filter_map(|rule| timeline.rules.get(rule.index()));
        // What nobody knows the ports of is not the same as another such.
        if rules().any(|rule| rule.port_list().is_some_and(|list| list.ranges.is_none())) {
            continue;
        }
        let mut contents: Vec<_> = rules().map(content).collect();
        contents.sort_unstable();
        let kind = (group.vpc_id.as_str(), group.owner_id.as_str(), group.ecs);
        sets.entry((kind, contents)).or_default().push(id);
    }
    let sets = sets.into_iter().filter(|(_, groups)| groups.len() > 1);
    let findings = sets.filter_map(|(((vpc, ..), contents), groups)| {
        let first = *groups.first()?;
        Some(finding(vpc, &groups, first, contents.len(), references))
    });
    findings.collect()
}

fn is_comparable(group: &Group) -> bool {
    let own = !default_group::is_default(group) && managed::made_by_service(group).is_none();
    let whole = group.ecs.is_none_or(|ecs| ecs.pages == Pages::All);
    own && whole && !group.rules.is_empty() && !group.vpc_id.is_empty()
}

fn finding(vpc: &str, groups: &[&str], first: &str, rules: usize, references: &References<'_>) -> Finding {
    let mut evidence = Map::new();
    evidence.insert("identical_groups".into(), json!(groups));
    evidence.insert("vpc_id".into(), json!(vpc));
    evidence.insert("rules".into(), json!(rules));
    let referring = references.record(groups, &mut evidence);
    let recommendation = if referring == 0 {
        "One group can take the place of all, if nobody means to change them apart. First see whether templates, \
         functions or other accounts name the others."
    } else {
        "One group can take the place of all only where nobody tells them apart, and rules that refer to them do (see \
         referring_rules): merging would let the members of each in where one was let in."
    };
    Finding {
        id: format!("{}/identical_groups:{vpc}:{first}", FindingKind::RedundantRule.as_str()),
        kind: FindingKind::RedundantRule,
        severity: Severity::Info,
        title: format!("{} groups of {vpc} have the same rules: {}", groups.len(), named(groups)),
        group_id: None,
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: recommendation.to_owned(),
        suppressed: None,
    }
}

/// For a title: not more than fit one line.
fn named(groups: &[&str]) -> String {
    let shown: Vec<&str> = groups.iter().take(3).copied().collect();
    match groups.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
