//! Which interfaces carry which group, when, and how much of that time the logs speak of.

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::Seconds;
use crate::rules::RuleIndex;
use crate::rules::state::{Interface, State};
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::coverage::InterfaceTally;
use crate::tally::hours::HOUR;

/// The traffic records' window, in seconds and in whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Smallest start.
    pub first: Seconds,
    /// Largest end.
    pub last: Seconds,
}

impl Window {
    fn hours(self) -> (i64, i64) {
        // A window that ends on the hour does not reach into the next one.
        (self.first.div_euclid(HOUR), (self.last - 1).max(self.first).div_euclid(HOUR) + 1)
    }
}

/// Groups and the interfaces that carry them.
#[derive(Debug)]
pub struct Attachments<'a> {
    timeline: &'a Timeline,
    tally: &'a Tally,
    window: Option<Window>,
    /// Group id → per state the interfaces that carry it.
    by_group: BTreeMap<&'a str, Vec<(usize, &'a Interface)>>,
    slots: BTreeMap<&'a [u8], usize>,
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
        let mut by_group: BTreeMap<&str, Vec<(usize, &Interface)>> = BTreeMap::new();
        for (at, state) in timeline.states.iter().enumerate() {
            for interface in state.interfaces.values() {
                let groups: BTreeSet<&str> = interface.group_ids.iter().map(String::as_str).collect();
                for group in groups {
                    by_group.entry(group).or_default().push((at, interface));
                }
            }
        }
        let window = match (tally.window.first(), tally.window.last()) {
            (Some(first), Some(last)) => Some(Window { first, last: last.max(first) }),
            _ => None,
        };
        let slots = tally.slots.ids().iter().enumerate().map(|(slot, id)| (id.as_ref(), slot)).collect();
        Self { timeline, tally, window, by_group, slots }
    }

    /// The window of the traffic records.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// Interfaces that carry the group in any state, by id, each as last met.
    pub fn interfaces(&self, group: &str) -> BTreeMap<&'a str, &'a Interface> {
        let carried = self.by_group.get(group).into_iter().flatten();
        carried.map(|(_, interface)| (interface.id.as_str(), *interface)).collect()
    }

    /// Interfaces that carry the group in one state.
    pub fn interfaces_at(&self, group: &str, state: usize) -> impl Iterator<Item = &'a Interface> {
        let carried = self.by_group.get(group).into_iter().flatten();
        carried.filter(move |(at, _)| *at == state).map(|(_, interface)| *interface)
    }

    /// Whether any interface carries the group in the state.
    pub fn is_attached(&self, group: &str, state: usize) -> bool {
        self.interfaces_at(group, state).next().is_some()
    }

    /// What was read of an interface.
    pub fn tally(&self, interface_id: &str) -> Option<&'a InterfaceTally> {
        self.slots.get(interface_id.as_bytes()).map(|slot| &self.tally.interfaces[*slot])
    }

    /// The hours in which a state was in force within the window; the first one also judges what lies before it.
    fn hours_in_force(&self, state: usize) -> Option<(i64, i64)> {
        let (first, end) = self.window?.hours();
        let starts = |state: &State| {
            state.from.map_or(i64::MIN, |from| from.div_euclid(HOUR) + i64::from(from.rem_euclid(HOUR) != 0))
        };
        let from = if state == 0 { first } else { starts(&self.timeline.states[state]).max(first) };
        let to = self.timeline.states.get(state + 1).map_or(end, |next| starts(next).min(end));
        (from < to).then_some((from, to))
    }

    /// States in force at some time within the window; all of them where there is no window.
    pub fn states_in_window(&self) -> impl Iterator<Item = usize> {
        let states = &self.timeline.states;
        let window = self.window;
        (0..states.len()).filter(move |&at| {
            let Some(window) = window else { return true };
            let began = at == 0 || states[at].from.is_none_or(|from| from <= window.last);
            let ended =
                states.get(at + 1).is_some_and(|next| next.from.is_some_and(|from| from <= window.first));
            began && !ended
        })
    }

    /// Whether the rule is in force in the state.
    pub fn holds(&self, state: usize, rule: RuleIndex) -> bool {
        let group = &self.timeline.rules[rule.index()].group_id;
        let group = self.timeline.states[state].groups.get(group);
        group.is_some_and(|group| group.rules.binary_search(&rule).is_ok())
    }

    /// How much of the rule's attached time the logs speak of.
    pub fn covered(&self, rule: RuleIndex) -> Covered {
        let group = &self.timeline.rules[rule.index()].group_id;
        let mut sum = Covered::default();
        for at in 0..self.timeline.states.len() {
            let (Some((from, to)), true) = (self.hours_in_force(at), self.holds(at, rule)) else { continue };
            for interface in self.interfaces_at(group, at) {
                sum.attached += u64::try_from(to - from).unwrap_or(0);
                sum.covered += self.tally(&interface.id).map_or(0, |tally| tally.hours.count(from, to));
            }
        }
        sum
    }
}
