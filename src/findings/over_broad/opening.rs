//! What one rule opens, and to how much of the world: questions about the rule alone, no figures yet.

use std::borrow::Cow;

use ipnet::IpNet;

use crate::findings::ports::{PortClass, PortProfile, SensitivePort};
use crate::findings::precedence::Ahead;
use crate::findings::space::{self, Addresses, Family, Public};
use crate::flow::{TCP, UDP, protocol_name};
use crate::rules::ranked::{NicType, RuleAction};
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// Something that can stand open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// `-1`.
    AllProtocols,
    /// Every port of tcp or of udp.
    AllPorts(u8),
    /// One sensitive port.
    Service(&'a SensitivePort),
}

impl Target<'_> {
    /// Whether who has this open has the other open too.
    pub(super) fn includes(self, other: Target<'_>) -> bool {
        match (self, other) {
            (Self::AllProtocols, _) => true,
            (Self::AllPorts(protocol), Target::AllPorts(other)) => protocol == other,
            (Self::AllPorts(protocol), Target::Service(service)) => protocol == service.protocol,
            (Self::Service(one), Target::Service(other)) => one.service() == other.service(),
            (Self::AllPorts(_) | Self::Service(_), _) => false,
        }
    }

    /// `PROTOCOL:PORT` of an id.
    pub(super) fn id(self) -> String {
        match self {
            Self::AllProtocols => "all:all".to_owned(),
            Self::AllPorts(protocol) => format!("{}:all", protocol_name(protocol)),
            Self::Service(service) => format!("{}:{}", protocol_name(service.protocol), service.port),
        }
    }
}

/// What a rule opens, as far as a finding is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opened<'a> {
    /// `-1`.
    AllProtocols,
    /// Every port of tcp or of udp.
    AllPorts(u8),
    /// Sensitive ports, at least one.
    Services(Vec<&'a SensitivePort>),
    /// What is left of `-1` when tcp and udp are closed.
    OtherProtocols,
}

impl<'a> Opened<'a> {
    /// None where the rule opens nothing of the kind: other ports, or protocols without ports.
    pub(super) fn by(rule: &Rule, profile: &'a PortProfile) -> Option<Self> {
        if let Some(all) = Self::all_by(rule) {
            return Some(all);
        }
        let allows = |service: &&SensitivePort| rule.allows_port(service.protocol, service.port);
        let services: Vec<_> = profile.services.iter().filter(allows).collect();
        (rule.protocol.tests_ports() && !services.is_empty()).then_some(Self::Services(services))
    }

    /// The same without sensitive ports. Nothing listens on port 0, so it need not be open.
    pub(super) fn all_by(rule: &Rule) -> Option<Self> {
        match rule.protocol {
            RuleProtocol::All => Some(Self::AllProtocols),
            RuleProtocol::Number(protocol @ (TCP | UDP)) => {
                let all = matches!(rule.port_ranges()[..], [(0 | 1, u16::MAX)]);
                all.then_some(Self::AllPorts(protocol))
            }
            RuleProtocol::Number(_) | RuleProtocol::Unknown(_) => None,
        }
    }

    /// What of it administers machines or holds data.
    pub(super) fn internal_only(self) -> Option<Self> {
        let Self::Services(mut services) = self else { return Some(self) };
        services.retain(|service| service.class != PortClass::Other);
        (!services.is_empty()).then_some(Self::Services(services))
    }

    /// One by one.
    pub(super) fn targets(&self) -> Vec<Target<'a>> {
        match self {
            Self::AllProtocols | Self::OtherProtocols => vec![Target::AllProtocols],
            Self::AllPorts(protocol) => vec![Target::AllPorts(*protocol)],
            Self::Services(services) => services.iter().map(|service| Target::Service(service)).collect(),
        }
    }

    /// For a title: worst first, and not more than fit one.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::AllProtocols => "all protocols and ports".to_owned(),
            Self::OtherProtocols => "protocols other than TCP and UDP".to_owned(),
            Self::AllPorts(protocol) => format!("all {} ports", protocol_name(*protocol).to_uppercase()),
            Self::Services(services) => {
                let mut worst = services.clone();
                worst.sort_by_key(|service| std::cmp::Reverse(service.severity));
                let names: Vec<_> = worst.iter().take(3).map(ToString::to_string).collect();
                let more = match worst.len().saturating_sub(names.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                names.join(", ") + &more
            }
        }
    }
}

