//! References that nothing resolves: deleted groups, and what lies outside the snapshots.

use serde_json::{Map, json};

use super::{Finding, FindingKind, Severity};
use crate::rules::Peer;
use crate::rules::timeline::Timeline;

/// One finding per rule of the newest state whose peer is a group or list that the state does not know.
pub fn stale(timeline: &Timeline) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let carried =
        |group: &String| newest.interfaces.values().any(|interface| interface.group_ids.contains(group));
    let rules = newest.groups.values().flat_map(|group| &group.rules);
    let findings = rules.filter_map(|&index| {
        let rule = &timeline.rules[index.index()];
        let (what, advice) = match &rule.peer {
            Peer::Cidr(_) => return None,
            Peer::BadCidr(text) => (
                format!("\"{text}\" is no address range"),
                "The rule matches nothing. Look at the document it came from.",
            ),
            Peer::Group(group) if newest.groups.contains_key(group) || carried(group) => return None,
            Peer::Group(group) => (
                format!("group {group} is not in the snapshot"),
                "If the group was deleted, the rule does nothing: revoke it. If it is in another account, region or VPC, \
                 give a snapshot of that one too.",
            ),
            Peer::PrefixList(list) if newest.prefix_lists.contains_key(list) => return None,
            Peer::PrefixList(list) => (
                format!("the entries of prefix list {list} are not in the snapshot"),
                "Collect them: aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json",
            ),
        };
        let key = rule.key();
        let mut evidence = Map::new();
        evidence.insert("peer".into(), json!(rule.peer.to_string()));
        evidence.insert("rule_id".into(), json!(timeline.labels[index.index()].rule_id));
        Some(Finding {
            id: format!("stale_reference/{key}"),
            kind: FindingKind::StaleReference,
            severity: Severity::Low,
            title: format!("{key}: {what}"),
            group_id: Some(rule.group_id.clone()),
            rule_key: Some(key),
            interface_id: None,
            evidence,
            recommendation: advice.to_owned(),
        })
    });
    findings.collect()
}
