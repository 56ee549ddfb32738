//! What must hold of the definition itself, and that made-up accounts reach all of it.

#[path = "common/account.rs"]
mod account;

use std::collections::BTreeSet;

use account::{Whose, account, estate};
use flowaudit::attribution::naive::{Answer, OUTCOMES, RuleUse, attribute};
use flowaudit::attribution::{BASES, Cause, DRIFTS};
use flowaudit::flow::{Action, Entry, OwnedFlow};
use flowaudit::rules::Rule;
use flowaudit::rules::ranked::RuleAction;
use proptest::prelude::*;

const CAUSES: [Cause; 12] = [
    Cause::Unattributed,
    Cause::BlockPublicAccess,
    Cause::EncryptionControl,
    Cause::NetworkAcl,
    Cause::BlockedReply,
    Cause::LatePacket,
    Cause::LateReplyOrScan,
    Cause::Undetermined,
    Cause::UnknownGroup,
    Cause::SecurityGroupAndNetworkAcl,
    Cause::SecurityGroup,
    Cause::NotSecurityGroup,
];

/// A name, and whether a rule's figures show it.
type Figure = (&'static str, fn(&RuleUse) -> bool);

#[test]
fn made_up_accounts_reach_everything() {
    let mut missing: BTreeSet<String> = OUTCOMES.iter().map(|name| (*name).to_owned()).collect();
    missing.extend(BASES.iter().map(|basis| format!("{basis:?}")));
    missing.extend(DRIFTS.iter().map(|drift| format!("{drift:?}")));
    missing.extend(CAUSES.iter().map(|cause| format!("{cause:?}")));
    let figures: [Figure; 8] = [
        ("records", |rule| rule.records > 0),
        ("reply_records", |rule| rule.reply_records > 0),
        ("answered_records", |rule| rule.answered_records > 0),
        ("possible_records", |rule| rule.possible_records > 0),
        ("sole_records", |rule| rule.sole_records > 0),
        ("possible_sole_records", |rule| rule.possible_sole_records > 0),
        ("near_records", |rule| rule.near_records > 0),
        ("credited without flags", |rule| rule.records > 0 && !rule.flags_seen),
    ];
    missing.extend(figures.iter().map(|(name, _)| (*name).to_owned()));
    for seed in 0..300 {
        let (timeline, flows) = account(seed);
        let answer = attribute(&timeline, &flows);
        for (name, count) in &answer.outcomes {
            if *count > 0 {
                missing.remove(*name);
            }
        }
        for (basis, count) in &answer.basis {
            if *count > 0 {
                missing.remove(&format!("{basis:?}"));
            }
        }
        for (drift, count) in &answer.drift {
            if *count > 0 {
                missing.remove(&format!("{drift:?}"));
            }
        }
        for (.., cause) in answer.blocked.keys() {
            missing.remove(&format!("{cause:?}"));
        }
        for (name, _) in figures.iter().filter(|(_, reached)| answer.rules.iter().any(reached)) {
            missing.remove(*name);
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn made_up_accounts_of_alibaba_cloud_reach_drops_and_defaults() {
    type Reached = (&'static str, fn(&Rule, &RuleUse) -> bool);
    let figures: [Reached; 9] = [
        ("a Drop decides", |rule, uses| rule.action() == RuleAction::Deny && uses.records > 0),
        ("a default explains", |rule, uses| rule.is_default() && uses.records > 0),
        ("a default explains a reply", |rule, uses| rule.is_default() && uses.reply_records > 0),
        ("members before all rules", |rule, uses| rule.rank() == 1 && uses.records > 0),
        ("a default that is never alone", |rule, uses| {
            rule.is_default() && uses.records > 0 && uses.sole_records == 0
        }),
        ("priority 2", |rule, uses| rule.rank() == 5 && uses.records > 0),
        ("a port list", |rule, uses| rule.port_list().is_some() && uses.records > 0),
        ("more than ports and peer", |rule, uses| {
            rule.ranked.as_ref().is_some_and(|ranked| ranked.asks_more()) && uses.records > 0
        }),
        ("near_records", |_, uses| uses.near_records > 0),
    ];
    let mut missing: BTreeSet<String> = figures.iter().map(|(name, _)| (*name).to_owned()).collect();
    missing.extend(BASES.iter().map(|basis| format!("{basis:?}")));
    missing.extend(CAUSES.iter().map(|cause| format!("{cause:?}")));
    for seed in 0..400 {
        let (timeline, flows) = estate(seed, Whose::Alibaba);
        let answer = attribute(&timeline, &flows);
        for (basis, _) in answer.basis.iter().filter(|(_, count)| **count > 0) {
            missing.remove(&format!("{basis:?}"));
        }
        for (.., cause) in answer.blocked.keys() {
            missing.remove(&format!("{cause:?}"));
        }
        for (name, reached) in &figures {
            if timeline.rules.iter().zip(&answer.rules).any(|(rule, uses)| reached(rule, uses)) {
                missing.remove(*name);
            }
        }
    }
    // There is no network ACL among these answers.
    let cannot = ["BlockedReply", "NetworkAcl", "SecurityGroupAndNetworkAcl"].map(str::to_owned);
    assert!(missing.iter().all(|name| cannot.contains(name)), "{missing:?}");
}

fn is_accept(flow: &OwnedFlow) -> bool {
    matches!(flow.entry, Entry::Traffic(traffic) if traffic.action == Action::Accept)
}

fn sum<T>(all: impl IntoIterator<Item = T>, figure: impl Fn(T) -> u64) -> u64 {
    all.into_iter().map(figure).sum()
}

fn outcomes(answer: &Answer, names: &[&str]) -> u64 {
    sum(names, |name| answer.outcomes[*name])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sums_add_up(seed: u64) {
        let (timeline, flows) = account(seed);
        let answer = attribute(&timeline, &flows);
        let records = &answer.records;
        prop_assert_eq!(records.total, flows.len() as u64);
        prop_assert_eq!(
            records.accepted + records.rejected + records.no_data + records.skip_data,
            records.total
        );
        prop_assert_eq!(sum(answer.blocked.values(), |blocked| blocked.records), records.rejected);
        for blocked in answer.blocked.values() {
            prop_assert_eq!(sum(blocked.peers.values(), |count| *count), blocked.records);
        }
        // Of ACCEPTs alone, the counters of both actions count ACCEPTs.
        let accepts: Vec<OwnedFlow> = flows.iter().filter(|flow| is_accept(flow)).cloned().collect();
        let of_accepts = attribute(&timeline, &accepts);
        let matched = of_accepts.records.accepted
            - outcomes(&of_accepts, &["unknown_interface", "no_group", "unknown_direction"]);
        let explained = outcomes(&answer, &["unexplained", "explained_by_neighbour", "unknown_group"]);
        prop_assert_eq!(sum(answer.basis.values(), |count| *count) + explained, matched);
        prop_assert_eq!(sum(answer.drift.values(), |count| *count), answer.outcomes["unexplained"]);
        // REJECTs never count as use.
        prop_assert_eq!(&answer.rules, &of_accepts.rules);
    }

    #[test]
    fn figures_of_a_rule_are_consistent(seed: u64) {
        let (timeline, flows) = account(seed);
        let answer = attribute(&timeline, &flows);
        prop_assert_eq!(answer.rules.len(), timeline.rules.len());
        for rule in &answer.rules {
            let sure = rule.records + rule.reply_records;
            let credited = sure + rule.possible_records > 0;
            prop_assert!(rule.answered_records <= rule.reply_records);
            prop_assert!(rule.answered_records == 0 || rule.flags_seen);
            prop_assert!(rule.sole_records <= sure);
            prop_assert!(rule.possible_sole_records <= rule.possible_records);
            prop_assert_eq!(!rule.interfaces.is_empty(), credited);
            prop_assert!(credited || (rule.packets, rule.bytes, rule.flags_seen) == (0, 0, false));
            prop_assert!(rule.first_seen <= rule.last_seen);
        }
    }

    #[test]
    fn order_does_not_matter(seed: u64) {
        let (timeline, mut flows) = account(seed);
        let answer = attribute(&timeline, &flows);
        flows.reverse();
        prop_assert_eq!(answer, attribute(&timeline, &flows));
    }
}
