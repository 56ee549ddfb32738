//! The week of the sample: stories told as connections, connections seen by interfaces as records.
//!
//! A connection is cut into [`Slice`]s, one per aggregation interval in which packets flowed, and each interface on its
//! way ([`Leg`]) writes two records per slice, one for each direction. [`everyday`] has what a shop does all week,
//! [`trouble`] what should be found in the logs.

mod everyday;
mod servers;
mod trouble;

use std::net::{IpAddr, Ipv4Addr};

use super::account::{Account, Host};
use super::random::Random;
use super::{END, START};
use crate::flow::{Action, Direction, Seconds, TCP};

/// One side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// How much flowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Volume {
    pub(crate) packets: i64,
    pub(crate) bytes: i64,
}

/// One record; the order of fields is the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) end: Seconds,
    pub(crate) start: Seconds,
    pub(crate) host: Host,
    pub(crate) event: Event,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Packets(Packets),
    NoData,
    SkipData,
}

/// The packets of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packets {
    pub(crate) direction: Direction,
    pub(crate) source: Side,
    pub(crate) destination: Side,
    pub(crate) packet_source: IpAddr,
    pub(crate) packet_destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) volume: Volume,
    pub(crate) action: Action,
    pub(crate) flags: u8,
}

/// One interface on the way of a connection.
#[derive(Debug, Clone, Copy)]
struct Leg {
    host: Host,
    /// Whether the connection leaves from this interface, or arrives at it.
    leaves: bool,
    client: Side,
    server: Side,
    packet_client: IpAddr,
    packet_server: IpAddr,
}

/// One aggregation interval of a connection.
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: Seconds,
    end: Seconds,
    up: Volume,
    down: Volume,
}

/// The records as they are told.
struct Tape<'a> {
    account: &'a Account,
    records: Vec<Record>,
}

/// Every record of the week, sorted.
pub(crate) fn records(account: &Account, seed: u64) -> Vec<Record> {
    let mut tape = Tape { account, records: Vec::new() };
    everyday::tell(&mut tape, seed);
    servers::tell(&mut tape, seed);
    trouble::tell(&mut tape, seed);
    let mut records = tape.records;
    // A connection that goes on when the week is over is cut there, as it would be.
    records.retain(|record| record.end < END);
    records.sort();
    records
}

impl Leg {
    fn leaving(host: Host, client: Side, server: Side) -> Self {
        let (packet_client, packet_server) = (client.address, server.address);
        Self { host, leaves: true, client, server, packet_client, packet_server }
    }

    fn arriving(host: Host, client: Side, server: Side) -> Self {
        Self { leaves: false, ..Self::leaving(host, client, server) }
    }
}

