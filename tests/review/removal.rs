//! The removal set is the largest one, by trying all.

use std::collections::BTreeSet;

use flowaudit::attribution::judge::Role;
use flowaudit::findings::removal::fewest::Method;
use flowaudit::findings::removal::{Case, RemovalSet};
use flowaudit::rules::state::State;
use flowaudit::rules::timeline::Timeline;
use flowaudit::rules::{Peer, RuleIndex};
use flowaudit::tally::UsageKey;

use crate::account::{Whose, estate};
use crate::run::{tally, with_case};

/// Whether a group's members or a list's entries are the same in every state.
fn is_lasting(timeline: &Timeline, peer: &Peer) -> bool {
    let meant = |state: &State| -> String {
        match peer {
            Peer::Group(group) => {
                let members = state.interfaces.values().filter(|it| it.group_ids.contains(group));
                format!("{:?}", members.collect::<Vec<_>>())
            }
            Peer::PrefixList(list) => format!("{:?}", state.prefix_lists.get(list)),
            Peer::Cidr(_) | Peer::BadCidr(_) => String::new(),
        }
    };
    timeline.states.iter().all(|state| meant(state) == meant(timeline.newest().unwrap()))
}

/// Whether what matched on an interface still does when some rules are gone: surely, by a path that is known where
/// addresses go, and by the newest state.
fn is_allowed(case: &Case<'_>, interface: &str, matched: &[RuleIndex], gone: &BTreeSet<RuleIndex>) -> bool {
    let newest = case.timeline.newest().unwrap();
    let rule = |index: &RuleIndex| &case.timeline.rules[index.index()];
    let is_held =
        |rule: &RuleIndex| newest.groups.values().any(|group| group.all_rules().any(|own| own == *rule));
    let held: Vec<RuleIndex> = matched.iter().copied().filter(is_held).collect();
    let carried = newest.interfaces.get(interface).map(|it| it.group_ids.clone()).unwrap_or_default();
    let applying: Vec<RuleIndex> =
        held.iter().copied().filter(|it| carried.contains(&rule(it).group_id)).collect();
    let groups: BTreeSet<&String> = held.iter().map(|it| &rule(it).group_id).collect();
    let parts: Vec<Vec<RuleIndex>> = if applying.is_empty() {
        let of = |group: &&String| held.iter().copied().filter(|it| rule(it).group_id == **group).collect();
        groups.iter().map(of).collect()
    } else {
        vec![applying]
    };
    parts.iter().all(|held| {
        if held.iter().all(|rule| !gone.contains(rule)) {
            return true;
        }
        let sure: Vec<&RuleIndex> = held.iter().filter(|it| !rule(it).is_one_icmp_type()).collect();
        let is_proven = |it: &RuleIndex| !matches!(rule(it).peer, Peer::Group(_)) || case.proof.holds(*it);
        let lasts = |it: &RuleIndex| is_lasting(case.timeline, &rule(it).peer);
        let best: Vec<&RuleIndex> = sure.iter().copied().filter(|it| is_proven(it) && lasts(it)).collect();
        let covering = if !best.is_empty() {
            best
        } else if sure.iter().all(|it| lasts(it)) {
            sure
        } else {
            return false;
        };
        covering.into_iter().any(|it| !gone.contains(it))
    })
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
    let alone = |one: &RuleIndex, other: &RuleIndex| {
        covers(one, other) && case.redundant.covered[one].rules.len() == 1
    };
    let by_cover_alone = |rule: &RuleIndex| {
        let never_alone = case.redundant.never_alone.contains(rule);
        case.grounds()[rule] == flowaudit::findings::removal::Ground::Redundant && !never_alone
    };
    let pairs = gone.iter().flat_map(|one| gone.iter().map(move |other| (one, other)));
    let stays_covered = pairs.into_iter().all(|(one, other)| {
        !(alone(one, other) && alone(other, one) || covers(one, other) && by_cover_alone(one))
    });
    stays_covered
        && case.tally.usage.keys().all(|key| no_heir_goes(case, key, gone))
        && case.tally.usage.keys().all(|key| {
            let (forward, reply) = (case.tally.sets.rules(key.forward), case.tally.sets.rules(key.reply));
            let interface = case.tally.slots.name(key.interface);
            let allowed = |set| is_allowed(case, &interface, set, gone);
            match key.role {
                Role::Forward => allowed(forward),
                Role::Reply => allowed(reply),
                Role::Undecided => allowed(forward) && allowed(reply),
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
