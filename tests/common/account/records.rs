//! Records that lie close to the rules of a made-up account.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowaudit::flow::{
    Action, Direction, Entry, ICMP, ICMPV6, OwnedFlow, RejectReason, TCP, Traffic, UDP, has_ports,
};
use flowaudit::rules::{RuleProtocol, parse_net};
use ipnet::IpNet;

use super::{Dice, HOUR, InterfaceText, PeerText, RuleText};

/// Everything any snapshot describes: what records are aimed at.
#[derive(Default)]
pub(super) struct Estate {
    pub(super) interfaces: Vec<InterfaceText>,
    pub(super) rules: Vec<RuleText>,
    pub(super) times: Vec<i64>,
}

impl Estate {
    /// One record, mostly of a connection that some rule of the interface allows or nearly allows.
    pub(super) fn single(&self, dice: &mut Dice) -> OwnedFlow {
        let interface = dice.one(&self.interfaces).clone();
        let of_it: Vec<&RuleText> =
            self.rules.iter().filter(|rule| interface.groups.contains(&rule.group)).collect();
        let rule = if of_it.is_empty() || dice.chance(10) {
            dice.one(&self.rules).clone()
        } else {
            dice.pick(&of_it).clone()
        };
        let peer = if dice.chance(75) { self.peer_of(dice, &rule.peer) } else { self.any_address(dice) };
        let local = local_address(dice, &interface, peer.is_ipv4());
        let protocol = match RuleProtocol::parse(&rule.protocol) {
            RuleProtocol::Number(number) if dice.chance(90) => number,
            _ => dice.pick(&[TCP, TCP, TCP, UDP, ICMP, ICMPV6, 47, 50, 0, 255]),
        };
        let edges = [rule.from, rule.to, rule.from - 1, rule.to + 1, i64::midpoint(rule.from, rule.to)];
        let service = if dice.chance(80) {
            u16::try_from(dice.pick(&edges).clamp(0, 65535)).unwrap()
        } else {
            dice.port()
        };
        let client = dice.port();
        let (service, client) = if dice.chance(5) { (53, 40_000) } else { (service, client) };
        // The rule's own side opened it, or so it looks.
        let (source, destination) =
            if rule.egress { ((local, client), (peer, service)) } else { ((peer, client), (local, service)) };
        let forward = dice.chance(60);
        let (source, destination) = if forward { (source, destination) } else { (destination, source) };
        let flags = match dice.below(10) {
            0..=2 => None,
            3..=6 if forward => Some(dice.pick(&[2, 2, 3])),
            3..=6 => Some(dice.pick(&[18, 18, 19, 22])),
            _ => Some(dice.pick(&[1, 4, 0, 16, 5])),
        };
        let mut flow = self.record(dice, &interface.id, protocol, source, destination, local);
        if let Entry::Traffic(traffic) = &mut flow.entry {
            traffic.tcp_flags = flags.filter(|_| protocol == TCP);
            disguise(dice, traffic, local, &interface, self);
        }
        match dice.below(60) {
            0 => flow.entry = Entry::NoData,
            1 => flow.entry = Entry::SkipData,
            2 | 3 => flow.interface_id = b"eni-unknown".to_vec(),
            _ => {}
        }
        flow
    }

