//! Whether a rule is used, and how sure "not seen" is.
//!
//! "None" and "cannot know" are different answers: a rule that was not seen is called unused only if the logs could have
//! shown its use.

use std::collections::BTreeSet;

use serde::Serialize;

use super::attachment::{Attachments, Covered};
use super::loggable::{self, Loggable};
use super::settings::Settings;
use crate::flow::Direction;
use crate::rules::state::{Group, Interface};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};
use crate::tally::Tally;
use crate::tally::usage::RuleUse;

/// What the logs say of a rule's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Some record was let through by it.
    Used,
    /// Some record may have been let through by it.
    PossiblyUsed,
    /// Its group is on no interface in any snapshot.
    Unattached,
    /// Not seen, and the logs could not have shown it.
    CannotDecide,
    /// Not seen: an unused rule.
    NotSeen,
}

/// How far to trust "not seen".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Several doubts, or much of the time not covered.
    Low,
    /// One doubt.
    Medium,
    /// None.
    High,
}

impl Confidence {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Why a verdict is withheld, or trusted less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No attached interface has an ACCEPT record, and none is known to log them.
    InterfaceSilent,
    /// The peer is a group or list that some state in force does not resolve.
    UnresolvedPeer,
    /// ACCEPTs fit the rule in all but the peer, from peers that no snapshot places.
    PeerUnproven,
    /// Flow logs never record (some of) its traffic.
    NotLoggable,
    /// The rule, or all its attachments, appeared inside the window.
    YoungRule,
    /// Less than half of the attached interface-hours are covered.
    CoveredTooLittle,
    /// The protocol is a word nobody knows, so its traffic cannot be told.
    UnknownProtocol,
    /// The logs of an attached interface leave the ports out, which the rule is about.
    PortsNotLogged,
    /// SKIPDATA records on attached interfaces.
    Skipdata,
    /// Some attached interface has no record at all.
    InterfacePartlySilent,
    /// Attached interface-hours without any record.
    Gap,
    /// The window is shorter than the review period.
    WindowShort,
    /// No state of the rules is as old as the window.
    HistoryUnknown,
    /// The rule was not in force all through the window.
    ChangedInWindow,
    /// ACCEPTs in its VPC on interfaces that no snapshot knows.
    UnknownInterfaces,
    /// Some rows, or some logs, could not be read.
    MalformedRows,
    /// World-open both ways: replies pass by this rule, not by tracking.
    CarriesUntrackedReplies,
    /// Its description or tags say it is for rare events.
    RareByName,
    /// An AWS service needs the rule on the interfaces it manages.
    RequiredByService,
}

/// A verdict with everything that stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Only of `not_seen`.
    pub confidence: Option<Confidence>,
    /// Ascending.
    pub reasons: BTreeSet<Reason>,
    /// Covered time.
    pub covered: Covered,
}

/// Judges the rules of a run.
#[derive(Debug)]
pub struct Bench<'a> {
    timeline: &'a Timeline,
    tally: &'a Tally,
    attachments: &'a Attachments<'a>,
    settings: &'a Settings,
    /// Whether some log could not be read, or not to its end.
    unread: bool,
    stray_vpcs: BTreeSet<&'a str>,
    stray_accounts: BTreeSet<&'a str>,
}

impl<'a> Bench<'a> {
    /// A bench over a run's figures; `failures` is how many logs could not be read to their end.
    pub fn new(
        timeline: &'a Timeline,
        tally: &'a Tally,
        attachments: &'a Attachments<'a>,
        settings: &'a Settings,
        failures: usize,
    ) -> Self {
        let strays = || tally.interfaces.iter().map(|interface| &interface.strays);
        Self {
            timeline,
            tally,
            attachments,
            settings,
            unread: failures > 0,
            stray_vpcs: strays().flat_map(|strays| strays.vpc_ids.iter().map(String::as_str)).collect(),
            stray_accounts: strays()
                .flat_map(|strays| strays.account_ids.iter().map(String::as_str))
                .collect(),
        }
    }

    /// The verdict of one rule.
    pub fn judge(&self, rule: RuleIndex, uses: &RuleUse) -> Judged {
        let content = &self.timeline.rules[rule.index()];
        let covered = self.attachments.covered(rule);
        let mut judged =
            Judged { verdict: Verdict::Used, confidence: None, reasons: BTreeSet::new(), covered };
        if uses.records + uses.reply_records > 0 {
            return judged;
        }
        let interfaces: Vec<&Interface> =
            self.attachments.interfaces(&content.group_id).into_values().collect();
        if uses.possible_records > 0 {
            judged.verdict = Verdict::PossiblyUsed;
            return judged;
        }
        if interfaces.is_empty() {
            judged.verdict = Verdict::Unattached;
            judged.reasons.extend(self.unknown_interfaces(content).then_some(Reason::UnknownInterfaces));
            return judged;
        }
        let (forbidden, partly) = self.forbidding(rule, content, uses, &interfaces, covered);
        judged.reasons.extend(forbidden.iter().chain(&partly).copied());
        judged.reasons.extend(self.weakening(rule, content, &interfaces, covered));
        judged.verdict = if forbidden.is_empty() { Verdict::NotSeen } else { Verdict::CannotDecide };
        if judged.verdict == Verdict::NotSeen {
            judged.confidence = Some(confidence(&judged.reasons, covered));
        }
        judged
    }

