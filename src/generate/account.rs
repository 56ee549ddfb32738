//! The account of the sample as plain data: one VPC of a small web shop, its interfaces, groups and rules.
//!
//! Addresses, names and rules are the same under every seed, so that the documentation can speak of them; ids come
//! from the seed. [`super::documents`] writes all of it as AWS answers it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::random::Random;

/// The account that owns everything.
pub(crate) const ACCOUNT_ID: &str = "123456789012";
/// The region everything is in.
pub(crate) const REGION: &str = "eu-west-1";
/// A group that went away with the peering it was reached over.
pub(crate) const DELETED_GROUP: &str = "sg-0d1e7edc0ffee0123";

/// Every interface of the VPC, in the order of [`Account::interfaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    AlbA,
    AlbB,
    AppA,
    AppB,
    AppC,
    Database,
    DatabaseStandby,
    Bastion,
    Batch,
    ClientVpn,
    Nat,
    Endpoint,
}

/// Every group of the VPC, in the order of [`Account::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupName {
    Default,
    Web,
    App,
    Database,
    Bastion,
    ClientVpn,
    Endpoint,
    Batch,
    Monitoring,
    LoadTest,
}

/// Who made an interface, which decides how AWS describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Instance,
    Alb,
    Rds,
    ClientVpn,
    Nat,
    Endpoint,
}

/// One interface.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
    pub(crate) subnet: usize,
    pub(crate) address: Ipv4Addr,
    pub(crate) address_v6: Option<Ipv6Addr>,
    pub(crate) public: Option<Ipv4Addr>,
    pub(crate) groups: &'static [GroupName],
    pub(crate) instance_id: Option<String>,
    pub(crate) attachment_id: String,
    pub(crate) mac: String,
}

/// One subnet.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) zone: &'static str,
    pub(crate) zone_id: &'static str,
    pub(crate) cidr: &'static str,
    pub(crate) cidr_v6: Option<&'static str>,
    pub(crate) public: bool,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) rules: Vec<Rule>,
}

/// One rule of a group.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) egress: bool,
    pub(crate) protocol: &'static str,
    /// First and last port, or ICMP type and code; None for every protocol.
    pub(crate) ports: Option<(i32, i32)>,
    pub(crate) peer: Peer,
    pub(crate) description: &'static str,
}

/// The far side of a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    V4(&'static str),
    V6(&'static str),
    Office,
    Group(GroupName),
    DeletedGroup,
}

/// The account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) vpc_id: String,
    pub(crate) peer_vpc_id: String,
    pub(crate) peering_id: String,
    pub(crate) office_list: String,
    pub(crate) nat_id: String,
    pub(crate) endpoint_id: String,
    pub(crate) load_balancer: String,
    pub(crate) acls: [String; 2],
    pub(crate) acl_associations: [String; 4],
    pub(crate) flow_logs: [String; 3],
    pub(crate) subnets: [Subnet; 4],
    pub(crate) groups: Vec<Group>,
    pub(crate) interfaces: Vec<Interface>,
}

impl Account {
    /// The account under this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, "account");
        let random = &mut random;
        Self {
            vpc_id: random.id("vpc"),
            peer_vpc_id: random.id("vpc"),
            peering_id: random.id("pcx"),
            office_list: random.id("pl"),
            nat_id: random.id("nat"),
            endpoint_id: random.id("vpce"),
            load_balancer: format!("app/shop-web/{}", random.hex(16)),
            acls: [(); 2].map(|()| random.id("acl")),
            acl_associations: [(); 4].map(|()| random.id("aclassoc")),
            flow_logs: [(); 3].map(|()| random.id("fl")),
            subnets: subnets(random),
            groups: super::rules::groups(random),
            interfaces: interfaces(random),
        }
    }

    /// The interface of this host.
    pub(crate) fn host(&self, host: Host) -> &Interface {
        &self.interfaces[host as usize]
    }

    /// The private address of this host.
    pub(crate) fn address(&self, host: Host) -> IpAddr {
        IpAddr::V4(self.host(host).address)
    }

    /// The group of this name.
    pub(crate) fn group(&self, name: GroupName) -> &Group {
        &self.groups[name as usize]
    }
}

