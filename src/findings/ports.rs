//! Which ports are sensitive: named profiles, because the lists in use contradict each other.
//!
//! `default` is a superset of the others and knows what every port is; the others are subsets, word for word as their
//! makers publish them. Sources: Security Hub
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html>, Trusted Advisor
//! <https://docs.aws.amazon.com/awssupport/latest/user/security-checks.html>, the CIS AWS Foundations Benchmark, and
//! Prowler's checks (`ec2_securitygroup_allow_ingress_from_internet_to_*`, `ec2_instance_port_*_exposed_to_internet`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::flow::{TCP, UDP, has_ports, protocol_name};
use crate::tally::watch::Service;

/// What a port gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortClass {
    /// Administration of a machine or a cluster.
    Admin,
    /// Stored data.
    Database,
    /// Anything else that should not face the internet unawares.
    Other,
}

/// One port that should not be open to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensitivePort {
    /// Protocol number: tcp or udp.
    pub protocol: u8,
    /// The port.
    pub port: u16,
    /// What listens there, such as `SSH`.
    pub name: String,
    /// What it gives access to.
    pub class: PortClass,
    /// How much it matters that it is open to the internet, before anybody was seen to answer.
    pub severity: Severity,
}

impl SensitivePort {
    /// As the tally names it.
    pub fn service(&self) -> Service {
        (self.protocol, self.port)
    }
}

impl fmt::Display for SensitivePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name, protocol_name(self.protocol), self.port)
    }
}

/// A list of sensitive ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortProfile {
    /// Its name, as reports write it.
    pub name: String,
    /// The ports, ascending by protocol and port, once each.
    pub services: Vec<SensitivePort>,
}

/// The names that [`PortProfile::named`] knows.
pub const PROFILES: [&str; 5] = ["default", "aws-security-hub", "trusted-advisor", "cis", "prowler"];

/// Ports of one protocol under one name.
type Entry = (u8, &'static [u16], &'static str);

const ADMIN: &[Entry] = &[
    (TCP, &[22], "SSH"),
    (UDP, &[22], "SSH"),
    (TCP, &[23], "Telnet"),
    (TCP, &[111], "rpcbind"),
    (UDP, &[111], "rpcbind"),
    (TCP, &[135], "RPC"),
    (TCP, &[137, 138, 139], "NetBIOS"),
    (UDP, &[137, 138, 139], "NetBIOS"),
    (UDP, &[161], "SNMP"),
    (TCP, &[445], "SMB"),
    (UDP, &[445], "SMB"),
    (TCP, &[512, 513, 514], "rexec, rlogin, rsh"),
    (UDP, &[623], "IPMI"),
    (TCP, &[1099], "Java RMI"),
    (TCP, &[2375, 2376], "Docker"),
    (TCP, &[2379, 2380], "etcd"),
    (TCP, &[3389], "RDP"),
    (UDP, &[3389], "RDP"),
    (TCP, &[4505, 4506], "Salt"),
    (TCP, &[5500, 5900, 5901], "VNC"),
    (TCP, &[5985, 5986], "WinRM"),
    (TCP, &[10000], "Webmin"),
    (TCP, &[10250, 10255], "kubelet"),
];

const DATABASE: &[Entry] = &[
    (TCP, &[1150, 1521, 1522, 1526, 2483, 2484], "Oracle"),
    (TCP, &[1433, 1434], "SQL Server"),
    (UDP, &[1434], "SQL Server Browser"),
    (TCP, &[3306, 3307, 33060], "MySQL"),
    (TCP, &[4333], "mSQL"),
    (TCP, &[5432, 5433], "PostgreSQL"),
    (TCP, &[5439], "Redshift"),
    (TCP, &[5984], "CouchDB"),
    (TCP, &[6379, 6380, 6381, 6382, 6383], "Redis"),
    (TCP, &[7000, 7001, 7199, 9042, 9160], "Cassandra"),
    (TCP, &[7474, 7687], "Neo4j"),
    (TCP, &[8086], "InfluxDB"),
    (TCP, &[8091, 11210], "Couchbase"),
    (TCP, &[8123], "ClickHouse"),
    (TCP, &[8529], "ArangoDB"),
    (TCP, &[9200, 9300], "Elasticsearch"),
    (TCP, &[11211], "memcached"),
    (UDP, &[11211], "memcached"),
    (TCP, &[26257], "CockroachDB"),
    (TCP, &[27017, 27018, 27019], "MongoDB"),
    (TCP, &[50000], "Db2"),
];

const OTHER: &[Entry] = &[
    (TCP, &[20, 21], "FTP"),
    (UDP, &[69], "TFTP"),
    (TCP, &[88, 464, 749, 750], "Kerberos"),
    (TCP, &[115], "SFTP (RFC 913)"),
    (TCP, &[389, 636], "LDAP"),
    (UDP, &[389], "LDAP"),
    (TCP, &[873], "rsync"),
    (UDP, &[1900], "SSDP"),
    (TCP, &[2049], "NFS"),
    (UDP, &[2049], "NFS"),
    (TCP, &[2181], "ZooKeeper"),
    (TCP, &[3000, 5000], "development server"),
    (TCP, &[5601], "Kibana"),
    (TCP, &[5672, 15672], "RabbitMQ"),
    (TCP, &[8020, 50070, 50470], "HDFS"),
    (TCP, &[8080], "HTTP alternative"),
    (TCP, &[8088], "YARN"),
    (TCP, &[8500], "Consul"),
    (TCP, &[8888], "Jupyter or Cassandra OpsCenter"),
    (TCP, &[9090], "Prometheus"),
    (TCP, &[9092], "Kafka"),
    (TCP, &[61616], "ActiveMQ"),
];

