//! Since when a rule is known, in force and on interfaces, as the states tell.

use std::collections::BTreeMap;
use std::ops::Range;

use super::attachment::{Attachments, common};
use crate::flow::Seconds;
use crate::rules::state::{Group, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};

/// The states of a run, asked for the life of a rule.
#[derive(Debug)]
pub struct Lifetimes<'a> {
    timeline: &'a Timeline,
    attachments: &'a Attachments<'a>,
    newest_groups: BTreeMap<&'a str, &'a Group>,
    /// By account and region of a group: the states that describe groups there, in order.
    describing: BTreeMap<(&'a str, &'a str), Vec<usize>>,
}

/// What came inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The rule.
    Rule(Seconds),
    /// The first interface that carries its group.
    Attachment(Seconds),
}

impl<'a> Lifetimes<'a> {
    /// Of these states.
    pub fn of(timeline: &'a Timeline, attachments: &'a Attachments<'a>) -> Self {
        let newest_groups = timeline.newest_groups();
        let mut describing: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for group in newest_groups.values() {
            describing.entry((&group.owner_id, &group.region)).or_insert_with(|| {
                let near = |state: &State| state.groups.values().any(|other| other.is_near(group));
                let states = timeline.states.iter().enumerate();
                states.filter(|(_, state)| near(state)).map(|(at, _)| at).collect()
            });
        }
        Self { timeline, attachments, newest_groups, describing }
    }

    /// States within the window that hold the rule and do not say who the peer is, of how many that hold it.
    pub fn unresolved(&self, rule: RuleIndex, peer: &Peer) -> (u64, u64) {
        let count = |spans: &mut dyn Iterator<Item = Range<usize>>| spans.map(|span| span.len() as u64).sum();
        let all: u64 = count(&mut self.attachments.held_in_window(rule));
        let resolved = match peer {
            Peer::Cidr(_) => all,
            Peer::BadCidr(_) => 0,
            Peer::Group(group) => {
                let attached = self.attachments.attached_in(group);
                let held = self.attachments.held_in_window(rule);
                count(&mut held.flat_map(|held| attached.iter().map(move |span| common(span, &held))))
            }
            Peer::PrefixList(list) => {
                let known = |at: &usize| self.timeline.states[*at].prefix_lists.contains_key(list);
                self.attachments.held_in_window(rule).flatten().filter(known).count() as u64
            }
        };
        (all - resolved, all)
    }

    /// The rule, or every attachment of its group, that came inside the window, by a snapshot that lacks it.
    pub fn came_inside(&self, rule: RuleIndex, content: &Rule) -> Option<Came> {
        let group = content.group_id.as_str();
        let rule = self.first_inside(self.timeline.held(rule), |at| self.speaks_of(content, at));
        let attachment = || {
            let attached = self.attachments.attached_in(group);
            self.first_inside(attached, |at| self.speaks_of_interfaces(content, at))
        };
        rule.map(Came::Rule).or_else(|| attachment().map(Came::Attachment))
    }

    /// When the first state from the window's start on that has something began, if that is inside the window and the
    /// state before it could have had it.
    fn first_inside(&self, having: &[Range<usize>], could_have: impl Fn(usize) -> bool) -> Option<Seconds> {
        let window = self.attachments.window()?;
        let start = self.attachments.states_in_window().next()?;
        let first = having.iter().find(|span| span.end > start)?.start.max(start);
        let from = self.timeline.states[first].from.filter(|from| *from > window.first)?;
        (first > start && could_have(first - 1)).then_some(from)
    }

    /// States within the window that lack the rule although they could have it, of how many that could.
    pub fn lacking(&self, rule: RuleIndex, content: &Rule) -> (u64, u64) {
        let window = self.attachments.states_in_window();
        let all = match self.describing_states(content) {
            Some(states) => {
                let until = |end: usize| states.partition_point(|at| *at < end);
                until(window.end) - until(window.start)
            }
            None => window.filter(|&at| self.speaks_of(content, at)).count(),
        };
        // What holds the rule describes it.
        let held: usize = self.attachments.held_in_window(rule).map(|span| span.len()).sum();
        (all.saturating_sub(held) as u64, all as u64)
    }

    /// Since when the rules of the rule's account are known; None: no state describes them. A state of always has no time.
    pub fn known_since(&self, content: &Rule) -> Option<Option<Seconds>> {
        let first = match self.describing_states(content) {
            Some(states) => *states.first()?,
            None => (0..self.timeline.states.len()).find(|&at| self.speaks_of(content, at))?,
        };
        Some(self.timeline.states[first].from)
    }

    /// The newest group of the rule that is known.
    pub fn newest_group(&self, content: &Rule) -> Option<&'a Group> {
        self.newest_groups.get(content.group_id.as_str()).copied()
    }

    /// The states that describe groups of the account and region of the rule's group; None: it is nowhere.
    fn describing_states(&self, content: &Rule) -> Option<&[usize]> {
        let own = self.newest_group(content)?;
        self.describing.get(&(own.owner_id.as_str(), own.region.as_str())).map(Vec::as_slice)
    }

    /// Whether a state describes groups of the account and region of the rule's group.
    fn speaks_of(&self, content: &Rule, state: usize) -> bool {
        match self.describing_states(content) {
            Some(states) => states.binary_search(&state).is_ok(),
            None => !self.timeline.states[state].groups.is_empty(),
        }
    }

    /// Whether a state describes interfaces where the rule's group is.
    fn speaks_of_interfaces(&self, content: &Rule, state: usize) -> bool {
        let interfaces = &self.timeline.states[state].interfaces;
        let vpc = self.newest_group(content).map(|group| group.vpc_id.as_str()).unwrap_or_default();
        interfaces.values().any(|it| vpc.is_empty() || it.vpc_id.is_empty() || it.vpc_id == vpc)
    }
}
