//! The fast path says what the definition says, in any split and order; a removal set of ours blocks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use flowaudit::attribution::index::Index;
use flowaudit::attribution::naive::attribute;
use flowaudit::attribution::naive::replay::{Replayed, replay};
use flowaudit::findings::removal::RemovalSet;
use flowaudit::findings::verdict::Confidence;
use flowaudit::findings::wider::{Bounds, wider};
use flowaudit::flow::{OwnedFlow, TCP};
use flowaudit::ingest::Sink;
use flowaudit::rules::RuleIndex;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::proposal::{self, Proposal};
use flowaudit::rules::timeline::{Snapshot, Timeline, by_time};
use flowaudit::state::Snapshots;
use flowaudit::tally::Tally;
use flowaudit::tally::changes::{Certainty, Change, Proposed};
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::selection::Selection;
use flowaudit::tally::tracks::of_rule::RuleTracks;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;

use crate::account::{Dice, WHOSE, Whose, smallest, snapshots_and_records_of};
use crate::run::with_case;

fn history(snapshots: Vec<Snapshot>) -> Snapshots {
    let by_time = by_time(snapshots).into_iter().map(|snapshot| (snapshot.at, snapshot.objects));
    Snapshots { by_time: by_time.collect(), ..Snapshots::default() }
}

/// A proposal, compiled once for several runs.
struct Ready<'a> {
    proposal: &'a Proposal,
    now: Index,
    then: Index,
}

impl<'a> Ready<'a> {
    fn of(proposal: &'a Proposal) -> Self {
        Self { proposal, now: Index::build(&proposal.now), then: Index::build(&proposal.proposed) }
    }
}

fn tally(Ready { proposal, now, then }: &Ready<'_>, flows: &[OwnedFlow], workers: usize) -> Tally {
    let watch = PortWatch::new(Vec::new()).unwrap();
    let proposed = Proposed::of(&proposal.proposed, then, &proposal.now);
    let (selection, progress) = (Selection::none(false), Progress::default());
    let brief = Brief {
        timeline: &proposal.now,
        index: now,
        watch: &watch,
        window: Window::ALL,
        selection: &selection,
        services: Services::WhereNeeded,
        progress: &progress,
        proposed: Some(&proposed),
        asking: None,
    };
    let mut counters: Vec<Counter<'_>> = (0..workers).map(|_| Counter::new(&brief)).collect();
    for (at, flow) in flows.iter().enumerate() {
        counters[at * 7 % 5 % workers].flow(&flow.borrow());
    }
    let mut sum = Tally::default();
    for counter in counters.into_iter().rev() {
        sum.merge(counter.finish());
    }
    sum.settle();
    sum
}

/// What the fast path says, as the definition does.
fn replayed(ready: &Ready<'_>, flows: &[OwnedFlow], workers: usize) -> Replayed {
    counted(&tally(ready, flows, workers))
}

fn counted(tally: &Tally) -> Replayed {
    let mut replayed = Replayed { unexplained: tally.changes.unexplained, ..Replayed::default() };
    for row in tally.changes.rows() {
        let rules: Vec<RuleIndex> = tally.sets.rules(row.key.rules).to_vec();
        assert_eq!(row.ports.0, row.ports.1, "few enough to be told apart");
        for (peer, uses) in row.row.peers.iter() {
            let peer: IpAddr = peer.addr();
            let key = row.key;
            let at = (tally.slots.name(key.interface), key.direction, key.protocol, row.ports.0, peer);
            match key.change {
                Change::Opened => *replayed.opened.entry((at, rules.clone())).or_default() += uses.records,
                Change::Blocked(certainty) => {
                    let key = (at, certainty == Certainty::Sure, rules.clone());
                    *replayed.blocked.entry(key).or_default() += uses.records;
                }
            }
        }
    }
    replayed
}