    /// Reasons that forbid a verdict, and those of the same name that only weaken it.
    fn forbidding(
        &self,
        rule: RuleIndex,
        content: &Rule,
        uses: &RuleUse,
        interfaces: &[&Interface],
        covered: Covered,
    ) -> (Vec<Reason>, Vec<Reason>) {
        let (mut forbidden, mut partly) = (Vec::new(), Vec::new());
        let mut forbid = |reason, holds: bool| forbidden.extend(holds.then_some(reason));
        forbid(
            Reason::InterfaceSilent,
            !interfaces.iter().any(|it| self.has_accepts(it) || self.logs_accepts(it)),
        );
        forbid(Reason::UnresolvedPeer, self.is_unresolved(rule, &content.peer));
        let proven = matches!(content.peer, Peer::Cidr(_) | Peer::BadCidr(_)) || uses.near_records == 0;
        forbid(Reason::PeerUnproven, !proven);
        forbid(Reason::YoungRule, self.is_young(rule, content));
        forbid(Reason::CoveredTooLittle, covered.share().is_none_or(|share| share < 5_000));
        let portless =
            |it: &&Interface| self.attachments.tally(&it.id).is_some_and(|tally| tally.portless > 0);
        forbid(Reason::PortsNotLogged, content.protocol.tests_ports() && interfaces.iter().any(portless));
        forbid(Reason::UnknownProtocol, matches!(content.protocol, RuleProtocol::Unknown(_)));
        match loggable::loggable(content, interfaces, self.attachments, self.timeline) {
            Loggable::Never => forbid(Reason::NotLoggable, true),
            Loggable::Partly => partly.push(Reason::NotLoggable),
            Loggable::Always => {}
        }
        (forbidden, partly)
    }

