//! Interfaces and rules through all states: each as it was, and from which state to which.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::Timeline;
use crate::rules::state::{Group, Interface, State};

/// Every interface of any state. States that follow each other and have the same are one span.
#[derive(Debug, Default)]
pub struct Lives<'a> {
    /// By id, oldest span first.
    by_id: Vec<(&'a str, Vec<Span<'a>>)>,
}

/// States in which an interface was the same.
#[derive(Debug, Clone)]
pub struct Span<'a> {
    /// The states.
    pub states: Range<usize>,
    /// What it was.
    pub interface: &'a Arc<Interface>,
}

impl<'a> Lives<'a> {
    pub(super) fn of(timeline: &'a Timeline) -> Self {
        let mut by_id: BTreeMap<&str, Vec<Span<'_>>> = BTreeMap::new();
        let end = timeline.states.len();
        let Some(first) = timeline.states.first() else { return Self::default() };
        for (id, interface) in &first.interfaces {
            by_id.entry(id).or_default().push(Span { states: 0..end, interface });
        }
        for (at, pair) in (1..).zip(timeline.states.windows(2)) {
            let [before, state] = pair else { continue };
            for (id, interface) in changed(&before.interfaces, &state.interfaces) {
                if let Some(span) = by_id.get_mut(id.as_str()).and_then(|spans| spans.last_mut()) {
                    span.states.end = span.states.end.min(at);
                }
                if let Some(interface) = interface {
                    by_id.entry(id).or_default().push(Span { states: at..end, interface });
                }
            }
        }
        Self { by_id: by_id.into_iter().collect() }
    }

    /// Their ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = &'a str> {
        self.by_id.iter().map(|(id, _)| *id)
    }

    /// Everything that any of them ever was.
    pub fn interfaces(&self) -> impl Iterator<Item = &'a Interface> {
        self.spans().map(|span| span.interface.as_ref())
    }

    /// Every span.
    pub fn spans(&self) -> impl Iterator<Item = &Span<'a>> {
        self.by_id.iter().flat_map(|(_, spans)| spans)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The place of an id among all, in order.
    pub fn number(&self, id: &str) -> Option<usize> {
        self.by_id.binary_search_by_key(&id, |(known, _)| known).ok()
    }

    /// The interface at this place as the state has it (true), or else as the next state that has it, or else as the last
    /// one before.
    pub fn at(&self, number: usize, state: usize) -> Option<(bool, &'a Arc<Interface>)> {
        let (_, spans) = self.by_id.get(number)?;
        let next = spans.partition_point(|span| span.states.end <= state);
        let span = spans.get(next).or(spans.last())?;
        Some((span.states.contains(&state), span.interface))
    }
}

/// Groups as each state has them that the state before lacks or has otherwise, oldest first.
pub(crate) fn told_groups(states: &[State]) -> impl Iterator<Item = (&str, &Group)> {
    let first = states.first().into_iter().flat_map(|state| &state.groups);
    let later = states.windows(2).flat_map(|pair| match pair {
        [before, state] => {
            let new = changed(&before.groups, &state.groups);
            new.filter_map(|(id, group)| Some((id, group?))).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    });
    first.chain(later).map(|(id, group)| (id.as_str(), group.as_ref()))
}

/// By rule: the states that hold it, in order.
pub(super) fn held(states: &[State], rules: usize) -> Vec<Vec<Range<usize>>> {
    let mut held: Vec<Vec<Range<usize>>> = vec![Vec::new(); rules];
    let nothing = OrdMap::new();
    let mut before = &nothing;
    for (at, state) in states.iter().enumerate() {
        for (id, group) in changed(before, &state.groups) {
            let old = before.get(id).map(|group| group.rules.as_slice()).unwrap_or_default();
            let new = group.map(|group| group.rules.as_slice()).unwrap_or_default();
            for rule in old.iter().filter(|rule| new.binary_search(rule).is_err()) {
                if let Some(span) = held[rule.index()].last_mut() {
                    span.end = at;
                }
            }
            for rule in new.iter().filter(|rule| old.binary_search(rule).is_err()) {
                held[rule.index()].push(at..states.len());
            }
        }
        before = &state.groups;
    }
    held
}

/// What is different in the next map: by id, the new value, None where it is gone.
pub(crate) fn changed<'a, T: PartialEq>(
    before: &'a OrdMap<String, Arc<T>>,
    state: &'a OrdMap<String, Arc<T>>,
) -> impl Iterator<Item = (&'a String, Option<&'a Arc<T>>)> {
    before.diff(state).map(|item| match item {
        DiffItem::Add(id, value) | DiffItem::Update { new: (id, value), .. } => (id, Some(value)),
        DiffItem::Remove(id, _) => (id, None),
    })
}
