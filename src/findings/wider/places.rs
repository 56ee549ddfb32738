//! Where peers are: what an address seen today stands for, since addresses change at scale-out and failover.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::findings::space::Family;
use crate::rules::timeline::{Span, Timeline};

/// An address of no subnet that is known stands for its neighbours too.
const UNKNOWN_V4: u8 = 24;
const UNKNOWN_V6: u8 = 64;

/// An interface, as far as one of its networks tells of it.
#[derive(Debug, Clone, Copy)]
struct Owner<'a> {
    net: IpNet,
    vpc: &'a str,
    groups: &'a [String],
    /// Whether the ranges of its subnet are known.
    placed: bool,
}

/// Interfaces and subnets of all states, by address.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// Addresses and delegated prefixes, by their first address.
    owners: BTreeMap<IpAddr, Vec<Owner<'a>>>,
    /// Ranges with the VPC they are in, ascending.
    subnets: BTreeSet<(IpNet, &'a str)>,
    /// By group: ranges of the subnets that its interfaces are in.
    of_group: BTreeMap<&'a str, BTreeSet<IpNet>>,
    /// Groups with an address of a family in a subnet of which no range of that family is known.
    scattered: BTreeSet<(&'a str, Family)>,
    /// VPCs of which a range of a family is known.
    vpcs: BTreeSet<(&'a str, Family)>,
}

/// What peers stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// Whole subnets, or neighbours where no subnet is known.
    pub(super) nets: BTreeSet<IpNet>,
    /// Groups of the interfaces that they are addresses of.
    pub(super) groups: BTreeSet<String>,
    /// Some of them are in no subnet that is known.
    pub(super) strangers: bool,
    /// They are addresses of no interface: whose they were is not known.
    pub(super) nobodys: bool,
    /// Not all subnets of their groups are known.
    pub(super) untold: bool,
}

impl<'a> Places<'a> {
    pub(super) fn of(timeline: &'a Timeline) -> Self {
        let mut places = Self {
            owners: BTreeMap::new(),
            subnets: BTreeSet::new(),
            of_group: BTreeMap::new(),
            scattered: BTreeSet::new(),
            vpcs: BTreeSet::new(),
        };
        let mut ranges: BTreeMap<&str, BTreeSet<IpNet>> = BTreeMap::new();
        for subnet in timeline.states.iter().flat_map(|state| state.subnets.values()) {
            ranges.entry(subnet.id.as_str()).or_default().extend(&subnet.ranges);
            for range in &subnet.ranges {
                places.subnets.insert((*range, subnet.vpc_id.as_str()));
                places.vpcs.insert((subnet.vpc_id.as_str(), Family::of(range.addr())));
            }
        }
        for Span { interface, .. } in timeline.lives().spans() {
            let own = ranges.get(interface.subnet_id.as_str());
            for group in &interface.group_ids {
                places.of_group.entry(group).or_default().extend(own.into_iter().flatten());
            }
            for net in interface.nets() {
                let family = Family::of(net.addr());
                let known = own.into_iter().flatten().any(|range| Family::of(range.addr()) == family);
                let (vpc, groups) = (interface.vpc_id.as_str(), interface.group_ids.as_slice());
                places.owners.entry(net.network()).or_default().push(Owner {
                    net,
                    vpc,
                    groups,
                    placed: known,
                });
                if !known {
                    places.scattered.extend(groups.iter().map(|group| (group.as_str(), family)));
                }
            }
        }
        places
    }

    /// Whether any range of a VPC is known, of the family of some peers.
    pub(super) fn knows(&self, vpc: &str, peers: IpNet) -> bool {
        self.vpcs.contains(&(vpc, Family::of(peers.addr())))
    }

    /// Whether an address is one of ours, whatever it looks like: in a subnet, or of an interface.
    pub(super) fn holds(&self, peer: IpNet) -> bool {
        peer.prefix_len() == peer.max_prefix_len()
            && (self.subnets.iter().any(|(net, _)| net.contains(&peer)) || !self.owners_in(peer).is_empty())
    }

    /// What peers of private networks stand for, seen from a VPC.
    pub(super) fn stand(&self, peers: IpNet, vpc: &str) -> Stand {
        let met: Vec<&(IpNet, &str)> =
            self.subnets.iter().filter(|(net, _)| net.contains(&peers) || peers.contains(net)).collect();
        let mut owners = self.owners_in(peers);
        // What is in the VPC itself is not the namesake in another one.
        let at_home = met.iter().any(|(_, own)| *own == vpc) || owners.iter().any(|owner| owner.vpc == vpc);
        let is_near = |own: &str| !at_home || own == vpc;
        owners.retain(|owner| is_near(owner.vpc));
        let near: Vec<IpNet> = met.iter().filter(|(_, own)| is_near(own)).map(|(net, _)| *net).collect();
        let mut stand = Stand {
            groups: owners.iter().flat_map(|owner| owner.groups.iter().cloned()).collect(),
            nobodys: owners.is_empty(),
            untold: owners.iter().any(|owner| !owner.placed),
            ..Stand::default()
        };
        for group in &stand.groups {
            stand.untold |= self.scattered.contains(&(group.as_str(), Family::of(peers.addr())));
            stand.nets.extend(self.of_group.get(group.as_str()).into_iter().flatten());
        }
        if !near.iter().any(|net| net.contains(&peers)) {
            stand.strangers = true;
            let length = if peers.addr().is_ipv4() { UNKNOWN_V4 } else { UNKNOWN_V6 };
            let wide = IpNet::new(peers.addr(), length.min(peers.prefix_len())).unwrap_or(peers);
            stand.nets.insert(wide.trunc());
        }
        stand.nets.extend(near);
        stand.nets.retain(|net| net.addr().is_ipv4() == peers.addr().is_ipv4());
        stand
    }

    /// Interfaces whose addresses are among the peers.
    fn owners_in(&self, peers: IpNet) -> Vec<Owner<'a>> {
        let within = self.owners.range(peers.network()..=peers.broadcast()).flat_map(|(_, owners)| owners);
        // A delegated prefix that the peers are in begins before them: it has 28 or 80 bits.
        let length = if peers.addr().is_ipv4() { 28 } else { 80 };
        let prefix = IpNet::new(peers.addr(), length).map(|net| net.trunc().addr()).ok();
        let before = prefix.filter(|at| *at < peers.network());
        let around = before.and_then(|at| self.owners.get(&at)).into_iter().flatten();
        let around = around.filter(|owner| owner.net.contains(&peers));
        within.chain(around).copied().collect()
    }
}