    fn weakening(
        &self,
        rule: RuleIndex,
        content: &Rule,
        interfaces: &[&Interface],
        covered: Covered,
    ) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut weaken = |reason, holds: bool| reasons.extend(holds.then_some(reason));
        let tallies = || interfaces.iter().map(|interface| self.attachments.tally(&interface.id));
        weaken(Reason::Skipdata, tallies().flatten().any(|tally| tally.skip_data > 0));
        let silent = |tally: &crate::tally::coverage::InterfaceTally| {
            tally.accepted + tally.rejected + tally.no_data == 0
        };
        weaken(Reason::InterfacePartlySilent, tallies().any(|tally| tally.is_none_or(silent)));
        weaken(Reason::Gap, covered.share().is_some_and(|share| share < 9_900));
        let window = self.attachments.window();
        let length = window.map_or(0, |window| window.last - window.first);
        weaken(Reason::WindowShort, length < self.settings.review_period);
        weaken(Reason::HistoryUnknown, window.is_none_or(|window| !self.known_since(content, window.first)));
        let in_window: Vec<usize> = self.attachments.states_in_window().collect();
        let lacks = |&state: &usize| !self.attachments.holds(state, rule) && self.speaks_of(content, state);
        weaken(Reason::ChangedInWindow, in_window.iter().any(lacks));
        weaken(Reason::UnknownInterfaces, self.unknown_interfaces(content));
        weaken(Reason::MalformedRows, self.unread || !self.tally.faults.is_empty());
        weaken(Reason::CarriesUntrackedReplies, self.carries_untracked_replies(content, interfaces));
        weaken(Reason::RareByName, self.is_rare_by_name(rule, content));
        let group = self.newest_group(content);
        weaken(Reason::RequiredByService, super::managed::requires(content, group, interfaces).is_some());
        reasons
    }

    fn has_accepts(&self, interface: &Interface) -> bool {
        self.attachments.tally(&interface.id).is_some_and(|tally| tally.accepted > 0)
    }

    /// A flow log that the snapshot names proves nothing if not one ACCEPT was given.
    fn logs_accepts(&self, interface: &Interface) -> bool {
        let given = self.tally.records.accepted > 0;
        given && self.timeline.flow_logs.iter().any(|flow_log| flow_log.logs_accepts_of(interface))
    }

    /// Whether some state in force within the window does not say who the peer is.
    fn is_unresolved(&self, rule: RuleIndex, peer: &Peer) -> bool {
        self.attachments.states_in_window().filter(|&at| self.attachments.holds(at, rule)).any(|at| {
            let state = &self.timeline.states[at];
            match peer {
                Peer::Cidr(_) => false,
                Peer::BadCidr(_) => true,
                Peer::Group(group) => !self.attachments.is_attached(group, at),
                Peer::PrefixList(list) => !state.prefix_lists.contains_key(list),
            }
        })
    }

    /// The rule, or every attachment of its group, came inside the window, by a snapshot that lacks it.
    fn is_young(&self, rule: RuleIndex, content: &Rule) -> bool {
        let group = content.group_id.as_str();
        self.came_inside(|at| self.attachments.holds(at, rule), |at| self.speaks_of(content, at))
            || self.came_inside(
                |at| self.attachments.is_attached(group, at),
                |at| self.speaks_of_interfaces(content, at),
            )
    }

    /// Whether the first state from the window's start on that has something began inside the window, while the state
    /// before it could have had it.
    fn came_inside(&self, has: impl Fn(usize) -> bool, could_have: impl Fn(usize) -> bool) -> bool {
        let (Some(window), Some(start)) =
            (self.attachments.window(), self.attachments.states_in_window().next())
        else {
            return false;
        };
        let Some(first) = (start..self.timeline.states.len()).find(|&at| has(at)) else { return false };
        let began_inside = self.timeline.states[first].from.is_some_and(|from| from > window.first);
        first > start && began_inside && could_have(first - 1)
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

    fn newest_group(&self, content: &Rule) -> Option<&'a Group> {
        let mut newest_first = self.timeline.states.iter().rev();
        newest_first.find_map(|state| state.groups.get(&content.group_id)).map(AsRef::as_ref)
    }

    /// Whether some state that describes the rule's account is as old as the time.
    fn known_since(&self, content: &Rule, time: i64) -> bool {
        let first = (0..self.timeline.states.len()).find(|&at| self.speaks_of(content, at));
        first.is_some_and(|at| self.timeline.states[at].from.is_none_or(|from| from <= time))
    }

    fn unknown_interfaces(&self, content: &Rule) -> bool {
        self.has_unknown_interfaces(self.newest_group(content))
    }

    /// ACCEPTs on interfaces of no snapshot in the group's VPC, or, where that cannot be told, in its account; of a group
    /// that is not known (None), anywhere.
    pub fn has_unknown_interfaces(&self, group: Option<&Group>) -> bool {
        let Some(group) = group else {
            return !self.stray_vpcs.is_empty() || !self.stray_accounts.is_empty();
        };
        let in_vpc = if group.vpc_id.is_empty() {
            !self.stray_vpcs.is_empty()
        } else {
            self.stray_vpcs.contains(group.vpc_id.as_str())
        };
        let in_account = self.stray_accounts.iter().any(|account| {
            group.owner_id.is_empty() || *account == group.owner_id || matches!(*account, "" | "unknown")
        });
        in_vpc || in_account
    }

    /// A TCP or UDP flow that rules permit from the world while the other direction permits every reply is not tracked:
    /// then the reply passes by the rule.
    ///
    /// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>.
    fn carries_untracked_replies(&self, content: &Rule, interfaces: &[&Interface]) -> bool {
        let all_ports = !content.protocol.tests_ports() || matches!(content.ports(), (0 | 1, u16::MAX));
        if !is_world(content) || !all_ports || !loggable::is_tcp_udp_or_all(content) {
            return false;
        }
        let Some(newest) = self.timeline.newest() else { return false };
        let groups = interfaces.iter().flat_map(|interface| &interface.group_ids);
        let rules = groups.filter_map(|group| newest.groups.get(group)).flat_map(|group| &group.rules);
        let opposite: Direction = content.direction.opposite();
        rules.map(|rule| &self.timeline.rules[rule.index()]).any(|other| {
            other.direction == opposite
                && is_world(other)
                && other.peer == content.peer
                && loggable::is_tcp_udp_or_all(other)
        })
    }

    fn is_rare_by_name(&self, rule: RuleIndex, content: &Rule) -> bool {
        let label = &self.timeline.labels[rule.index()];
        let group = self.newest_group(content);
        let rule_tags = label.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let group_tags =
            group.into_iter().flat_map(|group| &group.tags).flat_map(|(key, value)| [key.as_str(), value]);
        let group_texts =
            group.into_iter().flat_map(|group| [group.name.as_str(), group.description.as_str()]);
        let texts =
            label.description.as_deref().into_iter().chain(rule_tags).chain(group_tags).chain(group_texts);
        texts.into_iter().any(|text| self.settings.names_rare_event(text))
    }
}

fn is_world(rule: &Rule) -> bool {
    matches!(&rule.peer, Peer::Cidr(net) if net.prefix_len() == 0)
}

/// High needs no reason and 99 % covered; one reason is medium; two, or under 90 % covered, low.
fn confidence(reasons: &BTreeSet<Reason>, covered: Covered) -> Confidence {
    let share = covered.share().unwrap_or(0);
    match reasons.len() {
        _ if share < 9_000 || reasons.contains(&Reason::RareByName) => Confidence::Low,
        0 if share >= 9_900 => Confidence::High,
        0 | 1 => Confidence::Medium,
        _ => Confidence::Low,
    }
}
