//! The groups of the sample and their rules.
//!
//! Most are what a shop needs. Planted among them: a leftover of a migration that nobody uses, SSH open to the world
//! "temporarily", an overlap, a rule kept for a disaster, a reference to a deleted group, and a group on no interface.

use super::account::{Group, GroupName, Peer, Rule};
use super::random::Random;

/// Egress, protocol, ports, peer, description.
type RuleRow = (bool, &'static str, Option<(i32, i32)>, Peer, &'static str);

const IN: bool = false;
const OUT: bool = true;
const ANYWHERE: Peer = Peer::V4("0.0.0.0/0");
const ANYWHERE_V6: Peer = Peer::V6("::/0");
/// What AWS puts into every new group.
const ALL_OUT: RuleRow = (OUT, "-1", None, ANYWHERE, "");

/// Name, AWS name, description, rules.
const GROUPS: [(GroupName, &str, &str, &[RuleRow]); 10] = [
    (GroupName::Default, "default", "default VPC security group", DEFAULT),
    (GroupName::Web, "shop-web", "Public load balancer", WEB),
    (GroupName::App, "shop-app", "Application servers", APP),
    (GroupName::Database, "shop-database", "PostgreSQL", DATABASE),
    (GroupName::Bastion, "shop-bastion", "SSH jump host", BASTION),
    (GroupName::ClientVpn, "shop-client-vpn", "Client VPN endpoint", CLIENT_VPN),
    (GroupName::Endpoint, "shop-endpoints", "Interface endpoints", ENDPOINT),
    (GroupName::Batch, "shop-batch", "Nightly reports", BATCH),
    (GroupName::Monitoring, "shop-monitoring", "Metrics scraping", MONITORING),
    (GroupName::LoadTest, "load-test-2025", "Load test, November 2025", LOAD_TEST),
];

const DEFAULT: &[RuleRow] =
    &[(IN, "-1", None, Peer::Group(GroupName::Default), ""), ALL_OUT, (OUT, "-1", None, ANYWHERE_V6, "")];

const WEB: &[RuleRow] = &[
    (IN, "tcp", Some((443, 443)), ANYWHERE, "HTTPS"),
    (IN, "tcp", Some((443, 443)), ANYWHERE_V6, "HTTPS"),
    (IN, "tcp", Some((80, 80)), ANYWHERE, "redirect to HTTPS"),
    (OUT, "tcp", Some((8080, 8080)), Peer::Group(GroupName::App), "to the application"),
];

const APP: &[RuleRow] = &[
    (IN, "tcp", Some((8080, 8080)), Peer::Group(GroupName::Web), "from the load balancer"),
    (IN, "tcp", Some((22, 22)), Peer::Group(GroupName::Bastion), "SSH over the bastion"),
    (OUT, "tcp", Some((443, 443)), ANYWHERE, "payment provider, package mirrors, endpoints"),
    (OUT, "tcp", Some((5432, 5432)), Peer::Group(GroupName::Database), "PostgreSQL"),
    (OUT, "udp", Some((53, 53)), ANYWHERE, "DNS of the payment provider"),
    (OUT, "udp", Some((123, 123)), ANYWHERE, "NTP"),
];

const DATABASE: &[RuleRow] = &[
    (IN, "tcp", Some((5432, 5432)), Peer::Group(GroupName::App), "PostgreSQL from the application"),
    (
        IN,
        "tcp",
        Some((5432, 5432)),
        Peer::V4("10.20.11.0/24"),
        "app subnet a, duplicate of the shop-app rule",
    ),
    (IN, "tcp", Some((5432, 5432)), Peer::V4("10.120.0.0/16"), "DR failover: replication to eu-central-1"),
    (IN, "tcp", Some((3306, 3306)), Peer::V4("10.0.0.0/8"), "MySQL during the migration, remove after June"),
];

const BASTION: &[RuleRow] = &[
    (IN, "tcp", Some((22, 22)), Peer::Office, "SSH from the offices"),
    (IN, "tcp", Some((22, 22)), ANYWHERE, "temporary, ticket OPS-1482"),
    (IN, "icmp", Some((8, -1)), Peer::Office, "ping from the offices"),
    ALL_OUT,
];

const CLIENT_VPN: &[RuleRow] = &[(IN, "udp", Some((443, 443)), ANYWHERE, "OpenVPN clients"), ALL_OUT];

const ENDPOINT: &[RuleRow] = &[(IN, "tcp", Some((443, 443)), Peer::V4("10.20.0.0/16"), "HTTPS from the VPC")];

const BATCH: &[RuleRow] =
    &[(IN, "tcp", Some((22, 22)), Peer::Group(GroupName::Bastion), "SSH over the bastion"), ALL_OUT];

const MONITORING: &[RuleRow] = &[
    (IN, "tcp", Some((9100, 9100)), Peer::DeletedGroup, "node exporter from the old monitoring VPC"),
    ALL_OUT,
];

const LOAD_TEST: &[RuleRow] = &[
    (IN, "tcp", Some((8089, 8089)), ANYWHERE, "Locust"),
    (IN, "tcp", Some((5557, 5558)), Peer::Group(GroupName::LoadTest), "Locust workers"),
    ALL_OUT,
];

/// The groups, in the order of [`GroupName`].
pub(crate) fn groups(random: &mut Random) -> Vec<Group> {
    GROUPS
        .iter()
        .map(|&(_, name, description, rules)| Group {
            id: random.id("sg"),
            name,
            description,
            rules: rules
                .iter()
                .map(|&(egress, protocol, ports, peer, description)| Rule {
                    id: random.id("sgr"),
                    egress,
                    protocol,
                    ports,
                    peer,
                    description,
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_in_the_order_of_the_enum() {
        for (index, (name, ..)) in GROUPS.iter().enumerate() {
            assert_eq!(*name as usize, index);
        }
    }
}
