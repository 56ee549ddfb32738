//! Openings of ranked rules: what the Drop rules in front of them leave open, on the interface where they leave most.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::opening::{Candidate, Opened, Width};
use crate::findings::ports::SensitivePort;
use crate::findings::precedence::{self, Ahead};
use crate::flow::{TCP, UDP};
use crate::rules::state::Group;
use crate::rules::{RuleIndex, RuleProtocol};

/// So many ports left open are as good as all of them.
const NEARLY_ALL: u32 = 65_000;

/// What is open to whom.
type Opening<'a> = (Candidate<'a>, Opened<'a>, Width);

/// None where what is left is no wider than it should be.
fn opening<'a>(left: Candidate<'a>, opened: Opened<'a>) -> Option<Opening<'a>> {
    let width = left.width()?;
    Some((left, opened, width))
}

/// How much of all ports is left open.
enum Left<'a> {
    Nothing,
    Some,
    /// Nearly all of them.
    Whole(Candidate<'a>),
}

impl<'a> Context<'a> {
    /// What makes a ranked ingress rule a finding, or several where Drop rules leave more of one port than of another.
    pub(super) fn left_open(&self, candidate: &Candidate<'a>) -> Vec<Opening<'a>> {
        let Some((opened, width)) = self.too_broad(candidate) else { return Vec::new() };
        let variants = self.variants(candidate);
        if variants.iter().any(|variant| variant.closing.is_empty()) {
            // On some interface nothing is in front of it.
            return vec![(candidate.clone(), opened, width)];
        }
        match opened {
            Opened::Services(services) => services_left(&variants, &services),
            Opened::AllPorts(_) | Opened::AllProtocols | Opened::OtherProtocols => {
                self.ports_left(&variants, &opened)
            }
        }
    }

    /// Whether a ranked egress rule still lets everything out, or every port of TCP.
    pub(super) fn left_for_egress(
        &self,
        candidate: &Candidate<'a>,
        opened: Opened<'a>,
    ) -> Option<Opened<'a>> {
        let variants = self.variants(candidate);
        if variants.iter().any(|variant| variant.closing.is_empty()) {
            return Some(opened);
        }
        let left = self.ports_left(&variants, &opened).into_iter().map(|(_, opened, _)| opened);
        left.into_iter().find(|opened| matches!(opened, Opened::AllProtocols | Opened::AllPorts(TCP)))
    }

    /// The rule behind the Drop rules of each kind of interface that carries it.
    fn variants(&self, candidate: &Candidate<'a>) -> Vec<Candidate<'a>> {
        let mut variants: BTreeMap<Vec<RuleIndex>, Candidate<'a>> = BTreeMap::new();
        for set in self.precedence.sets_with(&candidate.rule.group_id) {
            let closing = self.precedence.closing(&set, candidate.rule);
            let key = closing.iter().map(|drop| drop.index).collect();
            variants.entry(key).or_insert_with(|| candidate.behind(closing));
        }
        variants.into_values().collect()
    }

    /// All ports, but for those that are closed: still all of them where few are, else the sensitive ones that are left.
    fn ports_left(&self, variants: &[Candidate<'a>], opened: &Opened<'a>) -> Vec<Opening<'a>> {
        let protocols: &[u8] = match opened {
            Opened::AllPorts(TCP) => &[TCP],
            Opened::AllPorts(_) => &[UDP],
            _ => &[TCP, UDP],
        };
        // Of one and the same interface.
        let left: Vec<Vec<Left<'a>>> = variants
            .iter()
            .map(|variant| protocols.iter().map(|it| left_of(variant, *it)).collect())
            .collect();
        let everything = left.iter().find(|left| matches!(left[..], [Left::Whole(_), Left::Whole(_)]));
        if let Some([Left::Whole(left), _]) = everything.map(Vec::as_slice) {
            return opening(left.clone(), Opened::AllProtocols).into_iter().collect();
        }
        let mut openings = Vec::new();
        for (at, protocol) in protocols.iter().enumerate() {
            let of_all = || left.iter().filter_map(|left| left.get(at));
            let whole = of_all().find_map(|left| match left {
                Left::Whole(left) => opening(left.clone(), Opened::AllPorts(*protocol)),
                _ => None,
            });
            if let Some(whole) = whole {
                openings.push(whole);
            } else if of_all().any(|left| matches!(left, Left::Some)) {
                let services = self.profile.services.iter().filter(|it| it.protocol == *protocol);
                openings.extend(services_left(variants, &services.collect::<Vec<_>>()));
            }
        }
        if *opened == Opened::AllProtocols {
            let left = variants.iter().map(|variant| variant.left(|drop| drop.protocol == RuleProtocol::All));
            let most = left.max_by_key(Candidate::public_size);
            openings.extend(most.and_then(|left| opening(left, Opened::OtherProtocols)));
        }
        openings
    }

    /// A candidate behind the Drop rules that are in front of it on every interface.
    pub(super) fn behind(&self, candidate: Candidate<'a>, group: &Group) -> Candidate<'a> {
        if !precedence::is_ranked(group) {
            return candidate;
        }
        let mut everywhere: Option<Vec<Ahead<'a>>> = None;
        for variant in self.variants(&candidate) {
            let mut closing = variant.closing;
            if let Some(before) = &everywhere {
                closing.retain(|drop| before.iter().any(|known| known.index == drop.index));
            }
            everywhere = Some(closing);
        }
        candidate.behind(everywhere.unwrap_or_default())
    }
}

/// The services that are still open, together where the same addresses are left of them.
fn services_left<'a>(variants: &[Candidate<'a>], services: &[&'a SensitivePort]) -> Vec<Opening<'a>> {
    let mut by_rest: BTreeMap<Vec<ipnet::IpNet>, (Candidate<'a>, Vec<&'a SensitivePort>)> = BTreeMap::new();
    for service in services {
        let left =
            |variant: &Candidate<'a>| variant.left(|drop| drop.allows_port(service.protocol, service.port));
        let Some(left) = variants.iter().map(left).max_by_key(Candidate::public_size) else { continue };
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

/// How many ports of a protocol are still open.
fn left_of<'a>(candidate: &Candidate<'a>, protocol: u8) -> Left<'a> {
    let starts = steps(candidate, protocol);
    let ends = starts.iter().skip(1).map(|next| u32::from(*next)).chain([1 << 16]);
    let (mut widest, mut open, mut closed): (Option<Candidate<'a>>, u32, u32) = (None, 0, 0);
    let mut closed_by: BTreeSet<RuleIndex> = BTreeSet::new();
    for (start, end) in starts.iter().zip(ends) {
        let ports = end - u32::from(*start);
        let left = candidate.left(|drop| drop.allows_port(protocol, *start));
        closed_by.extend(&left.closed_by);
        if left.width().is_none() {
            closed += ports;
        } else {
            open += ports;
            if widest.as_ref().is_none_or(|widest| widest.public_size() < left.public_size()) {
                widest = Some(left);
            }
        }
        // It cannot come to more any more.
        if widest.is_some() && closed > (1 << 16) - NEARLY_ALL {
            return Left::Some;
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

/// Ports from 1 on at which what is closed changes.
fn steps(candidate: &Candidate<'_>, protocol: u8) -> Vec<u16> {
    let mut steps = BTreeSet::from([1]);
    let drops = candidate.closing.iter().map(|drop| drop.rule);
    for drop in drops.filter(|drop| drop.protocol == RuleProtocol::Number(protocol)) {
        for (from, to) in drop.port_ranges() {
            steps.insert(from.max(1));
            steps.extend(to.checked_add(1));
        }
    }
    steps.into_iter().collect()
}
