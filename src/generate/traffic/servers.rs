//! What the servers of the shop do by themselves, day and night; and the interfaces that do nothing.

use std::net::{IpAddr, Ipv4Addr};

use super::{Event, Leg, Side, Slice, Tape, Volume, any_time, days, exchange};
use crate::flow::{TCP, UDP};
use crate::generate::account::Host;
use crate::generate::random::Random;
use crate::generate::{END, START};

const APPS: [Host; 3] = [Host::AppA, Host::AppB, Host::AppC];
/// The payment provider.
const PARTNERS: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 20), Ipv4Addr::new(198, 51, 100, 36)];
/// Its name server.
const PARTNER_DNS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// Time servers.
const NTP: [Ipv4Addr; 3] =
    [Ipv4Addr::new(193, 120, 142, 71), Ipv4Addr::new(87, 44, 17, 123), Ipv4Addr::new(185, 57, 191, 229)];

/// Tells all of it.
pub(super) fn tell(tape: &mut Tape, seed: u64) {
    health_checks(tape, &mut Random::new(seed, "health checks"));
    connection_pools(tape, &mut Random::new(seed, "connection pools"));
    payments(tape, &mut Random::new(seed, "payments"));
    clocks_and_names(tape, &mut Random::new(seed, "clocks and names"));
    secrets(tape, &mut Random::new(seed, "secrets"));
    quiet(tape);
}

/// A load balancer looks after an application server, every other hour of the sample.
fn health_checks(tape: &mut Tape, random: &mut Random) {
    for hour in (0..168).step_by(2) {
        let start = START + hour * 3_600 + random.range(0, 3_500);
        let (alb, app) = (random.pick(&[Host::AlbA, Host::AlbB]), random.pick(&APPS));
        let (client, server) = (tape.side(alb, random.port()), tape.side(app, 8080));
        let slice = Slice { start, end: start + 1, up: Volume::new(6, 412), down: Volume::new(5, 388) };
        tape.connection(
            TCP,
            &[Leg::leaving(alb, client, server), Leg::arriving(app, client, server)],
            &[slice],
        );
    }
}

/// Each application server keeps a connection to the database all week. They are older than the logs: no record of
/// theirs has a SYN.
fn connection_pools(tape: &mut Tape, random: &mut Random) {
    for app in APPS {
        let (client, server) = (tape.side(app, random.port()), tape.side(Host::Database, 5432));
        let legs = [Leg::leaving(app, client, server), Leg::arriving(Host::Database, client, server)];
        for quarter in 0..28 {
            let start = START + quarter * 21_600 + random.range(0, 21_000);
            let end = start + random.range(40, 58);
            let up = Volume::of(random, (300, 2_000), (90, 300));
            let down = Volume::of(random, (300, 2_500), (200, 900));
            tape.slice(TCP, &legs, &Slice { start, end, up, down }, (0, 0));
        }
    }
}

/// Application servers call the payment provider, out through the NAT gateway.
fn payments(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..9 {
            let start = any_time(random, day);
            let server = Side { address: IpAddr::V4(random.pick(&PARTNERS)), port: 443 };
            let (app, port) = (random.pick(&APPS), random.port());
            let legs = tape.through_nat(app, port, server, random);
            let slice = exchange(random, start);
            tape.connection(TCP, &legs, &[slice]);
        }
    }
}

/// NTP of the bastion, NTP and DNS of application servers.
fn clocks_and_names(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..6 {
            let start = any_time(random, day);
            let server = Side { address: IpAddr::V4(random.pick(&NTP)), port: 123 };
            let client = tape.side(Host::Bastion, 123);
            let one = Volume::new(1, 76);
            let slice = Slice { start, end: start, up: one, down: one };
            tape.connection(UDP, &[Leg::leaving(Host::Bastion, client, server)], &[slice]);
        }
        for turn in 0..4 {
            let start = any_time(random, day);
            let names = turn % 2 == 0;
            let address = if names { PARTNER_DNS } else { random.pick(&NTP) };
            let server = Side { address: IpAddr::V4(address), port: if names { 53 } else { 123 } };
            let (app, port) = (random.pick(&APPS), random.port());
            let legs = tape.through_nat(app, port, server, random);
            let down = if names { Volume::new(1, random.range(90, 240)) } else { Volume::new(1, 76) };
            let slice = Slice { start, end: start + 1, up: Volume::new(1, 76), down };
            tape.connection(UDP, &legs, &[slice]);
        }
    }
}

/// Application servers and the batch server fetch secrets over the interface endpoint.
fn secrets(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..6 {
            let start = any_time(random, day);
            let host = random.pick(&[Host::AppA, Host::AppB, Host::AppC, Host::Batch]);
            let (client, server) = (tape.side(host, random.port()), tape.side(Host::Endpoint, 443));
            let slice = exchange(random, start);
            let legs = [Leg::leaving(host, client, server), Leg::arriving(Host::Endpoint, client, server)];
            tape.connection(TCP, &legs, &[slice]);
        }
    }
}

/// Interfaces without traffic: an interval without packets every hour. And three intervals that AWS lost.
fn quiet(tape: &mut Tape) {
    for host in [Host::ClientVpn, Host::DatabaseStandby] {
        for start in (START..END).step_by(3_600) {
            tape.push(host, start + 17, start + 75, Event::NoData);
        }
    }
    for (host, hour) in [(Host::Nat, 37), (Host::AppC, 86), (Host::Nat, 131)] {
        let start = START + hour * 3_600 + 1_260;
        tape.push(host, start, start + 59, Event::SkipData);
    }
}