/// Commonly public on purpose.
const OTHER_LOW: &[Entry] = &[
    (TCP, &[25], "SMTP"),
    (TCP, &[53], "DNS"),
    (UDP, &[53], "DNS"),
    (TCP, &[110], "POP3"),
    (TCP, &[143], "IMAP"),
];

/// Security Hub control EC2.19.
const SECURITY_HUB: &[u16] = &[
    20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080,
    8088, 8888, 9200, 9300,
];

/// The red ports of "Specific Ports Unrestricted"; its yellow is every other port, which is no list.
const TRUSTED_ADVISOR: &[u16] = &[20, 21, 1433, 1434, 3306, 3389, 4333, 5432, 5500];

const PROWLER: &[u16] = &[
    20, 21, 22, 23, 25, 88, 110, 135, 139, 143, 389, 445, 464, 636, 749, 750, 1433, 1434, 1521, 2483, 2484,
    3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 6379, 7000, 7001, 7199, 8080, 8088, 8888, 9042, 9092,
    9160, 9200, 9300, 11211, 27017, 27018,
];

/// Controls 5.3 and 5.4 (remote administration) over tcp and udp, and 5.1.2 (CIFS); numbers of version 5.0.
const CIS: &[Service] = &[(TCP, 22), (TCP, 445), (TCP, 3389), (UDP, 22), (UDP, 3389)];

impl PortProfile {
    /// A profile by one of the names in [`PROFILES`].
    pub fn named(name: &str) -> Option<Self> {
        let tcp = |ports: &[u16]| ports.iter().map(|port| (TCP, *port)).collect::<Vec<Service>>();
        let listed = match name {
            "default" => return Some(Self::custom(name, known())),
            "aws-security-hub" => tcp(SECURITY_HUB),
            "trusted-advisor" => tcp(TRUSTED_ADVISOR),
            "prowler" => tcp(PROWLER),
            "cis" => CIS.to_vec(),
            _ => return None,
        };
        let services = known().into_iter().filter(|known| listed.contains(&known.service())).collect();
        Some(Self::custom(name, services))
    }

    /// The user's own list. Of two entries for one port the more severe counts; protocols without ports have none.
    pub fn custom(name: &str, mut services: Vec<SensitivePort>) -> Self {
        services.retain(|service| has_ports(service.protocol));
        services.sort_by_key(|service| (service.service(), std::cmp::Reverse(service.severity)));
        services.dedup_by_key(|service| service.service());
        Self { name: name.to_owned(), services }
    }

    /// What the tally must keep apart for this profile.
    pub fn services(&self) -> Vec<Service> {
        self.services.iter().map(SensitivePort::service).collect()
    }
}

fn known() -> Vec<SensitivePort> {
    let tables = [
        (ADMIN, PortClass::Admin, Severity::High),
        (DATABASE, PortClass::Database, Severity::High),
        (OTHER, PortClass::Other, Severity::Medium),
        (OTHER_LOW, PortClass::Other, Severity::Low),
    ];
    let mut known = Vec::new();
    for (entries, class, severity) in tables {
        for (protocol, ports, name) in entries {
            known.extend(ports.iter().map(|port| SensitivePort {
                protocol: *protocol,
                port: *port,
                name: (*name).to_owned(),
                class,
                severity,
            }));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::watch::PortWatch;

    #[test]
    fn every_profile_is_a_part_of_default_and_all_fit_the_watch() {
        let default = PortProfile::named("default").unwrap();
        assert!(default.services.len() <= 200, "{}", default.services.len());
        assert_eq!(default.services.len(), known().len(), "no port is listed twice");
        for name in PROFILES {
            let profile = PortProfile::named(name).unwrap();
            assert!(profile.services.iter().all(|service| default.services.contains(service)), "{name}");
        }
        assert!(PortWatch::new(default.services()).is_ok());
        assert_eq!(PortProfile::named("Default"), None);
    }

    #[test]
    fn profiles_hold_exactly_what_their_makers_list() {
        let cases: [(&str, &[u16], &[u16]); 4] = [
            ("aws-security-hub", SECURITY_HUB, &[]),
            ("trusted-advisor", TRUSTED_ADVISOR, &[]),
            ("prowler", PROWLER, &[]),
            ("cis", &[22, 445, 3389], &[22, 3389]),
        ];
        for (name, tcp, udp) in cases {
            let listed = tcp.iter().map(|port| (TCP, *port)).chain(udp.iter().map(|port| (UDP, *port)));
            assert_eq!(PortProfile::named(name).unwrap().services(), listed.collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn of_two_entries_for_one_port_the_more_severe_counts() {
        let entry = |protocol, severity| SensitivePort {
            protocol,
            port: 22,
            name: "mine".to_owned(),
            class: PortClass::Admin,
            severity,
        };
        let profile = PortProfile::custom(
            "mine",
            vec![
                entry(UDP, Severity::Low),
                entry(TCP, Severity::Low),
                entry(TCP, Severity::High),
                entry(47, Severity::High),
            ],
        );
        assert_eq!(profile.services(), [(TCP, 22), (UDP, 22)]);
        assert_eq!(profile.services[0].severity, Severity::High);
    }
}
