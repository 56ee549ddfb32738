//! Openings of ranked rules: what the Drop rules in front of them leave open, on the interface where they leave most.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::opening::{Candidate, Opened, Width};
use crate::findings::ports::SensitivePort;
use crate::findings::precedence;
use crate::findings::space::Addresses;
use crate::flow::{TCP, UDP};
use crate::rules::state::Group;
use crate::rules::{Rule, RuleIndex, RuleProtocol};

/// So many ports left open are as good as all of them.
const NEARLY_ALL: u32 = 65_000;

/// What is open to whom.
type Opening<'a> = (Candidate<'a>, Opened<'a>, Width);

/// How much of all ports is left open.
enum Left<'a> {
    /// Nearly all of them.
    Whole(Candidate<'a>),
    Some,
    Nothing,
}

/// None where what is left is no wider than it should be.
fn opening<'a>(left: Candidate<'a>, opened: Opened<'a>) -> Option<Opening<'a>> {
    let width = left.width()?;
    Some((left, opened, width))
}

/// Rules in front of a candidate that drop some of it.
type Closing<'a> = Vec<(RuleIndex, &'a Rule)>;

impl<'a> Context<'a> {
    /// What makes a ranked ingress rule a finding, or several where Drop rules leave more of one port than of another.
    pub(super) fn left_open(&self, candidate: &Candidate<'a>) -> Vec<Opening<'a>> {
        let Some((opened, _)) = self.too_broad(candidate) else { return Vec::new() };
        let sets = self.precedence.sets_with(&candidate.rule.group_id);
        let closings = sets.iter().map(|set| self.precedence.closing(set, candidate.rule));
        let closings: Vec<Closing<'a>> = closings.filter(|closing| !closing.is_empty()).collect();
        if closings.len() < sets.len() {
            // On some interface nothing is in front of it.
            return self
                .too_broad(candidate)
                .map(|(opened, width)| (candidate.clone(), opened, width))
                .into_iter()
                .collect();
        }
        match opened {
            Opened::Services(services) => self.services_left(candidate, &services, &closings),
            Opened::AllPorts(_) | Opened::AllProtocols | Opened::OtherProtocols => {
                self.ports_left(candidate, &opened, &closings)
            }
        }
    }

    /// The services that are still open, together where the same addresses are left of them.
    fn services_left(
        &self,
        candidate: &Candidate<'a>,
        services: &[&'a SensitivePort],
        closings: &[Closing<'a>],
    ) -> Vec<Opening<'a>> {
        let mut by_rest: BTreeMap<Vec<ipnet::IpNet>, (Candidate<'a>, Vec<&'a SensitivePort>)> =
            BTreeMap::new();
        for service in services {
            let left = self.left_at(candidate, closings, service.protocol, service.port);
            let (_, together) = by_rest.entry(left.nets().to_vec()).or_insert_with(|| (left, Vec::new()));
            together.push(service);
        }
        let finding = |(left, services): (Candidate<'a>, Vec<&'a SensitivePort>)| {
            let width = left.width()?;
            let opened = Opened::Services(services);
            let opened = if matches!(width, Width::Private(_)) { opened.internal_only()? } else { opened };
            Some((left, opened, width))
        };
        by_rest.into_values().filter_map(finding).collect()
    }

    /// All ports, but for those that are closed: still all of them where few are, else the sensitive ones that are left.
    fn ports_left(
        &self,
        candidate: &Candidate<'a>,
        opened: &Opened<'a>,
        closings: &[Closing<'a>],
    ) -> Vec<Opening<'a>> {
        let of = |protocol| self.left_of(candidate, closings, protocol);
        let (tcp, udp) = match opened {
            Opened::AllPorts(TCP) => (Some(of(TCP)), None),
            Opened::AllPorts(_) => (None, Some(of(UDP))),
            _ => (Some(of(TCP)), Some(of(UDP))),
        };
        if let (Some(Left::Whole(left)), Some(Left::Whole(_))) = (&tcp, &udp) {
            return opening(left.clone(), Opened::AllProtocols).into_iter().collect();
        }
        let mut openings = Vec::new();
        for (protocol, left) in [(TCP, tcp), (UDP, udp)] {
            match left {
                Some(Left::Whole(left)) => openings.extend(opening(left, Opened::AllPorts(protocol))),
                Some(Left::Some) => {
                    let services = self.profile.services.iter().filter(|it| it.protocol == protocol);
                    openings.extend(self.services_left(candidate, &services.collect::<Vec<_>>(), closings));
                }
                Some(Left::Nothing) | None => {}
            }
        }
        if *opened == Opened::AllProtocols {
            let left = self.left_by(candidate, closings, |rule| rule.protocol == RuleProtocol::All);
            openings.extend(opening(left, Opened::OtherProtocols));
        }
        openings
    }

    /// How many ports of a protocol are still open.
    fn left_of(&self, candidate: &Candidate<'a>, closings: &[Closing<'a>], protocol: u8) -> Left<'a> {
        let starts = steps(protocol, closings);
        let ends = starts.iter().skip(1).map(|next| u32::from(*next)).chain([1 << 16]);
        let (mut widest, mut open): (Option<Candidate<'a>>, u32) = (None, 0);
        let mut closed_by: BTreeSet<RuleIndex> = BTreeSet::new();
        for (start, end) in starts.iter().zip(ends) {
            let left = self.left_at(candidate, closings, protocol, *start);
            closed_by.extend(&left.closed_by);
            if left.width().is_none() {
                continue;
            }
            open += end - u32::from(*start);
            if widest.as_ref().is_none_or(|widest| widest.public_size() < left.public_size()) {
                widest = Some(left);
            }
        }
        match widest {
            Some(mut left) if open >= NEARLY_ALL => {
                left.closed_by = closed_by.into_iter().collect();
                Left::Whole(left)
            }
            Some(_) => Left::Some,
            None => Left::Nothing,
        }
    }

    /// What is left at a port, where most is left.
    fn left_at(
        &self,
        candidate: &Candidate<'a>,
        closings: &[Closing<'a>],
        protocol: u8,
        port: u16,
    ) -> Candidate<'a> {
        self.left_by(candidate, closings, |rule| rule.allows_port(protocol, port))
    }

    /// What these of the closing rules leave, where most is left.
    fn left_by(
        &self,
        candidate: &Candidate<'a>,
        closings: &[Closing<'a>],
        takes: impl Fn(&Rule) -> bool,
    ) -> Candidate<'a> {
        let addresses = Addresses::of(candidate.nets());
        let left = |closing: &Closing<'a>| {
            let taking = || {
                closing.iter().filter(|(_, rule)| takes(rule) && self.precedence.addresses(rule).is_some())
            };
            let left = self.precedence.left(&addresses, taking().map(|(_, rule)| *rule));
            candidate.left(left.nets(), taking().map(|(index, _)| *index).collect())
        };
        let most = closings.iter().map(left).max_by_key(Candidate::public_size);
        most.unwrap_or_else(|| candidate.clone())
    }