impl Tape<'_> {
    fn side(&self, host: Host, port: u16) -> Side {
        Side { address: self.account.address(host), port }
    }

    /// A connection from its first packet to its last.
    fn connection(&mut self, protocol: u8, legs: &[Leg], slices: &[Slice]) {
        for (index, slice) in slices.iter().enumerate() {
            let opens = if index == 0 { (2, 18) } else { (0, 0) };
            let closes = u8::from(index + 1 == slices.len());
            let flags = if protocol == TCP { (opens.0 | closes, opens.1 | closes) } else { (0, 0) };
            self.slice(protocol, legs, slice, flags);
        }
    }

    /// One interval of a connection, with the flags of both directions.
    fn slice(&mut self, protocol: u8, legs: &[Leg], slice: &Slice, flags: (u8, u8)) {
        for leg in legs {
            let out = if leg.leaves { Direction::Egress } else { Direction::Ingress };
            let up = Packets {
                direction: out,
                source: leg.client,
                destination: leg.server,
                packet_source: leg.packet_client,
                packet_destination: leg.packet_server,
                protocol,
                volume: slice.up,
                action: Action::Accept,
                flags: flags.0,
            };
            let down = Packets {
                direction: out.opposite(),
                source: leg.server,
                destination: leg.client,
                packet_source: leg.packet_server,
                packet_destination: leg.packet_client,
                volume: slice.down,
                flags: flags.1,
                ..up.clone()
            };
            for packets in [up, down] {
                if packets.volume.packets > 0 {
                    self.push(leg.host, slice.start, slice.end, Event::Packets(packets));
                }
            }
        }
    }

    /// Packets of one direction that were turned away.
    fn refused(&mut self, leg: &Leg, protocol: u8, times: (Seconds, Seconds), volume: Volume, flags: u8) {
        let packets = Packets {
            direction: if leg.leaves { Direction::Egress } else { Direction::Ingress },
            source: leg.client,
            destination: leg.server,
            packet_source: leg.packet_client,
            packet_destination: leg.packet_server,
            protocol,
            volume,
            action: Action::Reject,
            flags,
        };
        self.push(leg.host, times.0, times.1, Event::Packets(packets));
    }

    fn push(&mut self, host: Host, start: Seconds, end: Seconds, event: Event) {
        self.records.push(Record { end, start, host, event });
    }

    /// The legs of a connection out of a private subnet: at the host, and on both sides of the NAT gateway, whose own
    /// address stands where the gateway is source or destination. The packet addresses keep the far ends.
    fn through_nat(&self, host: Host, port: u16, server: Side, random: &mut Random) -> [Leg; 3] {
        let client = self.side(host, port);
        let gateway = self.account.address(Host::Nat);
        let inside = Side { address: gateway, port: server.port };
        let outside = Side { address: gateway, port: random.port() };
        [
            Leg::leaving(host, client, server),
            Leg { packet_server: server.address, ..Leg::arriving(Host::Nat, client, inside) },
            Leg::leaving(Host::Nat, outside, server),
        ]
    }
}

impl Volume {
    fn new(packets: i64, bytes: i64) -> Self {
        Self { packets, bytes }
    }

    /// Packets of this size on average.
    fn of(random: &mut Random, packets: (u32, u32), size: (u32, u32)) -> Self {
        let packets = random.range(packets.0, packets.1);
        Self { packets, bytes: packets * random.range(size.0, size.1) }
    }
}

/// A connection of a few seconds: a small question and a larger answer.
fn exchange(random: &mut Random, start: Seconds) -> Slice {
    let end = start + random.range(1, 50);
    Slice {
        start,
        end,
        up: Volume::of(random, (6, 20), (70, 180)),
        down: Volume::of(random, (8, 60), (200, 1300)),
    }
}

/// A connection that somebody types into, or that a pool keeps: an interval with packets now and then.
fn session(random: &mut Random, from: Seconds, to: Seconds, pause: (u32, u32)) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut start = from;
    while start < to {
        let end = start + random.range(20, 58);
        let up = Volume::of(random, (15, 160), (60, 120));
        let down = Volume::of(random, (15, 200), (90, 400));
        slices.push(Slice { start, end, up, down });
        start = end + random.range(pause.0, pause.1);
    }
    slices
}

/// The days of the week: their first second, and whether people work.
fn days() -> impl Iterator<Item = (Seconds, bool)> {
    (0..7).map(|day| (START + day * 86_400, day < 5))
}

/// A moment of the day, mostly in the hours in which people are awake.
fn moment(random: &mut Random, day: Seconds) -> Seconds {
    if random.chance(80) { day + random.range(25_200, 82_000) } else { day + random.range(0, 86_390) }
}

/// Any moment of the day.
fn any_time(random: &mut Random, day: Seconds) -> Seconds {
    day + random.range(0, 86_390)
}

/// An address out of one of these public networks.
fn public_address(random: &mut Random, first_bytes: &[u8]) -> IpAddr {
    let first = random.pick(first_bytes);
    IpAddr::V4(Ipv4Addr::new(first, random.byte(1, 250), random.byte(0, 255), random.byte(1, 254)))
}
