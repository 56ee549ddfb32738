//! The reasons that speak against a verdict, each with its figures.

use super::{Bench, Case};
use crate::findings::attachment::Window;
use crate::findings::lifetime::Came;
use crate::findings::reason::{Doubt, Newcomer};
use crate::findings::{loggable, managed};
use crate::flow::Direction;
use crate::rules::ranked::{PortList, RuleAction};
use crate::rules::state::Interface;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};
use crate::tally::coverage::InterfaceTally;
use crate::tally::hours::HOUR;
use crate::time;

impl<'a> Bench<'a> {
    /// Reasons that forbid a verdict, besides traffic that is never logged.
    pub(super) fn forbidding(&self, case: &Case<'_>) -> Vec<Doubt> {
        let Case { rule, content, uses, interfaces, covered } = *case;
        let mut doubts = Vec::new();
        doubts.extend(self.silence(content, interfaces));
        let (unresolved_states, states) = self.lifetimes.unresolved(rule, &content.peer);
        if unresolved_states > 0 {
            let peer = content.peer.to_string();
            doubts.push(Doubt::UnresolvedPeer { peer, states, unresolved_states });
        }
        if let Some(PortList { id, ranges: None }) = content.port_list() {
            doubts.push(Doubt::UnresolvedPeer { peer: id.clone(), states: 1, unresolved_states: 1 });
        }
        if uses.near_records > 0 && matches!(content.peer, Peer::Group(_) | Peer::PrefixList(_)) {
            doubts.push(Doubt::PeerUnproven { near_records: uses.near_records });
        }
        if let (Some(came), Some(window)) =
            (self.lifetimes.came_inside(rule, content), self.attachments.window())
        {
            let (what, since) = match came {
                Came::Rule(since) => (Newcomer::Rule, since),
                Came::Attachment(since) => (Newcomer::Attachment, since),
            };
            let (since, window_first_seen) = (time::format(since), time::format(window.first));
            doubts.push(Doubt::YoungRule { what, since, window_first_seen });
        }
        if covered.share().is_none_or(|share| share < 5_000) {
            doubts.push(Doubt::CoveredTooLittle(covered.into()));
        }
        let portless = self.tallies(interfaces).map(|tally| tally.portless).sum();
        if portless > 0 && content.protocol.tests_ports() {
            doubts.push(Doubt::PortsNotLogged { records: portless });
        }
        if let RuleProtocol::Unknown(protocol) = &content.protocol {
            doubts.push(Doubt::UnknownProtocol { protocol: protocol.clone() });
        }
        doubts
    }

    /// Reasons that only take confidence away.
    pub(super) fn weakening(&self, case: &Case<'_>) -> Vec<Doubt> {
        let Case { rule, content, interfaces, .. } = *case;
        let mut doubts = Vec::new();
        doubts.extend(self.skipdata(interfaces));
        doubts.extend(self.partial_silence(case));
        doubts.extend(self.gap(case));
        let window = self.attachments.window();
        let length = window.map_or(0, |window| window.last - window.first);
        let review = self.settings.review_period;
        if length < review {
            let hours = |seconds: i64| (seconds / HOUR).unsigned_abs();
            doubts
                .push(Doubt::WindowShort { window_hours: hours(length), review_period_hours: hours(review) });
        }
        let known = self.lifetimes.known_since(content);
        let old_enough = |window: Window| known.is_some_and(|at| at.is_none_or(|at| at <= window.first));
        if !window.is_some_and(old_enough) {
            doubts.push(Doubt::HistoryUnknown {
                rules_known_since: known.flatten().map(time::format),
                window_first_seen: window.map(|window| time::format(window.first)),
            });
        }
        let (states_without_rule, states) = self.lifetimes.lacking(rule, content);
        if states_without_rule > 0 {
            doubts.push(Doubt::ChangedInWindow { states, states_without_rule });
        }
        doubts.extend(self.unknown_interfaces(content));
        let rows = self.tally.faults.values().map(|fault| fault.count).sum();
        if rows > 0 || self.unread.failed_files > 0 {
            doubts.push(Doubt::MalformedRows { rows, failed_files: self.unread.failed_files });
        }
        doubts.extend(self.untracked_replies(content, interfaces));
        doubts.extend(self.rare_name(rule, content));
        let group = self.lifetimes.newest_group(content);
        let ever: Vec<&Interface> = self.attachments.interfaces(&content.group_id).into_values().collect();
        if let Some(service) = managed::requires(content, group, &ever) {
            doubts.push(Doubt::RequiredByService { service });
        }
        if group.and_then(|group| group.ecs).is_some_and(|ecs| ecs.kind.is_none()) {
            doubts.push(Doubt::GroupTypeUnknown { group_id: content.group_id.clone() });
        }
        doubts
    }

