//! One record → what explains or refused it: the fast path of the definition.

mod matching;

use std::net::IpAddr;

use super::index::{CompiledRule, Doubt, Index, InterfaceNumber, Origin, Placed, Profile, StateIndex};
use super::port_classes::LOW_PORTS;
use super::refusal::{Allowing, Denial, Packet, Refusal};
use super::sets::{SetId, SetTable};
use super::{Basis, Cause, Drift};
use crate::flow::{Action, Direction, Flow, RejectReason, SYN, SYN_ACK, Seconds, Traffic, has_ports};
use crate::rules::RuleIndex;
use crate::rules::ranked::LONGEST_SESSION;
use crate::rules::state::Cloud;
use crate::rules::timeline::{Placement, Timeline};

/// Which end of a connection sent the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The end that opened the connection.
    Forward,
    /// The end that was connected to.
    Reply,
    /// Either.
    Undecided,
}

/// Everything the attribution says of one record.
#[derive(Debug, Clone, Copy)]
pub struct Judgement {
    /// How the record's time lies to the states; None without snapshots.
    pub placement: Option<Placement>,
    /// Whether the interface is in the state in force.
    pub from_neighbour: bool,
    /// Whether the interface is known and has no groups.
    pub no_group: bool,
    /// The direction, where it can be told.
    pub direction: Option<Direction>,
    /// The far side (the sender, where the direction cannot be told).
    pub peer: IpAddr,
    /// What explains or refused it.
    pub verdict: Verdict,
    /// The rule that refused it, where one did.
    pub denied: Denial,
    /// The neighbouring state that explains it, where that in force does not.
    pub explained_at: Option<usize>,
}

/// What explains or refused a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// ACCEPT on an interface in no snapshot.
    UnknownInterface,
    /// ACCEPT on an interface that has no groups.
    NoGroup,
    /// ACCEPT whose direction cannot be told.
    UnknownDirection,
    /// ACCEPT of which one role is told.
    Decided {
        /// The role; never [`Role::Undecided`].
        role: Role,
        /// The rules that let it through.
        set: SetId,
        /// What told.
        basis: Basis,
    },
    /// ACCEPT that either role explains, and nothing tells.
    Undecided {
        /// Rules matching the forward reading.
        forward: SetId,
        /// Rules matching the reply reading.
        reply: SetId,
        /// What kind of undecided; None: explained by a neighbouring snapshot.
        basis: Option<Basis>,
    },
    /// ACCEPT that either role explains; the whole input may tell (lines 5 and 6).
    Waiting {
        /// Rules matching the forward reading.
        forward: SetId,
        /// Rules matching the reply reading.
        reply: SetId,
    },
    /// ACCEPT that no known rule explains, on an interface with an unknown group.
    UnknownGroup,
    /// ACCEPT that no rule explains, and what may lie behind it.
    Unexplained(Drift),
    /// REJECT.
    Refused(Cause),
}

/// Judges records. Keeps the sets of rules met; one per worker.
#[derive(Debug)]
pub struct Judge<'a> {
    timeline: &'a Timeline,
    index: &'a Index,
    /// The sets that verdicts name.
    pub sets: SetTable,
    /// Rules whose peer the last ACCEPT casts doubt on: see `near_records`.
    pub near: Vec<RuleIndex>,
    matched: Vec<RuleIndex>,
    /// The neighbouring state that explains the last ACCEPT.
    explained_at: Option<usize>,
    /// Per profile and direction: which of its rules matched, as bits, and the set that is.
    masks: Vec<Vec<(u64, SetId)>>,
}

/// Which readings the TCP flags leave in play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InPlay {
    forward: bool,
    reply: bool,
}

impl InPlay {
    /// `flags & 18 == 2` is a SYN of the opener, `18` the answer to it.
    fn of(traffic: &Traffic, cloud: Cloud) -> Self {
        match traffic.tcp_flags.map(|flags| flags & SYN_ACK) {
            Some(SYN) => Self { forward: true, reply: false },
            // Where the flags of all packets are put together, an opener's own record may show them.
            Some(SYN_ACK) if cloud == Cloud::Aws => Self { forward: false, reply: true },
            _ => Self { forward: true, reply: true },
        }
    }
}

/// A record placed in a state.
struct Case<'a> {
    state: &'a StateIndex,
    profile: &'a Profile,
    direction: Direction,
    peer: IpAddr,
    traffic: &'a Traffic,
}