fn subnets(random: &mut Random) -> [Subnet; 4] {
    let rows = [
        ("shop-public-a", "a", "10.20.1.0/24", Some("2001:db8:20:1::/64")),
        ("shop-public-b", "b", "10.20.2.0/24", Some("2001:db8:20:2::/64")),
        ("shop-private-a", "a", "10.20.11.0/24", None),
        ("shop-private-b", "b", "10.20.12.0/24", None),
    ];
    rows.map(|(name, zone, cidr, cidr_v6)| Subnet {
        id: random.id("subnet"),
        name,
        zone: if zone == "a" { "eu-west-1a" } else { "eu-west-1b" },
        zone_id: if zone == "a" { "euw1-az1" } else { "euw1-az2" },
        cidr,
        cidr_v6,
        public: cidr_v6.is_some(),
    })
}

type HostRow = (Host, &'static str, Owner, usize, [u8; 4], Option<[u8; 4]>, &'static [GroupName]);

/// Host, name, who made it, index of its subnet, private and public address, groups.
const HOSTS: [HostRow; 12] = {
    use GroupName as G;
    [
        (Host::AlbA, "", Owner::Alb, 0, [10, 20, 1, 23], Some([198, 51, 100, 201]), &[G::Web]),
        (Host::AlbB, "", Owner::Alb, 1, [10, 20, 2, 41], Some([198, 51, 100, 202]), &[G::Web]),
        (Host::AppA, "shop-app-1", Owner::Instance, 2, [10, 20, 11, 15], None, &[G::App]),
        (Host::AppB, "shop-app-2", Owner::Instance, 3, [10, 20, 12, 27], None, &[G::App]),
        (Host::AppC, "shop-app-3", Owner::Instance, 2, [10, 20, 11, 64], None, &[G::App]),
        (Host::Database, "", Owner::Rds, 2, [10, 20, 11, 201], None, &[G::Database]),
        (Host::DatabaseStandby, "", Owner::Rds, 3, [10, 20, 12, 188], None, &[G::Database]),
        (
            Host::Bastion,
            "shop-bastion",
            Owner::Instance,
            0,
            [10, 20, 1, 10],
            Some([198, 51, 100, 210]),
            &[G::Bastion],
        ),
        (Host::Batch, "shop-batch", Owner::Instance, 3, [10, 20, 12, 90], None, &[G::Batch, G::Monitoring]),
        (Host::ClientVpn, "", Owner::ClientVpn, 2, [10, 20, 11, 77], None, &[G::Default, G::ClientVpn]),
        (Host::Nat, "", Owner::Nat, 0, [10, 20, 1, 5], Some([198, 51, 100, 205]), &[]),
        (Host::Endpoint, "", Owner::Endpoint, 2, [10, 20, 11, 33], None, &[G::Endpoint]),
    ]
};

fn interfaces(random: &mut Random) -> Vec<Interface> {
    HOSTS
        .iter()
        .map(|&(host, name, owner, subnet, address, public, groups)| Interface {
            id: random.id("eni"),
            name,
            owner,
            subnet,
            address: Ipv4Addr::from(address),
            address_v6: match host {
                Host::AlbA => Some(Ipv6Addr::new(0x2001, 0xdb8, 0x20, 1, 0x6d1f, 0x2c, 0x91e0, 0x23)),
                Host::AlbB => Some(Ipv6Addr::new(0x2001, 0xdb8, 0x20, 2, 0x8a05, 0x7b, 0x14c6, 0x41)),
                _ => None,
            },
            public: public.map(Ipv4Addr::from),
            groups,
            instance_id: (owner == Owner::Instance).then(|| random.id("i")),
            attachment_id: if owner == Owner::Instance {
                random.id("eni-attach")
            } else {
                random.id("ela-attach")
            },
            mac: mac(random),
        })
        .collect()
}

fn mac(random: &mut Random) -> String {
    let digits = random.hex(8);
    format!("02:42:{}:{}:{}:{}", &digits[..2], &digits[2..4], &digits[4..6], &digits[6..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_in_the_order_of_the_enum() {
        for (index, (host, ..)) in HOSTS.iter().enumerate() {
            assert_eq!(*host as usize, index);
        }
    }
}