    /// Many records on few ports, without flags: what lines 5 and 6 are for.
    pub(super) fn burst(&self, dice: &mut Dice, flows: &mut Vec<OwnedFlow>) {
        let wide: Vec<&InterfaceText> =
            self.interfaces.iter().filter(|it| it.groups.iter().any(|id| id == "sg-0")).collect();
        let Some(interface) = wide.get(dice.below(wide.len().max(1))) else { return };
        let Some(local) = interface.addresses.iter().copied().find(IpAddr::is_ipv4) else { return };
        let peer: IpAddr = "203.0.113.50".parse().unwrap();
        let protocol = dice.pick(&[TCP, TCP, UDP]);
        let fixed = dice.pick(&[1024, 2000, 5432, 8080, 41000, 300]);
        let partner = 20_000;
        let flags_of_some = dice.chance(30);
        let mut pairs = Vec::new();
        // Around 8 and around 64 different ports of the other end; both ends at once may tie.
        let beyond_the_bound = dice.chance(25);
        let many = |dice: &mut Dice| {
            if beyond_the_bound { dice.pick(&[63, 64, 65, 70]) } else { dice.pick(&[3, 7, 8, 9, 20]) }
        };
        for n in 0..many(dice) {
            pairs.push((fixed, partner + n));
        }
        if beyond_the_bound || dice.chance(50) {
            for n in 0..many(dice) {
                pairs.push((fixed + 1 + n, partner));
            }
        }
        let remote_is_fixed = dice.chance(40);
        for (here, there) in pairs {
            let (here, there) = if remote_is_fixed { (there, here) } else { (here, there) };
            let ((from, from_port), (to, to_port)) =
                if dice.chance(50) { ((local, here), (peer, there)) } else { ((peer, there), (local, here)) };
            let mut flow =
                self.record(dice, &interface.id, protocol, (from, from_port), (to, to_port), local);
            if let Entry::Traffic(traffic) = &mut flow.entry {
                traffic.action = Action::Accept;
                if flags_of_some && protocol == TCP && dice.chance(10) {
                    traffic.tcp_flags = Some(dice.pick(&[2, 18]));
                }
            }
            flows.push(flow);
        }
    }

    fn record(
        &self,
        dice: &mut Dice,
        interface: &str,
        protocol: u8,
        (srcaddr, srcport): (IpAddr, u16),
        (dstaddr, dstport): (IpAddr, u16),
        local: IpAddr,
    ) -> OwnedFlow {
        let start = dice.pick(&self.times) + dice.pick(&[-HOUR, -60, -1, 0, 1, 60, HOUR - 1]);
        let start = (!dice.chance(2)).then_some(start);
        let towards = if dstaddr == local { Direction::Ingress } else { Direction::Egress };
        let portless = !has_ports(protocol) && dice.chance(90);
        let port = |port| if portless { 0 } else { port };
        let action = if dice.chance(65) { Action::Accept } else { Action::Reject };
        let huge = dice.below(400) == 0;
        OwnedFlow {
            interface_id: interface.as_bytes().to_vec(),
            account_id: b"123456789012".to_vec(),
            vpc_id: if dice.chance(50) { b"vpc-1".to_vec() } else { Vec::new() },
            start,
            end: start.map(|start| start + dice.pick(&[0, 1, 30, 59, 600])),
            entry: Entry::Traffic(Traffic {
                action,
                direction: dice.chance(40).then_some(towards),
                protocol,
                srcaddr,
                dstaddr,
                pkt_srcaddr: None,
                pkt_dstaddr: None,
                srcport: port(srcport),
                dstport: port(dstport),
                packets: if huge { u64::MAX } else { dice.next() % 100 },
                bytes: if huge { u64::MAX - 5 } else { dice.next() % 100_000 },
                tcp_flags: None,
                ports: flowaudit::flow::PortFields::Logged,
                reject_reason: (action == Action::Reject && dice.chance(6))
                    .then(|| dice.pick(&[RejectReason::BlockPublicAccess, RejectReason::EncryptionControl])),
            }),
        }
    }

    /// An address that the rule means, or one next to it.
    fn peer_of(&self, dice: &mut Dice, peer: &PeerText) -> IpAddr {
        let entries = ["198.51.100.0/26", "10.0.1.0/25", "2001:db8:0:1::/80", "203.0.113.0/24"];
        match peer {
            PeerText::V4(range) | PeerText::V6(range) => {
                let Some(net) = parse_net(range) else { return self.any_address(dice) };
                near(dice, net)
            }
            PeerText::Group(group) => {
                let members: Vec<&InterfaceText> =
                    self.interfaces.iter().filter(|interface| interface.groups.contains(group)).collect();
                if members.is_empty() || dice.chance(30) {
                    return self.any_address(dice);
                }
                let (member, v4) = (dice.pick(&members), dice.chance(70));
                local_address(dice, member, v4)
            }
            PeerText::List(_) => {
                let entry = parse_net(dice.pick(&entries)).unwrap();
                near(dice, entry)
            }
        }
    }