    fn tallies<'b>(&'b self, interfaces: &'b [&Interface]) -> impl Iterator<Item = &'a InterfaceTally> + 'b {
        interfaces.iter().filter_map(|interface| self.attachments.tally(&interface.id))
    }

    /// No attached interface has an ACCEPT, and none is known to log them. That a flow log exists proves nothing where
    /// not one ACCEPT was given, or where it was created after the window.
    ///
    /// A rule that denies shows in REJECTs: without a single one on its interfaces, they may not be logged there at all.
    fn silence(&self, content: &Rule, interfaces: &[&Interface]) -> Option<Doubt> {
        let denies = content.action() == RuleAction::Deny;
        let given = self.tally.records.accepted > 0;
        let end = self.attachments.window().map_or(0, |window| window.last);
        let shows = |tally: &InterfaceTally| if denies { tally.rejected > 0 } else { tally.accepted > 0 };
        let speaks = self.tallies(interfaces).any(shows)
            || given
                && !denies
                && interfaces
                    .iter()
                    .any(|interface| self.attachments.recorders().log_accepts(interface, end));
        (!speaks).then(|| Doubt::InterfaceSilent {
            interfaces: interfaces.len() as u64,
            rejected: self.tallies(interfaces).map(|tally| tally.rejected).sum(),
            no_data: self.tallies(interfaces).map(|tally| tally.no_data).sum(),
        })
    }

    fn skipdata(&self, interfaces: &[&Interface]) -> Option<Doubt> {
        let skipped = || self.tallies(interfaces).filter(|tally| tally.skip_data > 0);
        (skipped().next().is_some()).then(|| Doubt::Skipdata {
            records: skipped().map(|tally| tally.skip_data).sum(),
            hours: skipped().map(|tally| tally.skip_data_hours.len()).sum(),
            interfaces: skipped().count() as u64,
        })
    }

    /// Some attached interface has no record, or none that could show use, or none from before its flow log was created.
    fn partial_silence(&self, case: &Case<'_>) -> Option<Doubt> {
        let Case { rule, interfaces, covered, .. } = *case;
        let is_silent = |interface: &&&Interface| {
            let tally = self.attachments.tally(&interface.id);
            tally.is_none_or(|tally| tally.accepted + tally.rejected + tally.no_data == 0)
                || self.attachments.is_blind(&interface.id)
        };
        let silent_interfaces = interfaces.iter().filter(is_silent).count() as u64;
        let hours_before_flow_log = self
            .attachments
            .uncovered_before(rule, |interface| self.attachments.recorders().since(interface));
        (silent_interfaces + hours_before_flow_log > 0).then(|| Doubt::InterfacePartlySilent {
            interfaces: interfaces.len() as u64,
            silent_interfaces,
            hours_before_flow_log,
            covered: covered.into(),
        })
    }

    /// Hours without a record, or objects that are missing. An hour counts as covered by one record, whatever is missing
    /// of the rest.
    fn gap(&self, case: &Case<'_>) -> Option<Doubt> {
        let group = self.lifetimes.newest_group(case.content);
        let fits = |known: &str, id: &str| known.is_empty() || known == id;
        let lacking = self.unread.cadences.iter().filter(|it| it.steps.lacks_much()).filter(|it| {
            group.is_none_or(|group| fits(&group.owner_id, &it.account_id) && fits(&group.region, &it.region))
        });
        let missing_objects = lacking.map(|it| it.steps.missing).sum();
        let short = case.covered.share().is_some_and(|share| share < 9_900);
        (short || missing_objects > 0).then(|| Doubt::Gap { covered: case.covered.into(), missing_objects })
    }

    pub(super) fn unknown_interfaces(&self, content: &Rule) -> Option<Doubt> {
        let strays = self.strays.near(self.lifetimes.newest_group(content));
        (strays.interfaces > 0).then_some(Doubt::UnknownInterfaces(strays))
    }

    /// A TCP or UDP flow that rules permit from the world while the other direction permits every reply is not tracked:
    /// then the reply passes by the rule.
    ///
    /// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>.
    /// Whether replies pass by the rule that are not tracked: see [`Doubt::CarriesUntrackedReplies`].
    pub fn carries_untracked_replies(&self, content: &Rule) -> bool {
        // Few rules are open to the world on all ports; only of those the interfaces are looked at.
        is_world(content)
            && content.ranked.is_none()
            && self
                .untracked_replies(
                    content,
                    &self
                        .attachments
                        .interfaces_in_window(&content.group_id)
                        .into_values()
                        .collect::<Vec<_>>(),
                )
                .is_some()
    }

    fn untracked_replies(&self, content: &Rule, interfaces: &[&Interface]) -> Option<Doubt> {
        // On Alibaba Cloud every session is kept.
        if content.ranked.is_some() {
            return None;
        }
        let all_ports = !content.protocol.tests_ports() || matches!(content.ports(), (0 | 1, u16::MAX));
        if !is_world(content) || !all_ports || !loggable::is_tcp_udp_or_all(content) {
            return None;
        }
        let newest = self.timeline.newest()?;
        let groups = interfaces.iter().flat_map(|interface| &interface.group_ids);
        let rules = groups.filter_map(|group| newest.groups.get(group)).flat_map(|group| &group.rules);
        let opposite: Direction = content.direction.opposite();
        let other = rules.map(|rule| &self.timeline.rules[rule.index()]).filter(|other| {
            other.direction == opposite
                && is_world(other)
                && other.peer == content.peer
                && loggable::is_tcp_udp_or_all(other)
        });
        other.min().map(|other| Doubt::CarriesUntrackedReplies { with_rule: other.key() })
    }

    /// The first text of the rule or its group that says it is for rare events.
    fn rare_name(&self, rule: RuleIndex, content: &Rule) -> Option<Doubt> {
        let label = &self.timeline.labels[rule.index()];
        let group = self.lifetimes.newest_group(content);
        let both = |(key, value): &'a (String, String)| [key.as_str(), value.as_str()];
        let group_texts = group.map(|group| [group.name.as_str(), group.description.as_str()]);
        let mut texts = label
            .description
            .as_deref()
            .into_iter()
            .chain(label.tags.iter().flat_map(both))
            .chain(group.into_iter().flat_map(|group| &group.tags).flat_map(both))
            .chain(group_texts.into_iter().flatten());
        texts.find_map(|text| {
            let word = self.settings.rare_event(text)?;
            Some(Doubt::RareByName { word, text: text.to_owned() })
        })
    }
}

fn is_world(rule: &Rule) -> bool {
    matches!(&rule.peer, Peer::Cidr(net) if net.prefix_len() == 0)
}