fn proposals(seed: u64, whose: Whose) -> (Vec<(&'static str, Proposal)>, Vec<OwnedFlow>) {
    let (mut snapshots, flows) = snapshots_and_records_of(seed, whose);
    let mut dice = Dice(seed ^ 0x5eed);
    let now = history(snapshots.clone()).into_timeline();
    let rules = now.newest().unwrap().groups.values().flat_map(|group| group.rules.clone());
    let removed: BTreeSet<RuleIndex> = rules.filter(|_| dice.chance(40)).collect();
    let mut proposals = vec![("some rules removed", Proposal::without(now, &removed))];
    let same = snapshots.last().unwrap().objects.as_ref().clone();
    proposals.push((
        "the same",
        Proposal::with(history(snapshots.clone()), same, &Objects::default(), &BTreeSet::new()),
    ));
    if snapshots.len() > 1 {
        let last = Arc::unwrap_or_clone(snapshots.pop().unwrap().objects);
        let mut alone = last.clone();
        (alone.interfaces, alone.subnets, alone.acls) = (None, None, None);
        proposals.push((
            "the last snapshot",
            Proposal::with(history(snapshots.clone()), last, &Objects::default(), &BTreeSet::new()),
        ));
        proposals.push((
            "its rules alone",
            Proposal::with(history(snapshots), alone, &Objects::default(), &BTreeSet::new()),
        ));
    }
    (proposals, flows)
}

#[test]
fn the_fast_path_says_what_the_definition_says() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for whose in WHOSE {
        for seed in 0..40 {
            let (proposals, flows) = proposals(seed, whose);
            for (name, proposal) in &proposals {
                let ready = Ready::of(proposal);
                let differs = |flows: &[OwnedFlow]| {
                    let expected = replay(&proposal.now, &proposal.proposed, flows);
                    (1..4).any(|workers| replayed(&ready, flows, workers) != expected)
                };
                let expected = replay(&proposal.now, &proposal.proposed, &flows);
                if (1..4).any(|workers| replayed(&ready, &flows, workers) != expected) {
                    let few = smallest(flows.clone(), |flows| differs(flows));
                    let expected = replay(&proposal.now, &proposal.proposed, &few);
                    assert_eq!(replayed(&ready, &few, 1), expected, "{whose:?} seed {seed}, {name}: {few:?}");
                    panic!("{whose:?} seed {seed}, {name}: only in parts: {few:?}");
                }
                for ((_, sure, _), records) in &expected.blocked {
                    *seen.entry(if *sure { "surely blocked" } else { "possibly blocked" }).or_default() +=
                        records;
                }
                *seen.entry("opened").or_default() += expected.opened.values().sum::<u64>();
                *seen.entry("unexplained").or_default() += expected.unexplained;
            }
        }
    }
    for what in ["surely blocked", "possibly blocked", "opened", "unexplained"] {
        assert!(seen.get(what).is_some_and(|seen| *seen > 50), "{what}: {seen:?}");
    }
}

fn removal_set(timeline: &Timeline, tally: &Tally) -> BTreeSet<RuleIndex> {
    with_case(timeline, tally, |case| RemovalSet::of(case).steps.iter().map(|step| step.rule).collect())
}

#[test]
fn a_removal_set_blocks_nothing_of_its_own_logs() {
    let mut removed_rules = 0;
    for whose in WHOSE {
        for seed in 0..60 {
            let (snapshots, flows) = snapshots_and_records_of(seed, whose);
            let nothing = Proposal::without(history(snapshots.clone()).into_timeline(), &BTreeSet::new());
            let before = tally(&Ready::of(&nothing), &flows, 1);
            let removed = removal_set(&nothing.now, &before);
            let set = Proposal::without(history(snapshots).into_timeline(), &removed);
            // Rules that were gone already before the proposal let nothing through any more, whatever is proposed.
            let (with, without) = (replayed(&Ready::of(&set), &flows, 2), counted(&before));
            assert_eq!(with.blocked, without.blocked, "{whose:?} seed {seed}");
            assert!(with.opened == without.opened, "{whose:?} seed {seed}");
            if nothing.now.states.len() == 1 {
                assert_eq!(with.blocked, BTreeMap::new(), "{whose:?} seed {seed}");
            }
            removed_rules += removed.len();
        }
    }
    assert!(removed_rules > 50, "{removed_rules}");
}

