//! Where peers are: what an address seen today stands for, since addresses change at scale-out and failover.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::rules::timeline::{Span, Timeline};

/// Health checks of load balancers of Alibaba Cloud come from all of it.
///
/// Source: <https://www.alibabacloud.com/help/en/slb/classic-load-balancer/user-guide/health-check-faq>.
const SHARED: [&str; 1] = ["100.64.0.0/10"];
/// An address of no subnet that is known stands for its neighbours too.
const UNKNOWN_V4: u8 = 24;
const UNKNOWN_V6: u8 = 64;

/// A network of an interface, its VPC and its groups.
type Owner<'a> = (IpNet, &'a str, &'a [String]);

/// Interfaces and subnets of all states, by address.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// Addresses and delegated prefixes, by their first address: network, VPC and groups.
    owners: BTreeMap<IpAddr, Vec<Owner<'a>>>,
    /// Ranges with the VPC they are in, ascending.
    subnets: BTreeSet<(IpNet, &'a str)>,
    /// By group: ranges of the subnets that its interfaces are in.
    of_group: BTreeMap<&'a str, BTreeSet<IpNet>>,
    /// VPCs of which a subnet is known.
    vpcs: BTreeSet<&'a str>,
}

/// What peers stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// Whole subnets, or neighbours where no subnet is known.
    pub(super) nets: BTreeSet<IpNet>,
    /// Groups of the interfaces that they are addresses of.
    pub(super) groups: BTreeSet<String>,
    /// Whether some of them are in no subnet that is known.
    pub(super) strangers: bool,
}

impl<'a> Places<'a> {
    pub(super) fn of(timeline: &'a Timeline) -> Self {
        let mut places = Self {
            owners: BTreeMap::new(),
            subnets: BTreeSet::new(),
            of_group: BTreeMap::new(),
            vpcs: BTreeSet::new(),
        };
        let mut ranges: BTreeMap<&str, BTreeSet<IpNet>> = BTreeMap::new();
        for subnet in timeline.states.iter().flat_map(|state| state.subnets.values()) {
            ranges.entry(subnet.id.as_str()).or_default().extend(&subnet.ranges);
            for range in &subnet.ranges {
                places.subnets.insert((*range, subnet.vpc_id.as_str()));
                places.vpcs.insert(subnet.vpc_id.as_str());
            }
        }
        for Span { interface, .. } in timeline.lives().spans() {
            for net in interface.nets() {
                let owners = places.owners.entry(net.network()).or_default();
                owners.push((net, interface.vpc_id.as_str(), &interface.group_ids));
            }
            for group in &interface.group_ids {
                let nets = places.of_group.entry(group).or_default();
                nets.extend(ranges.get(interface.subnet_id.as_str()).into_iter().flatten());
            }
        }
        places
    }

    /// Whether any subnet of a VPC is known.
    pub(super) fn knows(&self, vpc: &str) -> bool {
        self.vpcs.contains(vpc)
    }

    /// What peers of private networks stand for, seen from a VPC.
    pub(super) fn stand(&self, peers: IpNet, vpc: &str) -> Stand {
        let mut stand = Stand::default();
        if let Some(shared) =
            SHARED.iter().filter_map(|text| text.parse::<IpNet>().ok()).find(|it| it.contains(&peers))
        {
            stand.nets.insert(shared);
            return stand;
        }
        for (_, groups) in self.owners_in(peers, vpc) {
            stand.groups.extend(groups.iter().cloned());
        }
        for group in &stand.groups {
            stand.nets.extend(self.of_group.get(group.as_str()).into_iter().flatten());
        }
        let met: Vec<&(IpNet, &str)> =
            self.subnets.iter().filter(|(net, _)| net.contains(&peers) || peers.contains(net)).collect();
        let at_home = met.iter().any(|(_, own)| *own == vpc);
        let near = met.iter().filter(|(_, own)| !at_home || *own == vpc).map(|(net, _)| *net);
        let near: Vec<IpNet> = near.collect();
        if !near.iter().any(|net| net.contains(&peers)) {
            stand.strangers = true;
            let length = if peers.addr().is_ipv4() { UNKNOWN_V4 } else { UNKNOWN_V6 };
            let wide = IpNet::new(peers.addr(), length.min(peers.prefix_len())).unwrap_or(peers);
            stand.nets.insert(wide.trunc());
        }
        stand.nets.extend(near);
        let other_family = |net: &IpNet| net.addr().is_ipv4() != peers.addr().is_ipv4();
        stand.nets.retain(|net| !other_family(net));
        stand
    }

    /// Interfaces whose addresses are among the peers: those of the VPC, if there are any.
    fn owners_in(&self, peers: IpNet, vpc: &str) -> Vec<(&'a str, &'a [String])> {
        let within = self.owners.range(peers.network()..=peers.broadcast()).flat_map(|(_, owners)| owners);
        // A delegated prefix that the peers are in begins before them: it has 28 or 80 bits.
        let length = if peers.addr().is_ipv4() { 28 } else { 80 };
        let prefix = IpNet::new(peers.addr(), length).map(|net| net.trunc().addr()).ok();
        let around = prefix.and_then(|at| self.owners.get(&at)).into_iter().flatten();
        let around = around.filter(|(net, ..)| net.contains(&peers));
        let mut owners: Vec<(&str, &[String])> =
            within.chain(around).map(|(_, own, groups)| (*own, *groups)).collect();
        if owners.iter().any(|(own, _)| *own == vpc) {
            owners.retain(|(own, _)| *own == vpc);
        }
        owners
    }
}
