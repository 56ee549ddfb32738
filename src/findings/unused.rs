//! Rules nobody was seen to use, and groups on no interface.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::managed;
use super::verdict::{Confidence, Judged, Reason, Verdict};
use super::{Finding, FindingKind, Severity};
use crate::rules::RuleIndex;
use crate::rules::state::State;
use crate::rules::timeline::Timeline;

/// One finding per unused rule of the newest state, and one per group that is on no interface.
pub fn unused(timeline: &Timeline, judged: &[Judged]) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let mut findings = Vec::new();
    let mut unattached: BTreeMap<&str, Vec<RuleIndex>> = BTreeMap::new();
    for (group_id, group) in &newest.groups {
        for &rule in &group.rules {
            let judged = &judged[rule.index()];
            match judged.verdict {
                Verdict::NotSeen => findings.push(unused_rule(timeline, rule, judged)),
                Verdict::Unattached => unattached.entry(group_id).or_default().push(rule),
                _ => {}
            }
        }
    }
    findings.extend(
        unattached
            .into_iter()
            .map(|(group, rules)| unattached_group(timeline, newest, group, &rules, judged)),
    );
    findings
}

fn unused_rule(timeline: &Timeline, rule: RuleIndex, judged: &Judged) -> Finding {
    let content = &timeline.rules[rule.index()];
    let label = &timeline.labels[rule.index()];
    let key = content.key();
    let confidence = judged.confidence.unwrap_or(Confidence::Low);
    let mut evidence = Map::new();
    evidence.insert("confidence".into(), json!(confidence));
    evidence.insert("reasons".into(), json!(judged.reasons));
    evidence.insert("rule_id".into(), json!(label.rule_id));
    evidence.insert("attached_interface_hours".into(), json!(judged.covered.attached));
    evidence.insert("covered_interface_hours".into(), json!(judged.covered.covered));
    let recommendation = if judged.reasons.contains(&Reason::RequiredByService) {
        "An AWS service manages these interfaces and needs its rules: leave the rule to the service."
            .to_owned()
    } else if judged.reasons.contains(&Reason::RareByName) {
        "Its description or tags say it is for rare events: ask its owner before touching it.".to_owned()
    } else {
        match confidence {
            Confidence::High => {
                "Ask its owner, then revoke it; keep the exact rule at hand to restore it. Tracked \
                                 connections survive a revoke, so a mistake may show days later."
                    .to_owned()
            }
            _ => {
                "Not seen, but the evidence is not complete (see reasons): gather more before you revoke it."
                    .to_owned()
            }
        }
    };
    Finding {
        id: format!("unused_rule/{key}"),
        kind: FindingKind::UnusedRule,
        severity: if confidence == Confidence::High { Severity::Low } else { Severity::Info },
        title: format!("rule not seen in use ({} confidence): {key}", confidence.as_str()),
        group_id: Some(content.group_id.clone()),
        rule_key: Some(key),
        interface_id: None,
        evidence,
        recommendation,
    }
}

fn unattached_group(
    timeline: &Timeline,
    newest: &State,
    group: &str,
    rules: &[RuleIndex],
    judged: &[Judged],
) -> Finding {
    let doubtful = rules.iter().any(|rule| judged[rule.index()].reasons.contains(&Reason::UnknownInterfaces));
    let keys: Vec<String> = rules.iter().map(|rule| timeline.rules[rule.index()].key()).collect();
    let mut evidence = Map::new();
    evidence.insert("rules".into(), json!(keys));
    evidence.insert("snapshots".into(), json!(timeline.snapshots));
    evidence
        .insert("reasons".into(), json!(if doubtful { vec![Reason::UnknownInterfaces] } else { Vec::new() }));
    let description = newest.groups.get(group).map(AsRef::as_ref);
    let service =
        rules.first().and_then(|rule| managed::requires(&timeline.rules[rule.index()], description, &[]));
    let recommendation = if description.is_some_and(|group| group.name == "default") {
        "The default group of a VPC cannot be deleted. Revoke its rules, so that nothing launched without a group of its \
         own is open."
    } else if service.is_some() {
        "An AWS service made the group and may need it again, with a cluster that is off: leave it to the service."
    } else if doubtful {
        "Do not delete it yet: the logs hold accepted traffic on interfaces that no snapshot knows, and the group may be \
         on one of them. Take a snapshot with every interface (--include-managed-resources) and run again."
    } else {
        "No interface in any snapshot carries it. Scaling groups, functions and launch templates come and go: look for \
         references to it, then delete it."
    };
    Finding {
        id: format!("unattached_group/{group}"),
        kind: FindingKind::UnattachedGroup,
        severity: Severity::Info,
        title: format!("group on no interface: {group}, {} rules", rules.len()),
        group_id: Some(group.to_owned()),
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: recommendation.to_owned(),
    }
}
