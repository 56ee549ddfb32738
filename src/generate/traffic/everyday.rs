//! What people do with the shop: they visit it, and the staff administers it from the offices.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Leg, Side, Slice, Tape, Volume, any_time, days, exchange, moment, public_address, session};
use crate::flow::{ICMP, Seconds, TCP};
use crate::generate::account::Host;
use crate::generate::random::Random;

const APPS: [Host; 3] = [Host::AppA, Host::AppB, Host::AppC];
const ALBS: [Host; 2] = [Host::AlbA, Host::AlbB];
/// First bytes of the networks that customers come from.
const CUSTOMERS: [u8; 14] = [31, 37, 46, 62, 77, 80, 86, 89, 92, 109, 151, 176, 188, 213];

/// Tells all of it.
pub(super) fn tell(tape: &mut Tape, seed: u64) {
    visits(tape, &mut Random::new(seed, "visits"));
    visits_v6(tape, &mut Random::new(seed, "visits v6"));
    administration(tape, &mut Random::new(seed, "administration"));
    pings(tape, &mut Random::new(seed, "pings"));
}

/// Customers: HTTPS to a load balancer, which asks the application; or HTTP, which is only redirected.
fn visits(tape: &mut Tape, random: &mut Random) {
    for (day, workday) in days() {
        for _ in 0..if workday { 44 } else { 26 } {
            let start = moment(random, day);
            let alb = random.pick(&ALBS);
            let client = Side { address: public_address(random, &CUSTOMERS), port: random.port() };
            let secure = random.chance(82);
            let server = tape.side(alb, if secure { 443 } else { 80 });
            let slice = exchange(random, start);
            tape.connection(TCP, &[Leg::arriving(alb, client, server)], &[slice]);
            if secure {
                ask_application(tape, random, alb, start);
                late_packets(tape, random, alb, client, server, slice.end);
            }
        }
    }
}

/// The same over IPv6; behind the load balancer it is IPv4 again.
fn visits_v6(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..3 {
            let start = moment(random, day);
            let alb = random.pick(&ALBS);
            let Some(address) = tape.account.host(alb).address_v6 else { continue };
            let part = |random: &mut Random| u16::try_from(random.between(1, 0xffff)).unwrap_or(1);
            let client = Ipv6Addr::new(0x2001, 0xdb8, 0xa000, part(random), 0, 0, part(random), part(random));
            let client = Side { address: IpAddr::V6(client), port: random.port() };
            let server = Side { address: IpAddr::V6(address), port: 443 };
            let slice = exchange(random, start);
            tape.connection(TCP, &[Leg::arriving(alb, client, server)], &[slice]);
            ask_application(tape, random, alb, start);
        }
    }
}

/// The load balancer asks an application server, which now and then asks the database on a connection of its own.
fn ask_application(tape: &mut Tape, random: &mut Random, alb: Host, start: Seconds) {
    let app = random.pick(&APPS);
    let (client, server) = (tape.side(alb, random.port()), tape.side(app, 8080));
    let slice = exchange(random, start);
    tape.connection(TCP, &[Leg::leaving(alb, client, server), Leg::arriving(app, client, server)], &[slice]);
    if random.chance(20) {
        let (client, server) = (tape.side(app, random.port()), tape.side(Host::Database, 5432));
        let slice = exchange(random, start);
        let legs = [Leg::leaving(app, client, server), Leg::arriving(Host::Database, client, server)];
        tape.connection(TCP, &legs, &[slice]);
    }
}

/// Clients that close minutes after the load balancer forgot the connection: a FIN or RST that no rule is to blame for.
fn late_packets(
    tape: &mut Tape,
    random: &mut Random,
    alb: Host,
    client: Side,
    server: Side,
    closed: Seconds,
) {
    if !random.chance(10) {
        return;
    }
    let start = closed + random.range(370, 900);
    let (volume, flags) = if random.chance(60) { (Volume::new(1, 40), 4) } else { (Volume::new(2, 104), 1) };
    tape.refused(
        &Leg::arriving(alb, client, server),
        TCP,
        (start, start + volume.packets - 1),
        volume,
        flags,
    );
}

/// The staff: SSH from an office to the bastion, and from there to an application server.
fn administration(tape: &mut Tape, random: &mut Random) {
    for (day, workday) in days() {
        for _ in 0..if workday { 3 } else { 0 } {
            let start = day + random.range(30_600, 61_200);
            let end = start + random.range(600, 2_400);
            let client = Side { address: office(random), port: random.port() };
            let bastion = tape.side(Host::Bastion, 22);
            let slices = session(random, start, end, (200, 500));
            tape.connection(TCP, &[Leg::arriving(Host::Bastion, client, bastion)], &slices);

            let app = random.pick(&APPS);
            let (client, server) = (tape.side(Host::Bastion, random.port()), tape.side(app, 22));
            let slices = session(random, start + 70, end - 30, (300, 600));
            let legs = [Leg::leaving(Host::Bastion, client, server), Leg::arriving(app, client, server)];
            tape.connection(TCP, &legs, &slices);
        }
    }
}

/// The monitoring of the offices pings the bastion.
fn pings(tape: &mut Tape, random: &mut Random) {
    for (day, _) in days() {
        for _ in 0..2 {
            let start = any_time(random, day);
            let client = Side { address: office(random), port: 0 };
            let bastion = tape.side(Host::Bastion, 0);
            let volume = Volume::new(4, 336);
            let slice = Slice { start, end: start + 3, up: volume, down: volume };
            tape.connection(ICMP, &[Leg::arriving(Host::Bastion, client, bastion)], &[slice]);
        }
    }
}

/// An address of one of the two offices.
fn office(random: &mut Random) -> IpAddr {
    let host = random.byte(1, 14);
    let network = random.pick(&[16, 64]);
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, network + host))
}
