//! Rules nobody was seen to use.

use serde_json::{Map, json};

use super::reason::Reason;
use super::verdict::{Confidence, Judged, Verdict};
use super::{Finding, FindingKind, Severity};
use crate::flow::Direction;
use crate::rules::ranked::RuleAction;
use crate::rules::timeline::Timeline;
use crate::rules::{Rule, RuleIndex};
use crate::tally::fraction;

/// One finding per unused rule of the newest state.
pub fn unused(timeline: &Timeline, judged: &[Judged]) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let rules = newest.groups.values().flat_map(|group| &group.rules);
    let unseen = rules.map(|&rule| (rule, &judged[rule.index()]));
    let unseen = unseen.filter(|(_, judged)| judged.verdict == Verdict::NotSeen);
    unseen.map(|(rule, judged)| unused_rule(timeline, rule, judged)).collect()
}

fn unused_rule(timeline: &Timeline, rule: RuleIndex, judged: &Judged) -> Finding {
    let content = &timeline.rules[rule.index()];
    let label = &timeline.labels[rule.index()];
    let key = content.key();
    let confidence = judged.confidence.unwrap_or(Confidence::Low);
    let mut evidence = Map::new();
    evidence.insert("confidence".into(), json!(confidence));
    evidence.insert("reasons".into(), json!(judged.reasons()));
    evidence.insert("figures".into(), json!(judged.doubts));
    evidence.insert("covered_share".into(), json!(judged.covered.share().map(fraction)));
    evidence.insert("rule_id".into(), json!(label.rule_id));
    evidence.insert("attached_interface_hours".into(), json!(judged.covered.attached));
    evidence.insert("covered_interface_hours".into(), json!(judged.covered.covered));
    let recommendation = if judged.has(Reason::RequiredByService) {
        "A cloud service manages these interfaces and needs its rules: leave the rule to the service."
            .to_owned()
    } else if judged.has(Reason::RareByName) {
        "Its description or tags say it is for rare events: ask its owner before touching it.".to_owned()
    } else {
        match confidence {
            _ if content.action() == RuleAction::Deny => {
                "It dropped nothing: those it is against did not come, or other rules refuse them too. Revoke it only if \
                 no rule behind it allows what it drops."
                    .to_owned()
            }
            Confidence::High if content.ranked.is_some() => {
                "Ask its owner, then revoke it; keep the exact rule at hand to restore it. Where a rule behind it drops \
                 the same, sessions are cut at once."
                    .to_owned()
            }
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
    let recommendation = if is_mail_out(content) {
        format!(
            "{recommendation} Alibaba Cloud itself blocks TCP 25 to the internet unless it is asked not to."
        )
    } else {
        recommendation
    };
    Finding {
        id: format!("unused_rule/{key}"),
        kind: FindingKind::UnusedRule,
        severity: if confidence == Confidence::High { Severity::Low } else { Severity::Info },
        title: match content.action() {
            RuleAction::Allow => format!("rule not seen in use ({} confidence): {key}", confidence.as_str()),
            RuleAction::Deny => {
                format!("Drop rule that dropped nothing ({} confidence): {key}", confidence.as_str())
            }
        },
        group_id: Some(content.group_id.clone()),
        rule_key: Some(key),
        interface_id: None,
        evidence,
        recommendation,
        suppressed: None,
    }
}

/// Source: <https://www.alibabacloud.com/help/en/ecs/user-guide/apply-to-unblock-tcp-port-25>.
fn is_mail_out(rule: &Rule) -> bool {
    rule.ranked.is_some() && rule.direction == Direction::Egress && rule.port_ranges() == [(25, 25)]
}
