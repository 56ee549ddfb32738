//! What should be found in the logs: scans, an intrusion, a broken application, a refusal by a network ACL.
//!
//! Their times and addresses are the same under every seed, except for who scans and when.

use std::net::{IpAddr, Ipv4Addr};

use super::{Leg, Side, Slice, Tape, Volume, any_time, days, public_address, session};
use crate::flow::{Seconds, TCP, UDP};
use crate::generate::START;
use crate::generate::account::Host;
use crate::generate::random::Random;

/// Who broke in, and where the data went.
const INTRUDER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77));
const DROP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200));
/// 2026-03-05T00:00:00Z, a Thursday.
const THURSDAY: Seconds = START + 3 * 86_400;

/// First bytes of the networks that scanners come from.
const SCANNERS: [u8; 16] = [23, 45, 61, 71, 79, 94, 103, 118, 141, 167, 179, 183, 194, 205, 218, 222];
/// The ports scanners like, none of them open anywhere here.
const SCANNED: [u16; 24] = [
    21, 23, 25, 110, 135, 139, 445, 1433, 1521, 2222, 2375, 3306, 3389, 5060, 5432, 5555, 5900, 6379, 7001,
    8088, 8443, 9200, 11_211, 27_017,
];
/// The ports of the sweep before the intrusion: those, and these.
const SWEPT_TOO: [u16; 20] =
    [20, 53, 80, 111, 143, 389, 443, 465, 587, 636, 873, 993, 995, 1080, 2049, 3000, 5000, 5601, 8000, 8080];

/// Tells all of it.
pub(super) fn tell(tape: &mut Tape, seed: u64) {
    scans(tape, &mut Random::new(seed, "scans"));
    password_guesses(tape, &mut Random::new(seed, "password guesses"));
    intrusion(tape, &mut Random::new(seed, "intrusion"));
    broken_batch(tape, &mut Random::new(seed, "broken batch"));
    acl_refusals(tape, &mut Random::new(seed, "acl refusals"));
}

/// The noise every public address hears: single packets to ports that are not open. A NAT gateway has no groups, so
/// there they count as accepted, and nothing answers.
fn scans(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..90 {
            let start = any_time(random, day);
            let target = random.pick(&[Host::Bastion, Host::Bastion, Host::AlbA, Host::AlbB]);
            let client = Side { address: public_address(random, &SCANNERS), port: random.port() };
            let sip = random.chance(6);
            let port = if sip { 5060 } else { random.pick(&SCANNED) };
            let leg = Leg::arriving(target, client, tape.side(target, port));
            let (protocol, volume, flags) =
                if sip { (UDP, Volume::new(1, random.range(380, 460)), 0) } else { (TCP, syns(random), 2) };
            tape.refused(&leg, protocol, (start, start + volume.packets - 1), volume, flags);
        }
        let start = any_time(random, day);
        let client = Side { address: public_address(random, &SCANNERS), port: random.port() };
        let leg = Leg::arriving(Host::Nat, client, tape.side(Host::Nat, random.pick(&SCANNED)));
        let slice = Slice { start, end: start, up: Volume::new(1, 44), down: Volume::new(0, 0) };
        tape.slice(TCP, &[leg], &slice, (2, 0));
    }
}

/// SSH from anywhere to the bastion, which answers, because of the rule that was meant to be temporary.
fn password_guesses(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..5 {
            let start = any_time(random, day);
            let client = Side { address: public_address(random, &SCANNERS), port: random.port() };
            let leg = Leg::arriving(Host::Bastion, client, tape.side(Host::Bastion, 22));
            let end = start + random.range(2, 12);
            let up = Volume::of(random, (9, 18), (90, 140));
            let down = Volume::of(random, (8, 16), (120, 190));
            tape.connection(TCP, &[leg], &[Slice { start, end, up, down }]);
        }
    }
}

/// A sweep of the bastion's ports, a login, a hop to an application server, and its data on the way out.
fn intrusion(tape: &mut Tape, random: &mut Random) {
    let mut start = THURSDAY + 2 * 3_600 + 14 * 60 + 5;
    for port in SCANNED.iter().chain(&SWEPT_TOO) {
        let client = Side { address: INTRUDER, port: random.port() };
        let leg = Leg::arriving(Host::Bastion, client, tape.side(Host::Bastion, *port));
        tape.refused(&leg, TCP, (start, start), Volume::new(1, 44), 2);
        start += random.range(8, 24);
    }

    // 02:47:12 to 04:20: the login.
    let client = Side { address: INTRUDER, port: 51_337 };
    let leg = Leg::arriving(Host::Bastion, client, tape.side(Host::Bastion, 22));
    let login = THURSDAY + 2 * 3_600 + 47 * 60 + 12;
    let slices = session(random, login, THURSDAY + 4 * 3_600 + 20 * 60, (120, 300));
    tape.connection(TCP, &[leg], &slices);

    // 02:58:30 to 04:12: the hop.
    let (client, server) = (tape.side(Host::Bastion, 44_210), tape.side(Host::AppB, 22));
    let legs = [Leg::leaving(Host::Bastion, client, server), Leg::arriving(Host::AppB, client, server)];
    let hop = THURSDAY + 2 * 3_600 + 58 * 60 + 30;
    let slices = session(random, hop, THURSDAY + 4 * 3_600 + 12 * 60, (180, 360));
    tape.connection(TCP, &legs, &slices);

    // 03:21:00 to 03:27:00: the data, about 3.9 GB.
    let legs = tape.through_nat(Host::AppB, 49_822, Side { address: DROP, port: 443 }, random);
    let slices: Vec<Slice> = (0..6)
        .map(|minute| {
            let start = THURSDAY + 3 * 3_600 + 21 * 60 + minute * 60;
            let packets = random.range(420_000, 450_000);
            let up = Volume::new(packets, packets * 1_490);
            let down = Volume::new(packets / 3, packets / 3 * 52);
            Slice { start, end: start + 59, up, down }
        })
        .collect();
    tape.connection(TCP, &legs, &slices);
}

/// The batch server tries the database every half hour, whose group does not know its group.
fn broken_batch(tape: &mut Tape, random: &mut Random) {
    for half_hour in 0..336 {
        let start = START + half_hour * 1_800 + random.range(2, 9);
        let (client, server) = (tape.side(Host::Batch, random.port()), tape.side(Host::Database, 5432));
        let volume = Volume::new(4, 240);
        // SYN after 0, 1, 3 and 7 seconds.
        let slice = Slice { start, end: start + 7, up: volume, down: Volume::new(0, 0) };
        tape.slice(TCP, &[Leg::leaving(Host::Batch, client, server)], &slice, (2, 0));
        let leg = Leg::arriving(Host::Database, client, server);
        tape.refused(&leg, TCP, (start, start + 7), volume, 2);
    }
}

/// A network that abused the shop still tries; the group would allow it, the ACL of the public subnets does not.
fn acl_refusals(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..10 {
            let start = any_time(random, day);
            let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, random.pick(&[50, 51, 118])));
            let alb = random.pick(&[Host::AlbA, Host::AlbB]);
            let leg = Leg::arriving(alb, Side { address, port: random.port() }, tape.side(alb, 443));
            tape.refused(&leg, TCP, (start, start + 7), Volume::new(4, 240), 2);
        }
    }
}

/// One SYN, or one and its repetition.
fn syns(random: &mut Random) -> Volume {
    let packets = if random.chance(80) { 1 } else { 2 };
    Volume::new(packets, packets * random.pick(&[40, 44, 60]))
}
