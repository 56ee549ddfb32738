//! References that nothing resolves: deleted groups, deleted peerings, groups without members, and what lies outside the
//! snapshots.
//!
//! Stale rules: <https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html>.

use serde_json::{Map, json};

use super::attachment::Attachments;
use super::described::{Described, Snapshots};
use super::{Finding, FindingKind, Severity};
use crate::flow::Seconds;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};
use crate::tally::usage::RuleUse;
use crate::time;

/// Why a reference of the newest state resolves to nobody.
enum Stale<'a> {
    /// The peer is no address range at all.
    BadCidr(&'a str),
    /// The peering that leads to the group is no more: its `PeeringStatus`.
    Peering(&'a str, &'a str),
    /// An earlier state has the group, and the newest describes its account and region without it, since then.
    Gone(&'a str, Option<Seconds>),
    /// No state that could know says anything of the group.
    UnknownGroup(&'a str),
    /// The group is there and was on no interface in any snapshot.
    NoMember(&'a str, Snapshots),
    /// The entries of the list are not known.
    UnknownList(&'a str),
}

/// One finding per rule of the newest state whose peer is nobody. `uses` is parallel to the rules of the timeline.
pub fn stale(
    timeline: &Timeline,
    uses: &[RuleUse],
    attachments: &Attachments<'_>,
    described: Described<'_>,
) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let rules = newest.groups.values().flat_map(|group| &group.rules);
    let findings = rules.filter_map(|&index| {
        let rule = timeline.rules.get(index.index())?;
        let why = why(timeline, index, rule, attachments, described)?;
        Some(finding(timeline, uses.get(index.index())?, index, rule, &why))
    });
    findings.collect()
}

fn why<'a>(
    timeline: &'a Timeline,
    index: RuleIndex,
    rule: &'a Rule,
    attachments: &Attachments<'_>,
    described: Described<'_>,
) -> Option<Stale<'a>> {
    let newest = timeline.newest()?;
    let group = match &rule.peer {
        Peer::Cidr(_) => return None,
        Peer::BadCidr(text) => return Some(Stale::BadCidr(text)),
        Peer::PrefixList(list) if newest.prefix_lists.contains_key(list) => return None,
        Peer::PrefixList(list) => return Some(Stale::UnknownList(list)),
        Peer::Group(group) => group,
    };
    let label = timeline.labels.get(index.index());
    let status = label.and_then(|label| label.peering_status.as_deref());
    if let Some(status) = status.filter(|status| is_over(status)) {
        return Some(Stale::Peering(group, status));
    }
    let last = timeline.states.len() - 1;
    if attachments.is_attached(group, last) {
        return None;
    }
    if let Some(known) = newest.groups.get(group) {
        // Who had a member once may have one again. A group that refers to itself is a finding of its own.
        let never = attachments.interfaces(group).is_empty() && *group != rule.group_id;
        let snapshots = never.then(|| described.snapshots(group, known)).flatten();
        return snapshots.map(|snapshots| Stale::NoMember(group, snapshots));
    }
    let before = timeline.states.iter().enumerate().rev().find_map(|(at, state)| {
        let known = state.groups.get(group)?;
        Some((at, known))
    });
    match before {
        Some((at, known)) if newest.groups.values().any(|other| other.is_near(known)) => {
            let since = timeline.states.get(at + 1).and_then(|state| state.from);
            Some(Stale::Gone(group, since))
        }
        _ => Some(Stale::UnknownGroup(group)),
    }
}

/// Of the codes in <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcPeeringConnectionStateReason.html>,
/// those after which no peering comes any more.
fn is_over(status: &str) -> bool {
    matches!(status, "deleted" | "deleting" | "expired" | "failed" | "rejected")
}

impl Stale<'_> {
    fn cause(&self) -> &'static str {
        match self {
            Self::BadCidr(_) => "bad_range",
            Self::Peering(..) => "peering",
            Self::Gone(..) => "group_gone",
            Self::UnknownGroup(_) => "group_unknown",
            Self::NoMember(..) => "group_without_member",
            Self::UnknownList(_) => "prefix_list_unknown",
        }
    }

    /// Nobody deletes a live rule because a scaling group was empty.
    fn severity(&self) -> Severity {
        if matches!(self, Self::NoMember(..)) { Severity::Info } else { Severity::Low }
    }

    fn phrase(&self) -> String {
        match self {
            Self::BadCidr(text) => format!("\"{text}\" is no address range"),
            Self::Peering(group, status) => format!("the peering to group {group} is {status}"),
            Self::Gone(group, Some(since)) => {
                format!("group {group} is gone since the snapshot of {}", time::format(*since))
            }
            Self::Gone(group, None) => format!("group {group} is gone"),
            Self::UnknownGroup(group) => format!("group {group} is not in the snapshot"),
            Self::NoMember(group, snapshots) => format!("group {group} has no member {snapshots}"),
            Self::UnknownList(list) => format!("the entries of prefix list {list} are not in the snapshot"),
        }
    }

    fn advice(&self, uses: &RuleUse) -> &'static str {
        match self {
            Self::BadCidr(_) => "The rule matches nothing. Look at the document it came from.",
            Self::Peering(..) | Self::Gone(..) if is_used(uses) => {
                "Records in the window may have passed by it (see evidence), so find out what they were before you revoke \
                 it: another path or another rule may carry that traffic now."
            }
            Self::Peering(..) => {
                "A reference through a peering that is no more matches nothing: revoke it, unless the group is also \
                 reached through a transit gateway with security group referencing."
            }
            Self::Gone(..) => {
                "The group was deleted, its id never comes back, and the rule does nothing: revoke it."
            }
            Self::UnknownGroup(_) => {
                "If the group was deleted, the rule does nothing: revoke it. If it is in another account, region or VPC, \
                 give a snapshot of that one too."
            }
            Self::NoMember(..) => {
                "This does not make the rule dead: tasks, functions and scaling groups come and go between snapshots, and \
                 the rule waits for them. Ask the owner of the group that it names, and keep the rule until that answer."
            }
            Self::UnknownList(_) => {
                "Collect them: aws ec2 get-managed-prefix-list-entries --prefix-list-id ID > ID.json"
            }
        }
    }
}

