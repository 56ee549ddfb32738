//! The cheapest things that meet every demand: exactly where that is found soon, else as good as a greedy search finds.
//!
//! A demand names things of which at least one must stay. First what follows without choice is done (one thing alone,
//! demands within others, things that others are at least as good as), then each part that hangs together is searched.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// How an answer was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing cheaper meets the demands.
    #[default]
    Exact,
    /// Something cheaper may.
    Greedy,
}

impl Method {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Greedy => "greedy",
        }
    }
}

/// Things by number, ascending.
type Demand = Vec<u32>;

/// Demands looked at in all searches together; then the best so far is the answer.
const MOST_LOOKS: usize = 4_000_000;
/// Above so many demands things that others are as good as are not looked for: it takes the square of them.
const MOST_COMPARED: usize = 4_096;

/// The cheapest things such that every demand names one of them. A demand of nothing cannot be met, and is none.
pub fn fewest(demands: BTreeSet<Demand>, cost: &dyn Fn(u32) -> u64) -> (BTreeSet<u32>, Method) {
    let mut kept = BTreeSet::new();
    let mut open: Vec<Demand> = demands.into_iter().filter(|demand| !demand.is_empty()).collect();
    loop {
        open = without_supersets(open);
        let alone: BTreeSet<u32> = open.iter().filter(|it| it.len() == 1).flatten().copied().collect();
        open.retain(|demand| !demand.iter().any(|thing| alone.contains(thing)));
        kept.extend(alone.iter().copied());
        let dropped = open.len() <= MOST_COMPARED && drop_dominated(&mut open, cost);
        if alone.is_empty() && !dropped {
            break;
        }
    }
    let mut method = Method::Exact;
    let mut looks = MOST_LOOKS;
    for part in parts(open) {
        let mut search = Search::of(greedy(&part, cost), cost, looks);
        search.branch(&part, 0);
        looks = search.looks;
        if looks == 0 {
            method = Method::Greedy;
        }
        kept.extend(search.best);
    }
    (kept, method)
}

/// What holds another demand is met with it.
fn without_supersets(mut demands: Vec<Demand>) -> Vec<Demand> {
    demands.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    demands.dedup();
    // By thing: those that hold it. A demand within another one is among those of its own first thing.
    let mut by_first: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut left: Vec<Demand> = Vec::with_capacity(demands.len());
    for demand in demands {
        let mut inner = demand.iter().filter_map(|thing| by_first.get(thing)).flatten();
        if inner.any(|at| is_within(&left[*at], &demand)) {
            continue;
        }
        if let Some(first) = demand.first() {
            by_first.entry(*first).or_default().push(left.len());
        }
        left.push(demand);
    }
    left
}

/// Both ascending.
fn is_within<T: Ord>(inner: &[T], outer: &[T]) -> bool {
    let mut outer = outer.iter();
    inner.iter().all(|thing| outer.find(|other| *other >= thing).is_some_and(|other| other == thing))
}

/// Takes away things where another one meets all demands that they meet, at no more cost.
fn drop_dominated(demands: &mut [Demand], cost: &dyn Fn(u32) -> u64) -> bool {
    let mut met: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, demand) in demands.iter().enumerate() {
        for thing in demand {
            met.entry(*thing).or_default().push(at);
        }
    }
    let mut dropped = BTreeSet::new();
    for (thing, own) in &met {
        // Whatever takes its place is in each of its demands, so in the first.
        let Some(others) = own.first().map(|first| &demands[*first]) else { continue };
        let better = |other: &&u32| {
            let rank = (cost(**other), **other) < (cost(*thing), *thing);
            rank && !dropped.contains(*other) && met.get(*other).is_some_and(|all| is_within(own, all))
        };
        let beaten = others.iter().any(|other| better(&other));
        if beaten {
            dropped.insert(*thing);
        }
    }
    for demand in &mut *demands {
        demand.retain(|thing| !dropped.contains(thing));
    }
    !dropped.is_empty()
}

