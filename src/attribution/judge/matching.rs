//! Which rules of an interface let a packet through: all that match, or those that decide where rules are ranked.

use super::{Case, Denial, Judge};
use crate::attribution::index::CompiledRule;
use crate::attribution::sets::SetId;
use crate::flow::Direction;
use crate::rules::ranked::NicType;
use crate::rules::state::Cloud;
use crate::tally::scope::{self, PeerScope};

/// Profiles with more rules in a direction go without masks.
const MOST_MASKED: usize = 64;
/// Beyond so many masks of a profile a hash table is faster than looking through them.
const MOST_MASKS: usize = 16;

impl Judge<'_> {
    /// The rules of a direction that let a packet through; its ports are that of its source and the other one.
    pub(super) fn matching(
        &mut self,
        case: &Case<'_>,
        direction: Direction,
        ports: (u16, u16),
        members: &[u64],
    ) -> SetId {
        let profile = case.profile;
        let rules = profile.rules(direction);
        let matches = |rule: &CompiledRule| self.matches(case, rule, ports, members);
        if rules.len() > MOST_MASKED {
            let mut found: Vec<&CompiledRule> = rules.iter().filter(|rule| matches(rule)).collect();
            if profile.cloud == Cloud::Alibaba {
                let deciding = found.iter().map(|rule| rule.rank).min();
                found.retain(|rule| Some(rule.rank) == deciding && rule.allows());
            }
            self.matched.clear();
            self.matched.extend(found.iter().map(|rule| rule.rule));
            return self.sets.intern(&self.matched, self.index);
        }
        let mut mask =
            rules.iter().zip(0..).fold(0, |mask, (rule, at)| mask | u64::from(matches(rule)) << at);
        if profile.cloud == Cloud::Alibaba {
            mask = letting_through(rules, mask);
        }
        if mask == 0 {
            return SetId::EMPTY;
        }
        let masks = &mut self.masks[profile.number * 2 + direction as usize];
        if let Some((_, set)) = masks.iter().find(|(known, _)| *known == mask) {
            return *set;
        }
        self.matched.clear();
        self.matched
            .extend(rules.iter().zip(0..).filter(|(_, at)| mask >> at & 1 == 1).map(|(rule, _)| rule.rule));
        let set = self.sets.intern(&self.matched, self.index);
        if masks.len() < MOST_MASKS {
            masks.push((mask, set));
        }
        set
    }

    fn matches(&self, case: &Case<'_>, rule: &CompiledRule, ports: (u16, u16), members: &[u64]) -> bool {
        rule.allows_peer(members) && self.fits_but_peer(case, rule, ports)
    }

    pub(super) fn fits_but_peer(
        &self,
        case: &Case<'_>,
        rule: &CompiledRule,
        (source, port): (u16, u16),
    ) -> bool {
        rule.allows_port(case.traffic.protocol, port)
            && (!rule.asks_more || self.asks_no_more(case, rule, source))
    }

    /// Source port, near address and kind of network, of the few rules that ask for them.
    #[cold]
    fn asks_no_more(&self, case: &Case<'_>, rule: &CompiledRule, source: u16) -> bool {
        let Some(ranked) = &self.timeline.rules[rule.rule.index()].ranked else { return true };
        let near = match case.direction {
            Direction::Ingress => case.traffic.dstaddr,
            Direction::Egress => case.traffic.srcaddr,
        };
        let nic = match scope::of(case.peer) {
            PeerScope::Internet => NicType::Internet,
            PeerScope::Internal => NicType::Intranet,
        };
        ranked.source_ports.is_none_or(|(from, to)| from <= source && source <= to)
            && ranked.local.is_none_or(|range| range.contains(&near))
            && ranked.nic.is_none_or(|asked| asked == nic)
    }

    /// The rule that denies the forward reading, where it decides.
    pub(super) fn denied(&mut self, case: &Case<'_>) -> Denial {
        if case.profile.cloud == Cloud::Aws {
            return Denial::NONE;
        }
        let class = self.index.atoms.class(case.peer, &case.state.classes);
        let members = self.index.members.members(class);
        let ports = (case.traffic.srcport, case.traffic.dstport);
        let rules = case.profile.rules(case.direction);
        let matching = rules.iter().filter(|rule| self.matches(case, rule, ports, members));
        let Some(rule) = matching.min_by_key(|rule| rule.rank).filter(|rule| !rule.allows()) else {
            return Denial::NONE;
        };
        // One in front of it may have decided, if its peer is whom the state does not tell.
        let may_decide = |other: &CompiledRule| {
            other.proof.unresolved && other.rank < rule.rank && self.fits_but_peer(case, other, ports)
        };
        let surely = !case.profile.lacks_group && !rules.iter().any(may_decide);
        Denial { by: self.sets.intern(&[rule.rule], self.index), surely }
    }
}

/// Of the rules that match: those that decide, where they allow.
fn letting_through(rules: &[CompiledRule], mask: u64) -> u64 {
    let matching = |mask: u64| rules.iter().zip(0..).filter(move |(_, at)| mask >> at & 1 == 1);
    let deciding = matching(mask).map(|(rule, _)| rule.rank).min();
    let allowing = matching(mask).filter(|(rule, _)| Some(rule.rank) == deciding && rule.allows());
    allowing.fold(0, |mask, (_, at)| mask | 1 << at)
}
