//! Which interfaces carry which group, when, and how much of that time the logs speak of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::recorders::Recorders;
use crate::flow::Seconds;
use crate::rules::RuleIndex;
use crate::rules::state::{Interface, State};
use crate::rules::timeline::{Lives, Span, Timeline};
use crate::tally::Tally;
use crate::tally::coverage::InterfaceTally;
use crate::tally::hours::{HOUR, Hours};

/// The traffic records' window, in seconds and in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Smallest start.
    pub first: Seconds,
    /// Largest end.
    pub last: Seconds,
}

impl Window {
    /// The hours it touches: the first, and the one after the last.
    pub fn hours(self) -> (i64, i64) {
        // A window that ends on the hour does not reach into the next one.
        (self.first.div_euclid(HOUR), (self.last - 1).max(self.first).div_euclid(HOUR) + 1)
    }
}

/// Groups and the interfaces that carry them.
#[derive(Debug)]
pub struct Attachments<'a> {
    timeline: &'a Timeline,
    tally: &'a Tally,
    lives: Lives<'a>,
    window: Option<Window>,
    /// States in force at some time within the window; all of them where there is no window.
    in_window: Range<usize>,
    /// Group id → the interfaces that carry it, and in which states.
    by_group: BTreeMap<&'a str, Vec<(Range<usize>, &'a Interface)>>,
    /// Group id → states in which any interface carries it: spans in order, none touching the next.
    attached: BTreeMap<&'a str, Vec<Range<usize>>>,
    /// Group id → interfaces that carry it in any state, by id, each as last met.
    ever: BTreeMap<&'a str, BTreeMap<&'a str, &'a Interface>>,
    slots: BTreeMap<&'a [u8], usize>,
    /// By slot: hours that the logs speak of.
    covered: Vec<Hours>,
    recorders: Recorders<'a>,
    /// Interfaces whose ACCEPTs nobody records, as far as is known.
    blind: BTreeSet<&'a str>,
}

/// Interface-hours of a rule: how many, and of how many the logs hold something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Hours in which some interface carried the rule, summed over interfaces.
    pub attached: u64,
    /// Of those, hours with records or NODATA.
    pub covered: u64,
}

impl Covered {
    /// The share in ten-thousandths; None where nothing was attached.
    pub fn share(self) -> Option<u64> {
        (self.attached > 0).then(|| self.covered * 10_000 / self.attached)
    }
}

impl<'a> Attachments<'a> {
    /// Collects them from every state.
    pub fn of(timeline: &'a Timeline, tally: &'a Tally) -> Self {
        let mut by_group: BTreeMap<&str, Vec<(Range<usize>, &Interface)>> = BTreeMap::new();
        let mut ever: BTreeMap<&str, BTreeMap<&str, &Interface>> = BTreeMap::new();
        let lives = timeline.lives();
        for Span { states, interface } in lives.spans() {
            let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
            for group in groups {
                by_group.entry(group).or_default().push((states.clone(), interface));
                ever.entry(group).or_default().insert(interface.id.as_str(), interface);
            }
        }
        let window = match (tally.window.first(), tally.window.last()) {
            (Some(first), Some(last)) => Some(Window { first, last: last.max(first) }),
            _ => None,
        };
        let slots: BTreeMap<&[u8], usize> =
            tally.slots.ids().iter().enumerate().map(|(slot, id)| (id.as_ref(), slot)).collect();
        let recorders = Recorders::of(timeline);
        let accepts =
            |id: &str| slots.get(id.as_bytes()).is_some_and(|it| tally.interfaces[*it].accepted > 0);
        let is_blind = |it: &&Interface| recorders.record_refusals_alone(it) && !accepts(&it.id);
        let blind = lives.interfaces().filter(is_blind).map(|it| it.id.as_str()).collect();
        Self {
            timeline,
            tally,
            lives,
            window,
            in_window: in_window(timeline, window),
            attached: by_group.iter().map(|(group, carried)| (*group, union(carried))).collect(),
            by_group,
            ever,
            slots,
            recorders,
            blind,
            covered: tally.interfaces.iter().map(InterfaceTally::covered).collect(),
        }
    }

