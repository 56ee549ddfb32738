//! Two days of the Alibaba Cloud sample: connections, and what was refused, as the interfaces log them.
//!
//! A record has the packets of one direction in one capture window of ten minutes; its flags are those of all of them
//! together.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::account::{ALL, ALLOWED, Account, Name, OFFICE};
use super::{END, START};
use crate::flow::{Action, Direction, ICMP, Seconds, TCP};
use crate::generate::random::Random;

/// One record; the order of fields is the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) end: Seconds,
    pub(super) start: Seconds,
    pub(super) host: Name,
    /// None: no traffic in the window.
    pub(super) packets: Option<Packets>,
}

/// The packets of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packets {
    pub(super) direction: Direction,
    pub(super) source: (Ipv4Addr, u16),
    pub(super) destination: (Ipv4Addr, u16),
    pub(super) protocol: u8,
    /// How many of them, and their bytes.
    pub(super) volume: (i64, i64),
    pub(super) action: Action,
    pub(super) flags: u8,
}

/// SYN, ACK, PSH and FIN of a whole connection.
const WHOLE: u8 = 27;
const SYN: u8 = 2;
const HOUR: Seconds = 3_600;

struct Tape<'a> {
    account: &'a Account,
    random: Random,
    records: Vec<Record>,
}

/// Every record of the two days, sorted.
pub(super) fn records(account: &Account, seed: u64) -> Vec<Record> {
    let mut tape = Tape { account, random: Random::new(seed, "alibaba traffic"), records: Vec::new() };
    for day in [START, START + 86_400] {
        tape.visits(day);
        tape.operations(day);
        tape.vault(day);
        tape.noise(day);
    }
    let mut records = tape.records;
    records.retain(|record| record.end < END);
    silence(&mut records);
    records.sort();
    records
}

/// An interface logs that there was nothing, where there was nothing for an hour.
fn silence(records: &mut Vec<Record>) {
    let busy: BTreeSet<(Name, Seconds)> =
        records.iter().map(|record| (record.host, (record.start - START) / HOUR)).collect();
    for host in ALL {
        for hour in (0..(END - START) / HOUR).filter(|hour| !busy.contains(&(host, *hour))) {
            let start = START + hour * HOUR;
            records.push(Record { end: start + 600, start, host, packets: None });
        }
    }
}