    fn any_address(&self, dice: &mut Dice) -> IpAddr {
        let ranges = ["198.51.100.0/28", "203.0.113.4/30", "10.0.0.0/22", "2001:db8:0:1::/123", "2a00::/126"];
        if dice.chance(40) {
            let (interface, v4) = (dice.one(&self.interfaces), dice.chance(70));
            return local_address(dice, interface, v4);
        }
        let range = parse_net(dice.pick(&ranges)).unwrap();
        near(dice, range)
    }
}

/// Wrong or missing directions, middleboxes, packets to oneself.
fn disguise(
    dice: &mut Dice,
    traffic: &mut Traffic,
    local: IpAddr,
    interface: &InterfaceText,
    estate: &Estate,
) {
    match dice.below(40) {
        0 => traffic.direction = traffic.direction.map(Direction::opposite),
        1 => traffic.srcaddr = dice.pick(&interface.addresses),
        2 => traffic.dstaddr = dice.pick(&interface.addresses),
        3 => (traffic.srcaddr, traffic.direction) = (estate.any_address(dice), None),
        4..=7 => {
            traffic.pkt_srcaddr = Some(traffic.srcaddr);
            traffic.pkt_dstaddr = Some(traffic.dstaddr);
        }
        8..=12 if traffic.dstaddr == local => {
            traffic.pkt_srcaddr = Some(traffic.srcaddr);
            traffic.srcaddr = estate.any_address(dice);
        }
        8..=12 => {
            traffic.pkt_dstaddr = Some(traffic.dstaddr);
            traffic.dstaddr = estate.any_address(dice);
        }
        13 => traffic.pkt_srcaddr = Some(estate.any_address(dice)),
        14 => traffic.pkt_dstaddr = Some(estate.any_address(dice)),
        _ => {}
    }
}

/// An address of the interface, of this family where it has one.
fn local_address(dice: &mut Dice, interface: &InterfaceText, v4: bool) -> IpAddr {
    let prefixes: Vec<IpNet> =
        interface.prefixes.iter().copied().filter(|net| net.addr().is_ipv4() == v4).collect();
    if !prefixes.is_empty() && dice.chance(30) {
        let prefix = dice.pick(&prefixes);
        return near(dice, prefix);
    }
    let addresses: Vec<IpAddr> =
        interface.addresses.iter().copied().filter(|address| address.is_ipv4() == v4).collect();
    if addresses.is_empty() { dice.pick(&interface.addresses) } else { dice.pick(&addresses) }
}

/// An address in the range, with a bias to its ends; rarely the one just beyond.
fn near(dice: &mut Dice, net: IpNet) -> IpAddr {
    let choice = dice.below(10);
    let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
    match net {
        IpNet::V4(net) => {
            let mask = u32::MAX.checked_shr(u32::from(net.prefix_len())).unwrap_or(0);
            let random = u32::try_from(random & u128::from(mask)).unwrap();
            let offset = [0, mask, mask.wrapping_add(1)].get(choice).copied().unwrap_or(random);
            Ipv4Addr::from(u32::from(net.network()).wrapping_add(offset)).into()
        }
        IpNet::V6(net) => {
            let mask = u128::MAX.checked_shr(u32::from(net.prefix_len())).unwrap_or(0);
            let offset = [0, mask, mask.wrapping_add(1)].get(choice).copied().unwrap_or(random & mask);
            Ipv6Addr::from(u128::from(net.network()).wrapping_add(offset)).into()
        }
    }
}