/// How much of the world a peer takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Width {
    /// The internet, of these families.
    World(Vec<Family>),
    /// These public ranges, each wider than a /24 or a /48.
    Wide(Vec<IpNet>),
    /// Whole blocks of RFC 1918.
    Private(Vec<&'static str>),
}

/// A rule of the newest state whose peer is known address ranges.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    pub(super) index: RuleIndex,
    pub(super) rule: &'a Rule,
    nets: Cow<'a, [IpNet]>,
    public: [Public; 2],
    /// Drop rules in front of it.
    pub(super) closing: Vec<Ahead<'a>>,
    /// Those of them that have taken some of its addresses.
    pub(super) closed_by: Vec<RuleIndex>,
}

impl<'a> Candidate<'a> {
    /// None for references to groups, for lists without known entries and for addresses that are none.
    pub(super) fn new(timeline: &'a Timeline, state: &'a State, index: RuleIndex) -> Option<Self> {
        let rule = timeline.rules.get(index.index())?;
        // What drops opens nothing; and of the classic network, what is about private addresses opens nothing to others.
        let intranet = rule.ranked.as_ref().is_some_and(|ranked| ranked.nic == Some(NicType::Intranet));
        if rule.action() == RuleAction::Deny || intranet {
            return None;
        }
        let nets = match &rule.peer {
            Peer::Cidr(net) => std::slice::from_ref(net),
            Peer::PrefixList(id) => state.prefix_lists.get(id)?.as_slice(),
            Peer::Group(_) | Peer::BadCidr(_) => return None,
        };
        let public = Family::ALL.map(|family| Public::of(family, nets));
        Some(Self {
            index,
            rule,
            nets: Cow::Borrowed(nets),
            public,
            closing: Vec::new(),
            closed_by: Vec::new(),
        })
    }

    /// The same behind these Drop rules.
    pub(super) fn behind(&self, closing: Vec<Ahead<'a>>) -> Self {
        Self { closing, ..self.clone() }
    }

    /// What those of the Drop rules leave that take something of a kind.
    pub(super) fn left(&self, concerns: impl Fn(&Rule) -> bool) -> Self {
        let mut left = Addresses::of(&self.nets);
        let mut closed_by = Vec::new();
        for drop in self.closing.iter().filter(|drop| concerns(drop.rule)) {
            let Some(taken) = &drop.addresses else { continue };
            let less = left.minus(taken);
            if less != left {
                closed_by.push(drop.index);
                left = less;
            }
        }
        if closed_by.is_empty() {
            return self.clone();
        }
        let nets = left.nets();
        let public = Family::ALL.map(|family| Public::of(family, &nets));
        Self { nets: Cow::Owned(nets), public, closed_by, ..self.clone() }
    }

    /// The ranges it is open to.
    pub(super) fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// How many public addresses its peer takes in.
    pub(super) fn public_size(&self) -> u128 {
        self.public.iter().map(Public::size).fold(0, u128::saturating_add)
    }

    /// What of its peer is public.
    pub(super) fn public(&self, family: Family) -> &Public {
        let [v4, v6] = &self.public;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    /// None where the peer is no wider than it should be.
    pub(super) fn width(&self) -> Option<Width> {
        let world: Vec<_> =
            Family::ALL.into_iter().filter(|family| self.public(*family).is_world()).collect();
        if !world.is_empty() {
            return Some(Width::World(world));
        }
        let is_wide = |net: &&IpNet| Public::of(Family::of(net.addr()), std::slice::from_ref(*net)).is_wide();
        let wide: Vec<_> = self.nets.iter().filter(is_wide).copied().collect();
        if !wide.is_empty() {
            return Some(Width::Wide(wide));
        }
        let private = self.private_blocks();
        (!private.is_empty()).then_some(Width::Private(private))
    }

    /// Private blocks that its peer holds whole; none where it is the world, which holds everything.
    pub(super) fn private_blocks(&self) -> Vec<&'static str> {
        let world = Family::ALL.into_iter().any(|family| self.public(family).is_world());
        if world { Vec::new() } else { space::private_blocks(&self.nets) }
    }

    /// The families its ranges are of.
    pub(super) fn families(&self) -> Vec<Family> {
        let holds = |family: &Family| self.nets.iter().any(|net| Family::of(net.addr()) == *family);
        Family::ALL.into_iter().filter(holds).collect()
    }
}