impl<'a> Judge<'a> {
    /// A judge over a timeline and its index.
    pub fn new(timeline: &'a Timeline, index: &'a Index) -> Self {
        let profiles = index.profiles();
        Self {
            timeline,
            index,
            sets: SetTable::default(),
            near: Vec::new(),
            matched: Vec::new(),
            explained_at: None,
            masks: vec![Vec::new(); profiles * 2],
        }
    }

    /// What explains an accepted record in a situation: see [`Index::situate`].
    pub fn accept(
        &mut self,
        number: InterfaceNumber,
        at: usize,
        direction: Direction,
        start: Seconds,
        traffic: &Traffic,
    ) -> Verdict {
        self.near.clear();
        let state = &self.index.states[at];
        let profile = &*self.index.placed(at, number).profile;
        let case = Case { state, profile, direction, peer: peer(direction, traffic), traffic };
        self.acceptance(&case, number, at, Some(start))
    }

    /// Judges one record of an interface (None: no snapshot knows it).
    pub fn judge(
        &mut self,
        number: Option<InterfaceNumber>,
        flow: &Flow<'_>,
        traffic: &Traffic,
    ) -> Judgement {
        self.near.clear();
        let placed_at = self.timeline.at(flow.start);
        let refused = traffic.action == Action::Reject;
        let mut judgement = Judgement {
            placement: placed_at.map(|(_, placement)| placement),
            from_neighbour: false,
            no_group: false,
            direction: traffic.direction,
            peer: traffic.pkt_srcaddr.unwrap_or(traffic.srcaddr),
            verdict: if refused { Verdict::Refused(Cause::Unattributed) } else { Verdict::UnknownInterface },
            denied: Denial::NONE,
            explained_at: None,
        };
        let (Some(number), Some((at, _))) = (number, placed_at) else {
            if let Some(direction) = traffic.direction {
                judgement.peer = peer(direction, traffic);
            }
            return judgement;
        };
        let index = self.index;
        let state = &index.states[at];
        let placed = index.placed(at, number);
        judgement.from_neighbour = placed.origin == Origin::Neighbour;
        judgement.direction = direction(placed, traffic);
        if let Some(direction) = judgement.direction {
            judgement.peer = peer(direction, traffic);
        }
        let no_group = placed.interface.group_ids.is_empty();
        judgement.no_group = no_group;
        judgement.verdict = match judgement.direction {
            _ if no_group && refused => Verdict::Refused(by_reason(traffic).unwrap_or(Cause::NetworkAcl)),
            _ if no_group => Verdict::NoGroup,
            None if refused => Verdict::Refused(Cause::Unattributed),
            None => Verdict::UnknownDirection,
            Some(direction) => {
                let profile = &*placed.profile;
                let case = Case { state, profile, direction, peer: judgement.peer, traffic };
                if let (true, Some(cause)) = (refused, by_reason(traffic)) {
                    Verdict::Refused(cause)
                } else if refused {
                    let Traffic { protocol, srcport, dstport, tcp_flags, .. } = *traffic;
                    let acl = index.ask_acl(at, number, direction, case.peer, (protocol, dstport));
                    let packet = Packet { protocol, srcport, dstport, tcp_flags };
                    let refusal = self.refusal(&case);
                    let why = refusal.cause(acl, packet);
                    judgement.denied = refusal.denied_for(why);
                    Verdict::Refused(why)
                } else {
                    self.explained_at = None;
                    let verdict = self.acceptance(&case, number, at, flow.start);
                    judgement.explained_at = self.explained_at;
                    verdict
                }
            }
        };
        judgement
    }

    fn acceptance(
        &mut self,
        case: &Case<'_>,
        number: InterfaceNumber,
        at: usize,
        start: Option<Seconds>,
    ) -> Verdict {
        let (forward, reply) = self.readings(case);
        let play = InPlay::of(case.traffic, case.profile.cloud);
        if forward == SetId::EMPTY && play.forward && !self.sets.traits(reply).specific {
            self.note_doubts(case);
        }
        let empty = SetId::EMPTY;
        let decided = |role, set, basis| Verdict::Decided { role, set, basis };
        match (play.forward, play.reply) {
            _ if forward == empty && reply == empty => self.unexplained(case, number, at, start, play),
            (true, false) if forward != empty => decided(Role::Forward, forward, Basis::TcpFlags),
            (false, true) if reply != empty => decided(Role::Reply, reply, Basis::TcpFlags),
            (true, false) | (false, true) => {
                Verdict::Undecided { forward, reply, basis: Some(Basis::Contradicted) }
            }
            _ if reply == empty => decided(Role::Forward, forward, Basis::Rules),
            _ if forward == empty => decided(Role::Reply, reply, Basis::Rules),
            _ => self.both(case.traffic, forward, reply),
        }
    }

