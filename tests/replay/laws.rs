//! The fast path says what the definition says, in any split and order; a removal set of ours blocks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use flowaudit::attribution::index::Index;
use flowaudit::attribution::naive::replay::{Replayed, replay};
use flowaudit::findings::attachment::Attachments;
use flowaudit::findings::ineffective::ineffective;
use flowaudit::findings::ports::{PROFILES, PortProfile};
use flowaudit::findings::redundant::Redundant;
use flowaudit::findings::redundant::proof::Proof;
use flowaudit::findings::removal::{Case, RemovalSet};
use flowaudit::findings::settings::Settings;
use flowaudit::findings::verdict::{Bench, Judged, Unread};
use flowaudit::flow::OwnedFlow;
use flowaudit::ingest::Sink;
use flowaudit::rules::RuleIndex;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::proposal::Proposal;
use flowaudit::rules::timeline::{Snapshot, Timeline, by_time};
use flowaudit::state::Snapshots;
use flowaudit::tally::Tally;
use flowaudit::tally::changes::{Certainty, Change, Proposed};
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::selection::Selection;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;

use crate::account::{Dice, WHOSE, Whose, smallest, snapshots_and_records_of};

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
    let watch = PortWatch::new(Vec::new()).unwrap();
    let uses = tally.rule_uses(&timeline.rules, &watch);
    let attachments = Attachments::of(timeline, tally);
    let settings = Settings::new(86_400, &["dr"], PortProfile::named(PROFILES[0]).unwrap());
    let bench = Bench::new(timeline, tally, &attachments, &settings, Unread::default());
    let judge = |(at, uses)| bench.judge(RuleIndex(u32::try_from(at).unwrap()), uses);
    let judged: Vec<Judged> = uses.iter().enumerate().map(judge).collect();
    let ineffective = ineffective(timeline);
    let redundant = Redundant::of(timeline, &uses, &ineffective);
    let set = RemovalSet::of(&Case {
        timeline,
        tally,
        uses: &uses,
        judged: &judged,
        bench: &bench,
        attachments: &attachments,
        ineffective: &ineffective,
        redundant: &redundant,
        proof: &Proof::of(timeline, &uses),
    });
    set.steps.iter().map(|step| step.rule).collect()
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