fn is_used(uses: &RuleUse) -> bool {
    uses.records + uses.reply_records + uses.possible_records > 0
}

fn finding(timeline: &Timeline, uses: &RuleUse, index: RuleIndex, rule: &Rule, stale: &Stale<'_>) -> Finding {
    let key = rule.key();
    let label = timeline.labels.get(index.index());
    let mut evidence = Map::new();
    evidence.insert("peer".into(), json!(rule.peer.to_string()));
    evidence.insert("rule_id".into(), json!(label.and_then(|label| label.rule_id.as_deref())));
    evidence.insert("cause".into(), json!(stale.cause()));
    evidence.insert("records".into(), json!(uses.records + uses.reply_records));
    evidence.insert("possible_records".into(), json!(uses.possible_records));
    evidence.insert("near_records".into(), json!(uses.near_records));
    match stale {
        Stale::Peering(_, status) => {
            evidence.insert("peering_status".into(), json!(status));
        }
        Stale::Gone(_, since) => {
            evidence.insert("gone_since".into(), json!(since.map(time::format)));
        }
        Stale::NoMember(_, snapshots) => snapshots.record(&mut evidence),
        Stale::BadCidr(_) | Stale::UnknownGroup(_) | Stale::UnknownList(_) => {}
    }
    Finding {
        id: format!("{}/{key}", FindingKind::StaleReference.as_str()),
        kind: FindingKind::StaleReference,
        severity: stale.severity(),
        title: format!("{key}: {}", stale.phrase()),
        group_id: Some(rule.group_id.clone()),
        rule_key: Some(key),
        interface_id: None,
        evidence,
        recommendation: stale.advice(uses).to_owned(),
        suppressed: None,
    }
}