/// Everything that was used, and nothing else: what nobody answered is blocked.
#[test]
fn narrower_rules_block_nothing_that_was_used() {
    let (mut changed, mut blocked) = (0, 0);
    let folder = tempfile::tempdir().unwrap();
    for (seed, whose) in (0..60).flat_map(|seed| WHOSE.map(|whose| (seed, whose))) {
        let (snapshots, flows) = snapshots_and_records_of(seed, whose);
        let nothing = Proposal::without(history(snapshots.clone()).into_timeline(), &BTreeSet::new());
        let before = tally(&Ready::of(&nothing), &flows, 1);
        let narrower = with_case(&nothing.now, &before, |case| {
            let tracks = RuleTracks::of(&before, &nothing.now.rules);
            wider(case, &tracks, &[], Bounds { most: 4, confidence: Confidence::Low }).1
        });
        if narrower.is_empty() {
            continue;
        }
        let lines = narrower.iter().flat_map(|narrower| {
            let added = narrower.by.iter().map(|rule| format!("+ {}\n", rule.key()));
            added.chain([format!("{}\n", narrower.key)])
        });
        let path = folder.path().join("narrow.txt");
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        let proposal = proposal::load(&path, history(snapshots)).unwrap();
        assert_eq!(proposal.removed.len(), narrower.len());
        let used = attribute(&nothing.now, &flows).tracks;
        let used: BTreeMap<String, BTreeSet<(u8, u16)>> = narrower
            .iter()
            .map(|it| {
                (it.key.clone(), used[it.rule.index()].used.iter().map(|used| (used.0, used.1)).collect())
            })
            .collect();
        let (with, without) = (replayed(&Ready::of(&proposal), &flows, 2), counted(&before));
        let known: BTreeSet<_> = without.blocked.keys().map(|(at, sure, _)| (at, sure)).collect();
        for (at, sure, lost) in with.blocked.keys().filter(|(at, sure, _)| !known.contains(&(at, sure))) {
            let (_, _, protocol, port, _) = *at;
            // Others that are lost were gone before.
            let lost: Vec<&BTreeSet<(u8, u16)>> =
                lost.iter().filter_map(|rule| used.get(&proposal.now.rules[rule.index()].key())).collect();
            let unanswered = !lost.is_empty() && lost.iter().all(|used| !used.contains(&(protocol, port)));
            assert!(
                protocol == TCP && *sure && unanswered,
                "{whose:?} seed {seed}: {at:?} {sure} {narrower:?}"
            );
            blocked += 1;
        }
        changed += narrower.len();
    }
    assert!(changed > 100 && blocked > 10, "{changed} rules, {blocked} rows of what nobody answered");
}

/// On AWS, dropping one rule newly blocks exactly its sole records, and possibly its possible sole records.
#[test]
fn dropping_one_rule_of_aws_blocks_its_sole_records() {
    let mut blocked = (0, 0);
    for seed in 0..40 {
        let (snapshots, flows) = snapshots_and_records_of(seed, Whose::Aws);
        let nothing = Proposal::without(history(snapshots.clone()).into_timeline(), &BTreeSet::new());
        if nothing.now.states.len() > 1 {
            continue;
        }
        let watch = PortWatch::new(Vec::new()).unwrap();
        let uses = tally(&Ready::of(&nothing), &flows, 1).rule_uses(&nothing.now.rules, &watch);
        let rules: Vec<RuleIndex> =
            nothing.now.newest().unwrap().groups.values().flat_map(|group| group.rules.clone()).collect();
        for rule in rules {
            let one = Proposal::without(history(snapshots.clone()).into_timeline(), &BTreeSet::from([rule]));
            let found = replayed(&Ready::of(&one), &flows, 1);
            let sum = |wanted: bool| -> u64 {
                found
                    .blocked
                    .iter()
                    .filter(|((_, sure, _), _)| *sure == wanted)
                    .map(|(_, records)| records)
                    .sum()
            };
            let uses = &uses[rule.index()];
            let icmp = nothing.now.rules[rule.index()].is_one_icmp_type();
            // A possible match that goes leaves a decided record without any rule.
            let possible = if icmp { sum(true) + sum(false) } else { sum(false) };
            if !icmp {
                assert!(sum(true) >= uses.sole_records, "seed {seed}");
            }
            assert_eq!(
                possible,
                uses.possible_sole_records,
                "seed {seed} {}",
                nothing.now.rules[rule.index()].key()
            );
            blocked = (blocked.0 + sum(true), blocked.1 + sum(false));
        }
    }
    assert!(blocked.0 > 100 && blocked.1 > 5, "{blocked:?}");
}