    /// Lines 3 to 7: both readings are in play and both find rules.
    fn both(&self, traffic: &Traffic, forward: SetId, reply: SetId) -> Verdict {
        if !has_ports(traffic.protocol) {
            return Verdict::Undecided { forward, reply, basis: Some(Basis::Ambiguous) };
        }
        let specific = (self.sets.traits(forward).specific, self.sets.traits(reply).specific);
        let low = (traffic.dstport < LOW_PORTS, traffic.srcport < LOW_PORTS);
        let decided = |role, basis| match role {
            Role::Forward => Verdict::Decided { role, set: forward, basis },
            _ => Verdict::Decided { role, set: reply, basis },
        };
        match (specific, low) {
            ((true, false), _) => decided(Role::Forward, Basis::RulePorts),
            ((false, true), _) => decided(Role::Reply, Basis::RulePorts),
            (_, (true, false)) => decided(Role::Forward, Basis::LowPort),
            (_, (false, true)) => decided(Role::Reply, Basis::LowPort),
            _ => Verdict::Waiting { forward, reply },
        }
    }

    /// No rule of the state in force explains it: tracked connections outlive a change of rules, so earlier states are
    /// asked, newest first, and then the next one.
    fn unexplained(
        &mut self,
        case: &Case<'_>,
        number: InterfaceNumber,
        at: usize,
        start: Option<Seconds>,
        play: InPlay,
    ) -> Verdict {
        if case.profile.lacks_group {
            return Verdict::UnknownGroup;
        }
        let index = self.index;
        let lacking = index.placed(at, number).origin == Origin::Neighbour;
        // Of states that know the same of the interface and of all addresses, one is asked.
        let since = |at: usize| index.since(at, number);
        let earlier = std::iter::successors(since(at).checked_sub(1), |before| since(*before).checked_sub(1));
        // On Alibaba Cloud no session outlives a change of rules for long.
        let outlived = |earlier: &usize| {
            let ended = self.timeline.states.get(earlier + 1).and_then(|state| state.from);
            case.profile.cloud == Cloud::Aws
                || matches!((start, ended), (Some(start), Some(ended)) if start < ended + LONGEST_SESSION)
        };
        let earlier = earlier.take_while(outlived);
        // A snapshot that shows the same again is the next one, and explains no more.
        let confirmed = self.timeline.states[at].confirmed;
        let is_last = confirmed.is_none_or(|confirmed| start.is_some_and(|start| start >= confirmed));
        let next = Some(at + 1).filter(|next| is_last && *next < index.states.len());
        for at in earlier.chain(next) {
            let (state, placed) = (&index.states[at], index.placed(at, number));
            if placed.origin == Origin::Neighbour {
                continue;
            }
            let other = Case { state, profile: &placed.profile, ..*case };
            let (forward, reply) = self.readings(&other);
            let forward = if play.forward { forward } else { SetId::EMPTY };
            let reply = if play.reply { reply } else { SetId::EMPTY };
            if forward != SetId::EMPTY || reply != SetId::EMPTY {
                self.explained_at = Some(at);
                return Verdict::Undecided { forward, reply, basis: None };
            }
        }
        Verdict::Unexplained(if lacking { Drift::StaleInterface } else { self.drift(case, play) })
    }

    /// The rules matching the forward and the reply reading.
    fn readings(&mut self, case: &Case<'_>) -> (SetId, SetId) {
        let class = self.index.atoms.class(case.peer, &case.state.classes);
        let members = self.index.members.members(class);
        let Traffic { srcport, dstport, .. } = *case.traffic;
        let forward = self.matching(case, case.direction, (srcport, dstport), members);
        let reply = self.matching(case, case.direction.opposite(), (dstport, srcport), members);
        (forward, reply)
    }

    /// The forward reading found nothing: rules that fit in all but the peer may have been used by it all the same.
    fn note_doubts(&mut self, case: &Case<'_>) {
        let traffic = case.traffic;
        let mut stranger = None;
        for rule in case.profile.rules(case.direction) {
            let ports = (traffic.srcport, traffic.dstport);
            if rule.proof.doubt == Doubt::Nobody || !rule.allows() || !self.fits_but_peer(case, rule, ports) {
                continue;
            }
            let doubtful = match rule.proof.doubt {
                Doubt::Nobody => false,
                Doubt::Anybody => true,
                Doubt::Strangers => *stranger.get_or_insert_with(|| !self.index.is_own(case.peer)),
            };
            if doubtful {
                self.near.push(rule.rule);
            }
        }
    }