/// Demands that share things, directly or through others, belong together.
fn parts(demands: Vec<Demand>) -> Vec<Vec<Demand>> {
    // By thing: the part it belongs to, or the one that this one has become.
    let mut part_of: BTreeMap<u32, usize> = BTreeMap::new();
    let mut parts: Vec<Vec<Demand>> = Vec::new();
    for demand in demands {
        let touched: BTreeSet<usize> =
            demand.iter().filter_map(|thing| part_of.get(thing)).copied().collect();
        let at = touched.first().copied().unwrap_or_else(|| {
            parts.push(Vec::new());
            parts.len() - 1
        });
        for other in touched.into_iter().skip(1) {
            let moved = std::mem::take(&mut parts[other]);
            for thing in moved.iter().flatten() {
                part_of.insert(*thing, at);
            }
            parts[at].extend(moved);
        }
        for thing in &demand {
            part_of.insert(*thing, at);
        }
        parts[at].push(demand);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Again and again what meets most demands for its cost; then what turned out not to be needed goes.
fn greedy(demands: &[Demand], cost: &dyn Fn(u32) -> u64) -> Vec<u32> {
    let mut chosen = Vec::new();
    let mut open: Vec<&Demand> = demands.iter().collect();
    while !open.is_empty() {
        let mut meets: BTreeMap<u32, u64> = BTreeMap::new();
        for thing in open.iter().copied().flatten() {
            *meets.entry(*thing).or_default() += 1;
        }
        // The larger count per cost, compared crosswise; the first of equals.
        let best = meets.into_iter().reduce(|best, next| {
            let (ours, theirs) = (u128::from(best.1), u128::from(next.1));
            let better = theirs * u128::from(cost(best.0)) > ours * u128::from(cost(next.0));
            if better { next } else { best }
        });
        let Some((thing, _)) = best else { break };
        chosen.push(thing);
        open.retain(|demand| !demand.contains(&thing));
    }
    let mut at = chosen.len();
    while at > 0 {
        at -= 1;
        let thing = chosen.remove(at);
        let met = |demand: &Demand| demand.iter().any(|other| chosen.contains(other));
        if !demands.iter().all(met) {
            chosen.insert(at, thing);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Branch and bound over one part.
struct Search<'a> {
    cost: &'a dyn Fn(u32) -> u64,
    /// Demands that may still be looked at.
    looks: usize,
    best: Vec<u32>,
    best_cost: u64,
    now: Vec<u32>,
}

impl<'a> Search<'a> {
    fn of(best: Vec<u32>, cost: &'a dyn Fn(u32) -> u64, looks: usize) -> Self {
        let best_cost = best.iter().map(|thing| cost(*thing)).sum();
        Self { cost, looks, best, best_cost, now: Vec::new() }
    }

    fn branch(&mut self, open: &[Demand], spent: u64) {
        self.looks = self.looks.saturating_sub(open.len() + 1);
        if self.looks == 0 || spent + self.least(open) >= self.best_cost {
            return;
        }
        // The demand with the fewest choices.
        let Some(demand) = open.iter().min_by_key(|demand| demand.len()) else {
            (self.best, self.best_cost) = (self.now.clone(), spent);
            return;
        };
        let mut refused: Vec<u32> = Vec::new();
        for thing in demand {
            // What was tried before in this place is not tried again beside another.
            let rest: Vec<Demand> = open
                .iter()
                .filter(|demand| !demand.contains(thing))
                .map(|demand| demand.iter().copied().filter(|it| !refused.contains(it)).collect())
                .collect();
            if rest.iter().all(|demand: &Demand| !demand.is_empty()) {
                self.now.push(*thing);
                self.branch(&rest, spent + (self.cost)(*thing));
                self.now.pop();
            }
            refused.push(*thing);
        }
    }

    /// Demands without a common thing must each be paid for.
    fn least(&self, open: &[Demand]) -> u64 {
        let mut taken: BTreeSet<u32> = BTreeSet::new();
        let mut least = 0;
        for demand in open {
            if demand.iter().all(|thing| !taken.contains(thing)) {
                least += demand.iter().map(|thing| (self.cost)(*thing)).min().unwrap_or(0);
                taken.extend(demand.iter().copied());
            }
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cheapest_by_trying_all(demands: &BTreeSet<Demand>, costs: &[u64]) -> u64 {
        let things = u32::try_from(costs.len()).unwrap();
        let all = 0..1_u32 << things;
        let meets = |chosen: u32| demands.iter().all(|demand| demand.iter().any(|it| chosen >> it & 1 == 1));
        let cost =
            |chosen: u32| (0..things).filter(|it| chosen >> it & 1 == 1).map(|it| costs[it as usize]).sum();
        all.filter(|chosen| meets(*chosen)).map(cost).min().unwrap()
    }

    #[test]
    fn what_cannot_be_met_is_no_demand_and_one_thing_alone_is_no_choice() {
        let cases: [(&[&[u32]], &[u32]); 6] = [
            (&[], &[]),
            (&[&[]], &[]),
            (&[&[3]], &[3]),
            (&[&[1, 2], &[1]], &[1]),
            (&[&[1, 2], &[2, 3]], &[2]),
            (&[&[1, 2], &[3, 4]], &[1, 3]),
        ];
        for (demands, expected) in cases {
            let demands = demands.iter().map(|demand| demand.to_vec()).collect();
            let (kept, method) = fewest(demands, &|_| 1);
            assert_eq!((kept.into_iter().collect::<Vec<_>>().as_slice(), method), (expected, Method::Exact));
        }
    }

    #[test]
    fn greedy_alone_would_keep_one_too_many() {
        // The thing that meets most is not needed when both others stay.
        let demands: BTreeSet<Demand> =
            [[0, 1], [0, 1], [0, 2], [1, 3], [2, 4], [0, 4]].iter().map(|it| it.to_vec()).collect();
        let (kept, method) = fewest(demands.clone(), &|_| 1);
        assert_eq!(kept.len() as u64, cheapest_by_trying_all(&demands, &[1; 5]));
        assert_eq!(method, Method::Exact);
    }

    #[test]
    fn a_hard_part_is_answered_greedily_and_says_so() {
        // Every pair of a hundred things but for neighbours: no bound helps, and there is no time to try all.
        let mut dice = 1_u64;
        let mut demands = BTreeSet::new();
        for _ in 0..400 {
            let mut demand: Demand = (0..4)
                .map(|_| {
                    dice =
                        dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    u32::try_from(dice >> 33).unwrap() % 100
                })
                .collect();
            demand.sort_unstable();
            demand.dedup();
            demands.insert(demand);
        }
        let (kept, method) = fewest(demands.clone(), &|_| 1);
        assert!(demands.iter().all(|demand| demand.iter().any(|it| kept.contains(it))));
        assert_eq!(method, Method::Greedy);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn as_cheap_as_trying_all(
            demands in prop::collection::btree_set(prop::collection::btree_set(0..9_u32, 1..4), 0..14),
            costs in prop::collection::vec(1..5_u64, 9),
        ) {
            let demands: BTreeSet<Demand> =
                demands.into_iter().map(|demand| demand.into_iter().collect()).collect();
            let (kept, method) = fewest(demands.clone(), &|thing| costs[thing as usize]);
            prop_assert!(demands.iter().all(|demand| demand.iter().any(|it| kept.contains(it))));
            prop_assert_eq!(method, Method::Exact);
            let cost: u64 = kept.iter().map(|thing| costs[*thing as usize]).sum();
            prop_assert_eq!(cost, cheapest_by_trying_all(&demands, &costs));
        }
    }
}