impl Tape<'_> {
    fn address(&self, name: Name) -> Ipv4Addr {
        self.account.host(name).address
    }

    fn moment(&mut self, day: Seconds) -> Seconds {
        day + self.random.range(0, 86_000)
    }

    /// A public address that is nobody's in particular.
    fn stranger(&mut self) -> Ipv4Addr {
        let first = self.random.pick(&[36_u8, 58, 101, 112, 121, 183, 202, 218]);
        Ipv4Addr::new(first, self.random.byte(1, 250), self.random.byte(0, 255), self.random.byte(1, 254))
    }

    /// A connection at the interfaces that it passes, in both directions.
    fn connection(
        &mut self,
        day: Seconds,
        client: (Ipv4Addr, Option<Name>),
        server: (Name, u16),
        protocol: u8,
    ) {
        let start = self.moment(day);
        let end = start + self.random.range(1, 90);
        let port = if protocol == ICMP { 0 } else { self.random.port() };
        let there = (self.address(server.0), server.1);
        self.both_ways(Some(server.0), client.1, (start, end), ((client.0, port), there), protocol);
    }

    /// The records of a connection at the server's and at the client's interface, where they are ours.
    fn both_ways(
        &mut self,
        server: Option<Name>,
        client: Option<Name>,
        (start, end): (Seconds, Seconds),
        (here, there): ((Ipv4Addr, u16), (Ipv4Addr, u16)),
        protocol: u8,
    ) {
        let flags = if protocol == TCP { WHOLE } else { 0 };
        let volumes = [(6, 900), (8, 6_000)].map(|(packets, bytes)| {
            (packets + self.random.range(0, 20), bytes + self.random.range(0, 9_000))
        });
        for (host, out) in [(server, Direction::Ingress), (client, Direction::Egress)] {
            let Some(host) = host else { continue };
            let ways = [(out, here, there), (out.opposite(), there, here)];
            for ((direction, source, destination), volume) in ways.into_iter().zip(volumes) {
                let packets = Packets {
                    direction,
                    source,
                    destination,
                    protocol,
                    volume,
                    action: Action::Accept,
                    flags,
                };
                self.records.push(Record { end, start, host, packets: Some(packets) });
            }
        }
    }

    /// An attempt that was turned away.
    fn refused(&mut self, day: Seconds, host: Name, direction: Direction, far: (Ipv4Addr, u16)) {
        let start = self.moment(day);
        let (own, port) = (self.address(host), self.random.port());
        let (source, destination) = match direction {
            Direction::Ingress => ((far.0, port), (own, far.1)),
            Direction::Egress => ((own, port), far),
        };
        let count = self.random.range(1, 3);
        let packets = Packets {
            direction,
            source,
            destination,
            protocol: TCP,
            volume: (count, count * 60),
            action: Action::Reject,
            flags: SYN,
        };
        self.records.push(Record { end: start + 4, start, host, packets: Some(packets) });
    }

    /// Customers reach the load balancer, which reaches the web servers, and so on to the database.
    fn visits(&mut self, day: Seconds) {
        for _ in 0..30 {
            let customer = self.stranger();
            self.connection(day, (customer, None), (Name::Alb, 443), TCP);
            let (web, app) =
                (self.random.pick(&[Name::WebA, Name::WebB]), self.random.pick(&[Name::AppA, Name::AppB]));
            let from = |tape: &Self, name: Name| (tape.address(name), Some(name));
            self.connection(day, from(self, Name::Alb), (web, 80), TCP);
            self.connection(day, from(self, web), (app, 8080), TCP);
            if self.random.chance(50) {
                self.connection(day, from(self, app), (Name::Cache, 6379), TCP);
            }
            if self.random.chance(30) {
                self.connection(day, from(self, app), (Name::Database, 3306), TCP);
            }
            if self.random.chance(20) {
                self.connection(day, from(self, app), (web, 9100), TCP);
            }
        }
        // Updates leave by the default of a basic group.
        for host in [Name::WebA, Name::AppA, Name::Database] {
            let (start, mirror) = (self.moment(day), self.stranger());
            let here = (self.address(host), self.random.port());
            self.both_ways(None, Some(host), (start, start + 40), (here, (mirror, 443)), TCP);
        }
    }

    fn operations(&mut self, day: Seconds) {
        for _ in 0..4 {
            self.connection(day, (OFFICE, None), (Name::Jump, 22), TCP);
        }
        for host in [Name::WebA, Name::WebB] {
            let monitor = self.stranger();
            self.connection(day, (monitor, None), (host, 0), ICMP);
        }
    }

    /// The vault reaches two addresses and nothing else.
    fn vault(&mut self, day: Seconds) {
        for server in ALLOWED {
            for _ in 0..6 {
                let start = self.moment(day);
                let here = (self.address(Name::Vault), self.random.port());
                self.both_ways(None, Some(Name::Vault), (start, start + 20), (here, (server, 443)), TCP);
            }
        }
        for _ in 0..9 {
            let elsewhere = self.stranger();
            self.refused(day, Name::Vault, Direction::Egress, (elsewhere, 443));
        }
        let (client, secret) = ((self.address(Name::AppA), Some(Name::AppA)), (Name::Vault, 8200));
        self.connection(day, client, secret, TCP);
    }

    /// What the internet tries.
    fn noise(&mut self, day: Seconds) {
        for _ in 0..14 {
            let scanner = self.stranger();
            self.connection(day, (scanner, None), (Name::Legacy, 22), TCP);
        }
        for (host, ports) in [
            (Name::Legacy, &[23_u16, 80, 5900, 8080][..]),
            (Name::Batch, &[22, 22, 22, 3389]),
            (Name::Jump, &[22, 3389, 445]),
        ] {
            for _ in 0..30 {
                let (scanner, port) = (self.stranger(), self.random.pick(ports));
                self.refused(day, host, Direction::Ingress, (scanner, port));
            }
        }
    }
}