    /// What an ACCEPT that no rule of its interface explains tells of itself.
    fn drift(&self, case: &Case<'_>, play: InPlay) -> Drift {
        let Traffic { srcport, dstport, tcp_flags, .. } = *case.traffic;
        let unresolved = |direction, ports| {
            let mut rules = case.profile.rules(direction).iter();
            rules.any(|rule| rule.proof.unresolved && self.fits_but_peer(case, rule, ports))
        };
        let back = case.direction.opposite();
        match tcp_flags {
            _ if play.forward && unresolved(case.direction, (srcport, dstport)) => Drift::UnresolvedReference,
            _ if play.reply && unresolved(back, (dstport, srcport)) => Drift::UnresolvedReference,
            Some(flags) if flags & SYN == 0 => Drift::TrackedConnection,
            Some(_) => Drift::NewConnection,
            None => Drift::Untold,
        }
    }

    /// What the rules say of a refused record that groups and directions are known of.
    fn refusal(&mut self, case: &Case<'_>) -> Refusal {
        let traffic = case.traffic;
        let (forward, reply) = self.readings(case);
        let play = InPlay::of(traffic, case.profile.cloud);
        let forward = if play.forward { forward } else { SetId::EMPTY };
        let reply = if play.reply { reply } else { SetId::EMPTY };
        let ports = (traffic.srcport, traffic.dstport);
        // What stands in front of the rules that allow, or any rule where none does.
        let in_front = match self.sets.rules(forward).first() {
            Some(rule) => self.timeline.rules[rule.index()].rank(),
            None => u16::MAX,
        };
        let may_decide = |rule: &CompiledRule| {
            rule.proof.unresolved
                && (forward == SetId::EMPTY || (!rule.allows() && rule.rank < in_front))
                && self.fits_but_peer(case, rule, ports)
        };
        let unresolved = play.forward && case.profile.rules(case.direction).iter().any(may_decide);
        let allowing = match forward {
            SetId::EMPTY if unresolved => Allowing::Unresolved,
            SetId::EMPTY => Allowing::Nothing,
            set if self.sets.traits(set).sure && !unresolved => Allowing::Surely,
            _ => Allowing::Possibly,
        };
        Refusal {
            forward: allowing,
            reply: reply != SetId::EMPTY,
            lacks_group: case.profile.lacks_group,
            cloud: case.profile.cloud,
            denied: if play.forward { self.denied(case) } else { Denial::NONE },
        }
    }

    /// The rules of a state that match the forward and the reply reading of a record, with its direction and peer told.
    pub fn readings_at(
        &mut self,
        number: InterfaceNumber,
        at: usize,
        (direction, peer): (Direction, IpAddr),
        traffic: &Traffic,
    ) -> (SetId, SetId) {
        let state = &self.index.states[at];
        let profile = &*self.index.placed(at, number).profile;
        self.readings(&Case { state, profile, direction, peer, traffic })
    }

    /// Whether the rules known in a state do not tell of every record of the interface: it has no groups, or the state
    /// lacks one of them.
    pub fn leaves_open(&self, number: InterfaceNumber, at: usize) -> bool {
        let placed = self.index.placed(at, number);
        placed.profile.lacks_group || placed.interface.group_ids.is_empty()
    }

    /// What the rules say of a refused record in a situation: see [`Index::situate`].
    pub fn refuse(
        &mut self,
        number: InterfaceNumber,
        at: usize,
        direction: Direction,
        traffic: &Traffic,
    ) -> Refusal {
        let state = &self.index.states[at];
        let profile = &*self.index.placed(at, number).profile;
        self.refusal(&Case { state, profile, direction, peer: peer(direction, traffic), traffic })
    }
}

fn by_reason(traffic: &Traffic) -> Option<Cause> {
    traffic.reject_reason.map(|reason| match reason {
        RejectReason::BlockPublicAccess => Cause::BlockPublicAccess,
        RejectReason::EncryptionControl => Cause::EncryptionControl,
    })
}

/// The record's own direction; else the end that is an address of the interface.
fn direction(placed: &Placed, traffic: &Traffic) -> Option<Direction> {
    traffic.direction.or_else(|| match (placed.owns(traffic.dstaddr), placed.owns(traffic.srcaddr)) {
        (true, false) => Some(Direction::Ingress),
        (false, true) => Some(Direction::Egress),
        _ => None,
    })
}

/// The far side as the packet names it, else as the interface saw it.
fn peer(direction: Direction, traffic: &Traffic) -> IpAddr {
    match direction {
        Direction::Ingress => traffic.pkt_srcaddr.unwrap_or(traffic.srcaddr),
        Direction::Egress => traffic.pkt_dstaddr.unwrap_or(traffic.dstaddr),
    }
}
