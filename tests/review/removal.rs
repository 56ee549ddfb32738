//! The removal set is the largest one, by trying all.

use std::collections::BTreeSet;

use flowaudit::attribution::judge::Role;
use flowaudit::findings::removal::fewest::Method;
use flowaudit::findings::removal::{Case, RemovalSet};
use flowaudit::rules::{Peer, RuleIndex};
use flowaudit::tally::UsageKey;

use crate::account::{Whose, estate};
use crate::run::{tally, with_case};

/// Whether what matched still does when some rules are gone: surely, and by a path that is known where addresses go.
fn is_allowed(case: &Case<'_>, matched: &[RuleIndex], gone: &BTreeSet<RuleIndex>) -> bool {
    let newest = case.timeline.newest().unwrap();
    let is_held =
        |rule: &RuleIndex| newest.groups.values().any(|group| group.all_rules().any(|own| own == *rule));
    let held: Vec<RuleIndex> = matched.iter().copied().filter(is_held).collect();
    if held.iter().all(|rule| !gone.contains(rule)) {
        return true;
    }
    let rule = |index: &RuleIndex| &case.timeline.rules[index.index()];
    let stays = |strict: bool| {
        held.iter().any(|it| {
            let unproven = matches!(rule(it).peer, Peer::Group(_)) && !case.proof.holds(*it);
            !(gone.contains(it) || rule(it).is_one_icmp_type() || strict && unproven)
        })
    };
    let other_than_unproven = held.iter().any(|it| {
        !rule(it).is_one_icmp_type() && (!matches!(rule(it).peer, Peer::Group(_)) || case.proof.holds(*it))
    });
    stays(other_than_unproven)
}

/// Where rules that are gone let a record through alone, one that may have taken their place stays.
fn no_heir_goes(case: &Case<'_>, key: &UsageKey, gone: &BTreeSet<RuleIndex>) -> bool {
    let newest = case.timeline.newest().unwrap();
    let is_held =
        |rule: &RuleIndex| newest.groups.values().any(|group| group.all_rules().any(|own| own == *rule));
    let is_orphan = |set: &[RuleIndex]| !set.is_empty() && !set.iter().any(is_held);
    let (forward, reply) = (case.tally.sets.rules(key.forward), case.tally.sets.rules(key.reply));
    if !is_orphan(forward) && !is_orphan(reply) {
        return true;
    }
    let interface = case.tally.slots.name(key.interface);
    gone.iter().all(|rule| {
        let content = &case.timeline.rules[rule.index()];
        let near = case.attachments.interfaces(&content.group_id).contains_key(interface.as_str());
        !near || !(content.ranked.is_some() || case.bench.has_changed(*rule))
    })
}

fn is_clean(case: &Case<'_>, gone: &BTreeSet<RuleIndex>) -> bool {
    let covers = |one: &RuleIndex, other: &RuleIndex| {
        case.redundant.covered.get(one).is_some_and(|cover| cover.rules.contains(other))
    };
    let by_cover_alone = |rule: &RuleIndex| {
        let never_alone = case.redundant.never_alone.contains(rule);
        case.grounds()[rule] == flowaudit::findings::removal::Ground::Redundant && !never_alone
    };
    let pairs = gone.iter().flat_map(|one| gone.iter().map(move |other| (one, other)));
    let stays_covered = pairs
        .into_iter()
        .all(|(one, other)| !covers(one, other) || !(covers(other, one) || by_cover_alone(one)));
    stays_covered
        && case.tally.usage.keys().all(|key| no_heir_goes(case, key, gone))
        && case.tally.usage.keys().all(|key| {
            let (forward, reply) = (case.tally.sets.rules(key.forward), case.tally.sets.rules(key.reply));
            match key.role {
                Role::Forward => is_allowed(case, forward, gone),
                Role::Reply => is_allowed(case, reply, gone),
                Role::Undecided => is_allowed(case, forward, gone) && is_allowed(case, reply, gone),
            }
        })
}

fn compare(whose: Whose) -> usize {
    let mut some = 0;
    for seed in 0..400 {
        let (timeline, flows) = estate(seed, whose);
        let tally = tally(&timeline, &flows);
        with_case(&timeline, &tally, |case| {
            let grounds: Vec<RuleIndex> = case.grounds().into_keys().collect();
            let set = RemovalSet::of(case);
            let gone: BTreeSet<RuleIndex> = set.steps.iter().map(|step| step.rule).collect();
            assert!(is_clean(case, &gone), "seed {seed}");
            assert_eq!(set.method, Method::Exact);
            if grounds.len() > 11 {
                return;
            }
            let subset = |bits: u32| -> BTreeSet<RuleIndex> {
                grounds.iter().zip(0..).filter(|(_, at)| bits >> at & 1 == 1).map(|(rule, _)| *rule).collect()
            };
            let all = (0..1_u32 << grounds.len()).filter(|bits| bits.count_ones() as usize > gone.len());
            let larger = all.map(subset).find(|gone| is_clean(case, gone));
            assert_eq!(larger, None, "seed {seed}: {} could go", gone.len());
            some += usize::from(!gone.is_empty() && gone.len() < grounds.len());
        });
    }
    some
}

#[test]
fn no_larger_set_of_aws_rules_leaves_every_accept_allowed() {
    let chosen = compare(Whose::Aws);
    assert!(chosen >= 10, "{chosen} accounts in which there was a choice");
}

#[test]
fn no_larger_set_of_alibaba_cloud_rules_leaves_every_accept_allowed() {
    let chosen = compare(Whose::Alibaba);
    assert!(chosen >= 3, "{chosen} accounts in which there was a choice");
}