    /// A candidate without what rules take from all of its ports, on whatever interface it is.
    pub(super) fn behind(&self, candidate: Candidate<'a>, group: &Group) -> Option<Candidate<'a>> {
        if !precedence::is_ranked(group) {
            return Some(candidate);
        }
        let sets = self.precedence.sets_with(&candidate.rule.group_id);
        let mut everywhere: Option<Closing<'a>> = None;
        for set in &sets {
            let mut closing = self.precedence.closing(set, candidate.rule);
            closing.retain(|(_, rule)| takes_all_ports(rule, candidate.rule));
            if let Some(before) = &everywhere {
                closing.retain(|(index, _)| before.iter().any(|(known, _)| known == index));
            }
            everywhere = Some(closing);
        }
        let closing = everywhere.unwrap_or_default();
        if closing.is_empty() {
            return Some(candidate);
        }
        let taken = closing.iter().map(|(_, rule)| *rule);
        let left = self.precedence.left(&Addresses::of(candidate.nets()), taken);
        (!left.is_empty())
            .then(|| candidate.left(left.nets(), closing.iter().map(|(index, _)| *index).collect()))
    }
}

/// Whether a rule matches every port and protocol of another.
fn takes_all_ports(rule: &Rule, of: &Rule) -> bool {
    let (from, to) = of.ports();
    rule.protocol == RuleProtocol::All
        || rule.protocol == of.protocol
            && (!of.protocol.tests_ports()
                || rule.port_ranges().iter().any(|(first, last)| *first <= from.max(1) && to <= *last))
}

/// Ports from 1 on at which what is closed changes.
fn steps(protocol: u8, closings: &[Closing<'_>]) -> Vec<u16> {
    let mut steps = BTreeSet::from([1]);
    for (_, rule) in closings.iter().flatten() {
        if rule.protocol == RuleProtocol::Number(protocol) {
            for (from, to) in rule.port_ranges() {
                steps.insert(from.max(1));
                steps.extend(to.checked_add(1));
            }
        }
    }
    steps.into_iter().collect()
}
