//! Since when a rule is known, in force and on interfaces, as the states tell.

use super::attachment::Attachments;
use crate::flow::Seconds;
use crate::rules::state::Group;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};

/// The states of a run, asked for the life of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes<'a> {
    timeline: &'a Timeline,
    attachments: &'a Attachments<'a>,
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
        Self { timeline, attachments }
    }

    /// States within the window that hold the rule and do not say who the peer is, of how many that hold it.
    pub fn unresolved(&self, rule: RuleIndex, peer: &Peer) -> (u64, u64) {
        let holding = self.attachments.states_in_window().filter(|&at| self.attachments.holds(at, rule));
        let is_unresolved = |at: usize| match peer {
            Peer::Cidr(_) => false,
            Peer::BadCidr(_) => true,
            Peer::Group(group) => !self.attachments.is_attached(group, at),
            Peer::PrefixList(list) => !self.timeline.states[at].prefix_lists.contains_key(list),
        };
        holding.fold((0, 0), |(unresolved, all), at| (unresolved + u64::from(is_unresolved(at)), all + 1))
    }

    /// The rule, or every attachment of its group, that came inside the window, by a snapshot that lacks it.
    pub fn came_inside(&self, rule: RuleIndex, content: &Rule) -> Option<Came> {
        let group = content.group_id.as_str();
        let rule = self.first_inside(|at| self.attachments.holds(at, rule), |at| self.speaks_of(content, at));
        let attachment = || {
            let attached = |at| self.attachments.is_attached(group, at);
            self.first_inside(attached, |at| self.speaks_of_interfaces(content, at))
        };
        rule.map(Came::Rule).or_else(|| attachment().map(Came::Attachment))
    }

    /// When the first state from the window's start on that has something began, if that is inside the window and the
    /// state before it could have had it.
    fn first_inside(
        &self,
        has: impl Fn(usize) -> bool,
        could_have: impl Fn(usize) -> bool,
    ) -> Option<Seconds> {
        let window = self.attachments.window()?;
        let start = self.attachments.states_in_window().next()?;
        let first = (start..self.timeline.states.len()).find(|&at| has(at))?;
        let from = self.timeline.states[first].from.filter(|from| *from > window.first)?;
        (first > start && could_have(first - 1)).then_some(from)
    }

    /// States within the window that lack the rule although they could have it, of how many that could.
    pub fn lacking(&self, rule: RuleIndex, content: &Rule) -> (u64, u64) {
        let speaking = self.attachments.states_in_window().filter(|&at| self.speaks_of(content, at));
        speaking.fold((0, 0), |(lacking, all), at| {
            (lacking + u64::from(!self.attachments.holds(at, rule)), all + 1)
        })
    }

    /// Since when the rules of the rule's account are known; None: no state describes them. A state of always has no time.
    pub fn known_since(&self, content: &Rule) -> Option<Option<Seconds>> {
        let first = (0..self.timeline.states.len()).find(|&at| self.speaks_of(content, at))?;
        Some(self.timeline.states[first].from)
    }

    /// The newest group of the rule that is known.
    pub fn newest_group(&self, content: &Rule) -> Option<&'a Group> {
        let mut newest_first = self.timeline.states.iter().rev();
        newest_first.find_map(|state| state.groups.get(&content.group_id)).map(AsRef::as_ref)
    }

    /// Whether a state describes groups of the account and region of the rule's group.
    fn speaks_of(&self, content: &Rule, state: usize) -> bool {
        let groups = &self.timeline.states[state].groups;
        let Some(own) = self.newest_group(content) else { return !groups.is_empty() };
        groups.contains_key(&content.group_id) || groups.values().any(|group| group.is_near(own))
    }

    /// Whether a state describes interfaces where the rule's group is.
    fn speaks_of_interfaces(&self, content: &Rule, state: usize) -> bool {
        let interfaces = &self.timeline.states[state].interfaces;
        let vpc = self.newest_group(content).map(|group| group.vpc_id.as_str()).unwrap_or_default();
        interfaces.values().any(|it| vpc.is_empty() || it.vpc_id.is_empty() || it.vpc_id == vpc)
    }
}
