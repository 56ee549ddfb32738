//! Rules that open the internet only together: 0.0.0.0/1 beside 128.0.0.0/1, or ports 0–1023 beside 1024–65535.

use std::collections::BTreeSet;

use super::opening::{Candidate, Target};
use crate::findings::ports::PortProfile;
use crate::findings::space::{Family, Public};
use crate::flow::{TCP, UDP};
use crate::rules::{Rule, RuleProtocol};

/// One target that several rules open to the internet of one family, though no part does alone.
#[derive(Debug, Clone)]
pub(super) struct Union<'p, 'c, 'a> {
    pub(super) family: Family,
    pub(super) target: Target<'p>,
    /// Those wider than a /24 or a /48, in the order of the catalogue.
    pub(super) rules: Vec<&'c Candidate<'a>>,
}

/// What parts open together and none opens alone. The parts are the rules of a group, or the groups of an interface.
pub(super) fn unions<'p, 'c, 'a>(
    parts: &[&'c [Candidate<'a>]],
    profile: &'p PortProfile,
) -> Vec<Union<'p, 'c, 'a>> {
    let mut found = Vec::new();
    if parts.len() < 2 {
        return found;
    }
    let together: Vec<_> = parts.iter().flat_map(|part| part.iter()).collect();
    for family in Family::ALL {
        let has_public = |rule: &&&Candidate<'_>| !rule.public(family).is_empty();
        let rules: Vec<_> = together.iter().filter(has_public).copied().collect();
        if is_world(family, rules.iter().copied()) {
            find(family, parts, &rules, profile, &mut found);
        }
    }
    found
}

fn find<'p, 'c, 'a>(
    family: Family,
    parts: &[&'c [Candidate<'a>]],
    rules: &[&'c Candidate<'a>],
    profile: &'p PortProfile,
    found: &mut Vec<Union<'p, 'c, 'a>>,
) {
    let mut open: Vec<Target<'p>> = Vec::new();
    let mut targets = vec![Target::AllProtocols, Target::AllPorts(TCP), Target::AllPorts(UDP)];
    // A union for one service holds no rule that is the world by itself: that one would do alone, if no Drop is in front.
    let would_do = |rule: &&Candidate<'_>| rule.public(family).is_world() && rule.closing.is_empty();
    if is_world(family, rules.iter().copied().filter(|rule| !would_do(rule))) {
        targets.extend(profile.services.iter().map(Target::Service));
    }
    for target in targets {
        if open.iter().any(|wider| wider.includes(target)) || !opens(family, target, rules) {
            continue;
        }
        open.push(target);
        if !parts.iter().any(|part| opens(family, target, &part.iter().collect::<Vec<_>>())) {
            found.push(Union { family, target, rules: contributors(family, target, rules) });
        }
    }
}

fn is_world<'c, 'a: 'c>(family: Family, rules: impl Iterator<Item = &'c Candidate<'a>>) -> bool {
    Public::union(family, rules.map(|rule| rule.public(family))).is_world()
}

/// Whether these rules open the target to the internet, behind the Drop rules in front of them.
fn opens(family: Family, target: Target<'_>, rules: &[&Candidate<'_>]) -> bool {
    let all_ports = |protocol| opens(family, Target::AllPorts(protocol), rules);
    let dropped = rules.iter().any(|rule| !rule.closing.is_empty());
    match target {
        Target::AllProtocols => {
            let takes = |drop: &Rule| drop.protocol == RuleProtocol::All;
            let allowing = rules.iter().copied().filter(|rule| allows(rule, target));
            is_left_world(family, allowing, takes) && (!dropped || all_ports(TCP) && all_ports(UDP))
        }
        Target::Service(service) => {
            let takes = |drop: &Rule| drop.allows_port(service.protocol, service.port);
            is_left_world(family, rules.iter().copied().filter(|rule| allows(rule, target)), takes)
        }
        Target::AllPorts(protocol) => steps(protocol, rules).into_iter().all(|port| {
            let takes = |drop: &Rule| drop.allows_port(protocol, port);
            let allowing = rules.iter().copied().filter(|rule| rule.rule.allows_port(protocol, port));
            is_left_world(family, allowing, takes)
        }),
    }
}

/// Whether these rules are the world, where Drop rules in front of them take some of it.
fn is_left_world<'c, 'a: 'c>(
    family: Family,
    rules: impl Iterator<Item = &'c Candidate<'a>>,
    takes: impl Fn(&Rule) -> bool,
) -> bool {
    let rules: Vec<&Candidate<'a>> = rules.collect();
    if !is_world(family, rules.iter().copied()) {
        return false;
    }
    if rules.iter().all(|rule| rule.closing.is_empty()) {
        return true;
    }
    let left: Vec<Candidate<'a>> = rules.iter().map(|rule| rule.left(&takes)).collect();
    is_world(family, left.iter())
}

/// Whether the rule has a share in the target.
fn allows(candidate: &Candidate<'_>, target: Target<'_>) -> bool {
    let rule = candidate.rule;
    match target {
        Target::AllProtocols => rule.protocol == RuleProtocol::All,
        Target::AllPorts(protocol) => {
            let (from, to) = rule.ports();
            rule.protocol == RuleProtocol::All
                || (rule.protocol == RuleProtocol::Number(protocol) && from <= to && to > 0)
        }
        Target::Service(service) => rule.allows_port(service.protocol, service.port),
    }
}

/// The ports from 1 on at which the set of allowing rules changes: the ports between are as the one before them.
fn steps(protocol: u8, rules: &[&Candidate<'_>]) -> BTreeSet<u16> {
    let mut steps = BTreeSet::from([1]);
    let drops = rules.iter().flat_map(|rule| &rule.closing).map(|drop| drop.rule);
    let all = rules.iter().map(|rule| rule.rule).chain(drops);
    for rule in all.filter(|rule| rule.protocol == RuleProtocol::Number(protocol)) {
        for (from, to) in rule.port_ranges() {
            steps.insert(from.max(1));
            steps.extend(to.checked_add(1));
        }
    }
    steps
}

fn contributors<'c, 'a>(
    family: Family,
    target: Target<'_>,
    rules: &[&'c Candidate<'a>],
) -> Vec<&'c Candidate<'a>> {
    let allowing: Vec<_> = rules.iter().filter(|rule| allows(rule, target)).copied().collect();
    let wide: Vec<_> = allowing.iter().filter(|rule| rule.public(family).is_wide()).copied().collect();
    let mut named = if is_world(family, wide.iter().copied()) { wide } else { allowing };
    named.sort_by_key(|rule| rule.index);
    named
}
