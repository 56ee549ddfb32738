//! Openings of ranked rules: what the Drop rules in front of them leave open, on the interface where they leave most.

use std::collections::BTreeMap;

use super::Context;
use super::opening::{Candidate, Opened, Width};
use crate::findings::ports::SensitivePort;
use crate::findings::precedence;
use crate::findings::space::Addresses;
use crate::flow::{TCP, UDP};
use crate::rules::state::Group;
use crate::rules::{Rule, RuleIndex};

/// So many ports left open are as good as all of them.
const MOST_PORTS: u32 = 1024;

/// Rules in front of a candidate that drop some of it.
type Closing<'a> = Vec<(RuleIndex, &'a Rule)>;

impl<'a> Context<'a> {
    /// What makes a ranked ingress rule a finding, or several where Drop rules leave more of one port than of another.
    pub(super) fn left_open(&self, candidate: &Candidate<'a>) -> Vec<(Candidate<'a>, Opened<'a>, Width)> {
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
            Opened::AllPorts(_) | Opened::AllProtocols => self.ports_left(candidate, &opened, &closings),
        }
    }

    /// The services that are still open, together where the same addresses are left of them.
    fn services_left(
        &self,
        candidate: &Candidate<'a>,
        services: &[&'a SensitivePort],
        closings: &[Closing<'a>],
    ) -> Vec<(Candidate<'a>, Opened<'a>, Width)> {
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

    /// All ports, but for those that are closed: still all of them where many are left, else the sensitive ones of them.
    fn ports_left(
        &self,
        candidate: &Candidate<'a>,
        opened: &Opened<'a>,
        closings: &[Closing<'a>],
    ) -> Vec<(Candidate<'a>, Opened<'a>, Width)> {
        let protocols: &[u8] = match opened {
            Opened::AllPorts(TCP) => &[TCP],
            Opened::AllPorts(_) => &[UDP],
            _ => &[TCP, UDP],
        };
        let mut widest: Option<Candidate<'a>> = None;
        let mut open = 0;
        for protocol in protocols {
            let starts = steps(*protocol, closings);
            let ends = starts.iter().skip(1).map(|next| u32::from(*next)).chain([1 << 16]);
            for (start, end) in starts.iter().zip(ends) {
                let left = self.left_at(candidate, closings, *protocol, *start);
                if left.width().is_none() {
                    continue;
                }
                open += end - u32::from(*start);
                if widest.as_ref().is_none_or(|widest| widest.public_size() < left.public_size()) {
                    widest = Some(left);
                }
            }
        }
        match widest {
            Some(left) if open >= MOST_PORTS => {
                left.width().map(|width| (left, opened.clone(), width)).into_iter().collect()
            }
            Some(_) => {
                let services = self.profile.services.iter().filter(|it| protocols.contains(&it.protocol));
                self.services_left(candidate, &services.collect::<Vec<_>>(), closings)
            }
            None => Vec::new(),
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
        let addresses = Addresses::of(candidate.nets());
        let left = |closing: &Closing<'a>| {
            let left = self.precedence.left_at(&addresses, closing, (protocol, port));
            let takes = |(_, rule): &&(RuleIndex, &Rule)| {
                rule.allows_port(protocol, port) && self.precedence.addresses(rule).is_some()
            };
            let closed_by = closing.iter().filter(takes).map(|(index, _)| *index).collect();
            candidate.left(left.nets(), closed_by)
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
    rule.protocol == crate::rules::RuleProtocol::All
        || rule.protocol == of.protocol
            && (!of.protocol.tests_ports()
                || rule.port_ranges().iter().any(|(first, last)| *first <= from.max(1) && to <= *last))
}

/// Ports from 1 on at which what is closed changes.
fn steps(protocol: u8, closings: &[Closing<'_>]) -> Vec<u16> {
    let mut steps = std::collections::BTreeSet::from([1]);
    for (_, rule) in closings.iter().flatten() {
        if rule.protocol == crate::rules::RuleProtocol::Number(protocol) {
            for (from, to) in rule.port_ranges() {
                steps.insert(from.max(1));
                steps.extend(to.checked_add(1));
            }
        }
    }
    steps.into_iter().collect()
}
