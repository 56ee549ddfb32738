//! The default groups of VPCs: they cannot be deleted, and whatever is launched without a group of its own carries them.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>.

use serde_json::{Map, json};

use super::attachment::Attachments;
use super::described::{Described, Snapshots};
use super::{Finding, FindingKind, MOST_NAMED, Severity, counted};
use crate::rules::state::Group;
use crate::rules::timeline::Timeline;

/// Whether a group is the default one of its VPC: nobody else may use the name.
pub fn is_default(group: &Group) -> bool {
    group.name == "default"
}

/// One finding per default group of the newest state that is in use or has rules.
pub fn default_groups(
    timeline: &Timeline,
    attachments: &Attachments<'_>,
    described: Described<'_>,
) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let last = timeline.states.len() - 1;
    let groups = newest.groups.iter().filter(|(_, group)| is_default(group));
    let findings = groups.filter_map(|(id, group)| {
        let interfaces: Vec<&str> =
            attachments.interfaces_at(id, last).map(|interface| interface.id.as_str()).collect();
        if !interfaces.is_empty() {
            return Some(in_use(timeline, id, group, &interfaces));
        }
        let snapshots = described.snapshots(id, group)?;
        (!group.rules.is_empty()).then(|| with_rules(timeline, (id, group), snapshots, attachments))
    });
    findings.collect()
}

fn evidence(timeline: &Timeline, group: &Group) -> Map<String, serde_json::Value> {
    let rules = group.rules.iter().filter_map(|rule| timeline.rules.get(rule.index()));
    let keys: Vec<String> = rules.map(crate::rules::Rule::key).collect();
    let mut evidence = Map::new();
    evidence.insert("default_group".into(), json!(true));
    evidence.insert("vpc_id".into(), json!(group.vpc_id));
    evidence.insert("rules".into(), json!(keys));
    evidence
}

fn of_vpc(group: &Group) -> String {
    if group.vpc_id.is_empty() { String::new() } else { format!(" of {}", group.vpc_id) }
}

fn in_use(timeline: &Timeline, id: &str, group: &Group, interfaces: &[&str]) -> Finding {
    let mut evidence = evidence(timeline, group);
    evidence.insert("interfaces".into(), json!(interfaces.len()));
    evidence.insert("first_interfaces".into(), json!(&interfaces[..interfaces.len().min(MOST_NAMED)]));
    let (carried, rules) = (counted(interfaces.len(), "interface"), counted(group.rules.len(), "rule"));
    Finding {
        id: format!("{}/{id}:default_group", FindingKind::OverBroad.as_str()),
        kind: FindingKind::OverBroad,
        severity: Severity::Low,
        title: format!("default group{} in use on {carried}, {rules}", of_vpc(group)),
        group_id: Some(id.to_owned()),
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: "Whatever is launched without a group of its own shares these rules. Give the interfaces groups \
                         of their own, then revoke the rules of the default group; the group itself cannot be deleted \
                         and stays."
            .to_owned(),
        suppressed: None,
    }
}

fn with_rules(
    timeline: &Timeline,
    (id, group): (&str, &Group),
    snapshots: Snapshots,
    attachments: &Attachments<'_>,
) -> Finding {
    let mut evidence = evidence(timeline, group);
    let earlier = attachments.interfaces(id);
    evidence.insert("earlier_interfaces".into(), json!(earlier.len()));
    snapshots.record(&mut evidence);
    let (when, advice) = if earlier.is_empty() {
        (
            snapshots.to_string(),
            "The default group of a VPC cannot be deleted. Revoke its rules, so that nothing launched without a group of \
             its own is open.",
        )
    } else {
        (
            "in the newest snapshot".to_owned(),
            "Interfaces carried it in an earlier snapshot, so see first that they do not come back without a group of \
             their own; then revoke its rules. The default group of a VPC cannot be deleted.",
        )
    };
    Finding {
        id: format!("{}/{id}", FindingKind::UnattachedGroup.as_str()),
        kind: FindingKind::UnattachedGroup,
        severity: Severity::Info,
        title: format!(
            "default group{} not attached {when} has {}",
            of_vpc(group),
            counted(group.rules.len(), "rule")
        ),
        group_id: Some(id.to_owned()),
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: advice.to_owned(),
        suppressed: None,
    }
}