    /// The window of the traffic records.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// Interfaces that carry the group in any state, by id, each as last met.
    pub fn interfaces(&self, group: &str) -> BTreeMap<&'a str, &'a Interface> {
        self.ever.get(group).cloned().unwrap_or_default()
    }

    /// Interfaces that carry the group in some state in force within the window, by id, each as last met there; where
    /// none does, those of all states.
    pub fn interfaces_in_window(&self, group: &str) -> BTreeMap<&'a str, &'a Interface> {
        let carried = self.by_group.get(group).map(Vec::as_slice).unwrap_or_default();
        let within = carried
            .iter()
            .filter(|(states, _)| states.start < self.in_window.end && self.in_window.start < states.end);
        let found: BTreeMap<_, _> =
            within.map(|(_, interface)| (interface.id.as_str(), *interface)).collect();
        if found.is_empty() { self.interfaces(group) } else { found }
    }

    /// Interfaces that carry the group in one state.
    pub fn interfaces_at(&self, group: &str, state: usize) -> impl Iterator<Item = &'a Interface> {
        let carried = self.by_group.get(group).into_iter().flatten();
        carried.filter(move |(states, _)| states.contains(&state)).map(|(_, interface)| *interface)
    }

    /// Whether any interface carries the group in the state.
    pub fn is_attached(&self, group: &str, state: usize) -> bool {
        let spans = self.attached_in(group);
        let next = spans.partition_point(|span| span.end <= state);
        spans.get(next).is_some_and(|span| span.contains(&state))
    }

    /// The states in which any interface carries the group.
    pub fn attached_in(&self, group: &str) -> &[Range<usize>] {
        self.attached.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// The states within the window that hold the rule.
    pub fn held_in_window(&self, rule: RuleIndex) -> impl Iterator<Item = Range<usize>> {
        let held = self.timeline.held(rule).iter();
        held.map(|span| common(span, &self.in_window)).filter(|span| !span.is_empty())
    }

    /// What was read of an interface.
    pub fn tally(&self, interface_id: &str) -> Option<&'a InterfaceTally> {
        self.slots.get(interface_id.as_bytes()).map(|slot| &self.tally.interfaces[*slot])
    }

    /// The first whole hour of a state within the window; the first one also judges what lies before it. Past the last
    /// state, the end of the window.
    fn begins(&self, state: usize, (first, end): (i64, i64)) -> i64 {
        match self.timeline.states.get(state) {
            _ if state == 0 => first,
            None => end,
            Some(state) => state.from.map_or(first, |from| {
                (from.div_euclid(HOUR) + i64::from(from.rem_euclid(HOUR) != 0)).clamp(first, end)
            }),
        }
    }

    /// The hours in which these states, one after the other, were in force within the window.
    fn hours_in_force(&self, states: &Range<usize>) -> Option<(i64, i64)> {
        let window = self.window?.hours();
        let (from, to) = (self.begins(states.start, window), self.begins(states.end, window));
        (from < to).then_some((from, to))
    }

    /// States in force at some time within the window; all of them where there is no window.
    pub fn states_in_window(&self) -> Range<usize> {
        self.in_window.clone()
    }

    /// Interface-hours in which an interface carried the rule: from and to, once for every time that it did.
    fn carried(&self, rule: RuleIndex) -> impl Iterator<Item = (&'a Interface, i64, i64)> {
        let group = self.timeline.rules[rule.index()].group_id.as_str();
        let carried = self.by_group.get(group).map(Vec::as_slice).unwrap_or_default();
        self.held_in_window(rule).flat_map(move |held| {
            carried.iter().filter_map(move |(states, interface)| {
                let (from, to) = self.hours_in_force(&common(states, &held))?;
                Some((*interface, from, to))
            })
        })
    }

    /// How much of the rule's attached time the logs speak of.
    pub fn covered(&self, rule: RuleIndex) -> Covered {
        self.carried(rule).fold(Covered::default(), |sum, (interface, from, to)| Covered {
            attached: sum.attached + u64::try_from(to - from).unwrap_or(0),
            covered: sum.covered + self.covered_hours(&interface.id, from, to),
        })
    }

    /// How much of the time of all interfaces the logs speak of.
    pub fn covered_by_all(&self) -> Covered {
        let spans = self
            .hours_of_life()
            .into_iter()
            .flat_map(|(id, spans)| spans.into_iter().map(move |it| (id, it)));
        spans.fold(Covered::default(), |sum, (id, (from, to))| Covered {
            attached: sum.attached + u64::try_from(to - from).unwrap_or(0),
            covered: sum.covered + self.covered_hours(id, from, to),
        })
    }

    /// Of the rule's attached time, interface-hours of which the logs do not speak and that end before the flow log of
    /// the interface began, as `began` says; None where that is not known.
    pub fn uncovered_before(&self, rule: RuleIndex, began: impl Fn(&Interface) -> Option<Seconds>) -> u64 {
        let uncovered = self.carried(rule).filter_map(|(interface, from, to)| {
            let to = to.min(began(interface)?.div_euclid(HOUR));
            let hours = u64::try_from(to - from).ok()?;
            Some(hours - self.covered_hours(&interface.id, from, to))
        });
        uncovered.sum()
    }

    /// Which flow logs record which interface.
    pub fn recorders(&self) -> &Recorders<'a> {
        &self.recorders
    }

    /// Whether every flow log that is known to record the interface records REJECTs alone, and no ACCEPT says otherwise:
    /// what is read of it shows no use.
    pub fn is_blind(&self, interface_id: &str) -> bool {
        self.blind.contains(interface_id)
    }

    fn covered_hours(&self, interface_id: &str, from: i64, to: i64) -> u64 {
        if self.is_blind(interface_id) {
            return 0;
        }
        let slot = self.slots.get(interface_id.as_bytes());
        slot.map_or(0, |slot| self.covered[*slot].count(from, to))
    }

    /// Every interface of any state, with the states that have it.
    pub fn lives(&self) -> &Lives<'a> {
        &self.lives
    }

    /// The hours within the window in which the snapshots have each interface, by id: (from, to) in order of time.
    pub fn hours_of_life(&self) -> BTreeMap<&'a str, Vec<(i64, i64)>> {
        let mut lives: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
        let Some(window) = self.window.map(Window::hours) else { return lives };
        for Span { states, interface } in self.lives.spans() {
            let (from, to) = (self.begins(states.start, window), self.begins(states.end, window));
            let life = lives.entry(interface.id.as_str()).or_default();
            match life.last_mut() {
                Some((_, end)) if *end == from => *end = to,
                _ => life.push((from, to)),
            }
        }
        lives
    }
}

/// The states that both spans have.
pub(super) fn common(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.max(b.start)..a.end.min(b.end)
}

/// The states of any of the spans, in order.
fn union(carried: &[(Range<usize>, &Interface)]) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = carried.iter().map(|(states, _)| states.clone()).collect();
    spans.sort_unstable_by_key(|span| span.start);
    let mut union: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match union.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => union.push(span),
        }
    }
    union
}

/// States in force at some time within the window; all of them where there is no window.
fn in_window(timeline: &Timeline, window: Option<Window>) -> Range<usize> {
    let states = &timeline.states;
    let Some(window) = window else { return 0..states.len() };
    let begun = |state: &State| state.from.is_none_or(|from| from <= window.last);
    let ended = |state: &State| state.from.is_none_or(|from| from <= window.first);
    let end = states.partition_point(begun).max(1).min(states.len());
    // A state ends where the next one begins.
    let start = states.get(1..).map_or(0, |next| next.partition_point(ended));
    start..end
}
