//! Ranked rules that can never decide: others, asked earlier, take everything they match.

use serde_json::{Map, Value, json};

use super::precedence::{self, Precedence};
use super::{Finding, FindingKind, Severity, counted};
use crate::rules::RuleIndex;
use crate::rules::ranked::RuleAction;
use crate::rules::timeline::Timeline;

/// One finding per rule of the newest state that can decide on no interface that carries its group.
pub fn ineffective(timeline: &Timeline) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let precedence = Precedence::of(timeline, newest);
    let mut findings = Vec::new();
    // Rules of a service are the service's, and what means nothing is no matter of others.
    let judged =
        newest.groups.iter().filter(|(_, group)| precedence::is_ranked(group) && !group.is_service_managed());
    for (id, group) in judged {
        for rule in &group.rules {
            let content = &timeline.rules[rule.index()];
            if !group.takes(content) {
                continue;
            }
            if let Some(covering) = precedence.covering(id, *rule, content) {
                findings.push(finding(timeline, *rule, &covering.into_iter().collect::<Vec<_>>()));
            }
        }
    }
    findings
}

fn finding(timeline: &Timeline, rule: RuleIndex, covering: &[RuleIndex]) -> Finding {
    let content = &timeline.rules[rule.index()];
    let key = content.key();
    let others: Vec<_> = covering.iter().map(|index| &timeline.rules[index.index()]).collect();
    let keys: Vec<String> = others.iter().map(|other| other.key()).collect();
    let denied = others.iter().any(|other| other.action() != content.action());
    let (what, severity) = match content.action() {
        RuleAction::Allow if denied => ("what it allows is dropped before it is asked", Severity::Low),
        RuleAction::Deny if denied => ("what it drops is allowed before it is asked", Severity::Medium),
        _ => ("others say the same before it is asked", Severity::Info),
    };
    let by = match (others.as_slice(), keys.as_slice()) {
        ([other], _) if other.is_default() => {
            "members of the group reach each other whatever rules say".to_owned()
        }
        (_, [alone]) => format!("{alone} decides first"),
        _ => format!("{} together decide first", counted(keys.len(), "rule")),
    };
    let mut evidence = Map::new();
    evidence.insert("covered_by".to_owned(), json!(keys));
    evidence.insert(
        "covered_by_actions".to_owned(),
        others.iter().map(|other| Value::from(other.action().as_str())).collect(),
    );
    evidence.insert("rule_id".to_owned(), json!(timeline.labels[rule.index()].rule_id));
    Finding {
        id: format!("{}/{key}", FindingKind::IneffectiveRule.as_str()),
        kind: FindingKind::IneffectiveRule,
        severity,
        title: format!("rule can never decide, {what}: {key}"),
        group_id: Some(content.group_id.clone()),
        rule_key: Some(key),
        interface_id: None,
        evidence,
        recommendation: format!(
            "On every interface that carries the group {by}. Revoke the rule; if it was meant to decide, give it a \
             smaller priority."
        ),
    }
}
