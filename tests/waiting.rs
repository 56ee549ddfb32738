//! Records that wait for the whole input, and the bounds they are kept within: the same rows whoever counted them, and
//! nothing decided otherwise than without bounds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "common/account.rs"]
mod account;

use std::collections::BTreeMap;

use account::Dice;
use flowaudit::attribution::Basis;
use flowaudit::attribution::judge::Role;
use flowaudit::attribution::sets::SetId;
use flowaudit::flow::{Direction, TCP, UDP};
use flowaudit::tally::credit::{Credit, Span};
use flowaudit::tally::waiting::{Bound, End, Limits, ServiceKey, Waiting, WaitingKey, WaitingRow};
use flowaudit::tally::watch::{Exposure, PortWatch};

/// Reached by a few dozen records.
const TINY: [Limits; 4] = [
    Limits {
        rows: Bound { each: &[20, 8, 3, 1], together: 60 },
        services: Bound { each: &[6, 2, 1], together: 14 },
    },
    Limits {
        rows: Bound { each: &[70, 40, 10], together: 150 },
        services: Bound { each: &[100], together: 1_000 },
    },
    Limits { rows: Bound { each: &[1], together: 1 }, services: Bound { each: &[1], together: 1 } },
    Limits {
        rows: Bound { each: &[400, 30], together: 10_000 },
        services: Bound { each: &[3], together: 1_000 },
    },
];

/// Never reached.
const WIDE: Limits = Limits {
    rows: Bound { each: &[usize::MAX], together: usize::MAX },
    services: Bound { each: &[usize::MAX], together: usize::MAX },
};

#[derive(Debug, Clone, Copy)]
enum Event {
    Waits(WaitingKey, Credit),
    Shows(ServiceKey),
}

fn add(waiting: &mut Waiting, event: &Event) {
    match event {
        Event::Waits(key, credit) => waiting.add(key, |sum| sum.merge(credit)),
        Event::Shows(key) => waiting.show(*key),
    }
}

fn counted<'a>(limits: Limits, events: impl IntoIterator<Item = &'a Event>) -> Waiting {
    let mut waiting = Waiting::within(limits);
    events.into_iter().for_each(|event| add(&mut waiting, event));
    waiting
}

fn key(interface: u32, local: u16, remote: u16) -> WaitingKey {
    WaitingKey {
        interface,
        protocol: TCP,
        direction: Direction::Ingress,
        local,
        remote,
        forward: SetId(1),
        reply: SetId(2),
        exposure: (Exposure::INTERNAL, Exposure::INTERNAL),
    }
}

fn one() -> Credit {
    Credit { records: 1, packets: 2, bytes: 90, ..Credit::default() }
}

/// Services with crowds of clients, noise, ports that nearly match, and services shown.
fn traffic(dice: &mut Dice) -> Vec<Event> {
    let watch = PortWatch::new(vec![(6, 2_049), (6, 8_443), (17, 5_353)]).unwrap();
    let peers = ["10.0.0.7".parse().unwrap(), "203.0.113.9".parse().unwrap()];
    let services = [600, 2_049, 5_353, 8_080, 8_443, 32_768, 40_000, 50_051];
    let mut events = Vec::new();
    for _ in 0..=dice.below(5) {
        let interface = u32::try_from(dice.below(3)).unwrap();
        let protocol = dice.pick(&[TCP, TCP, UDP]);
        let service = dice.pick(&services);
        let end = dice.pick(&[End::Local, End::Remote]);
        let (from, many) = (dice.pick(&[1_024, 8_100, 32_768, 49_152]), dice.pick(&[16, 300, 12_000]));
        let noise = dice.below(30);
        // Some talk all to all: both ends of a pair then have many ports.
        let mesh = dice.pick(&[1, 1, 10, 40]);
        for _ in 0..dice.pick(&[2, 12, 80]) {
            let client = from + u16::try_from(dice.below(many)).unwrap();
            let service = if dice.chance(noise) { dice.pick(&services) } else { service };
            let service = service + u16::try_from(dice.below(mesh)).unwrap();
            let (local, remote) = if end == End::Local { (service, client) } else { (client, service) };
            let exposure = |peer, port| watch.exposure(peer, protocol, port);
            let peer = dice.pick(&peers);
            let start = i64::try_from(dice.below(1_000)).unwrap();
            let key = WaitingKey {
                protocol,
                direction: dice.pick(&[Direction::Ingress, Direction::Egress]),
                forward: SetId(u32::try_from(1 + dice.below(2)).unwrap()),
                exposure: (exposure(peer, local), exposure(peer, remote)),
                ..self::key(interface, local, remote)
            };
            let span = Span::of(Some(start), Some(start + 60));
            events.push(Event::Waits(key, Credit { bytes: dice.next() % 1_000, span, ..one() }));
        }
        let (shown, sure) = (dice.below(4) * dice.below(25), dice.pick(&[15, 60]));
        for _ in 0..shown {
            let other = from + u16::try_from(dice.below(many)).unwrap();
            let port = if dice.chance(sure) { service } else { other };
            let end = if dice.chance(80) { end } else { End::Remote };
            events.push(Event::Shows(ServiceKey { interface, protocol, port, end }));
        }
    }
    for at in (1..events.len()).rev() {
        events.swap(at, dice.below(at + 1));
    }
    events
}

/// Everything that is kept, in an order of its own.
fn lines(waiting: &Waiting) -> Vec<String> {
    let rows = waiting.rows().map(|row| format!("{row:?}"));
    let services = waiting.services().map(|row| format!("{row:?}"));
    let mut lines: Vec<String> = rows.chain(services).collect();
    lines.sort();
    lines
}

#[test]
fn any_split_order_and_grouping_ends_in_the_same_rows() {
    let slots = [0, 1, 2];
    let sets = [SetId(0), SetId(1), SetId(2)];
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let events = traffic(&mut dice);
        let limits = *dice.one(&TINY);
        let whole = counted(limits, &events);
        let want = lines(&whole);
        assert_eq!(lines(&counted(limits, events.iter().rev())), want, "{seed}");

        let mut parts: Vec<Vec<Event>> = vec![Vec::new(); 1 + dice.below(6)];
        let count = parts.len();
        for event in &events {
            parts[dice.below(count)].push(*event);
        }
        let mut parts: Vec<Waiting> = parts.iter().map(|events| counted(limits, events)).collect();
        while parts.len() > 1 {
            let (mut one, other) =
                (parts.swap_remove(dice.below(parts.len())), parts.swap_remove(dice.below(parts.len())));
            one.merge(other, &slots, &sets);
            parts.push(one);
        }
        let mut sum = Waiting::within(limits);
        sum.merge(parts.remove(0), &slots, &sets);
        assert_eq!(lines(&sum), want, "{seed}");
        sum.merge(Waiting::within(limits), &slots, &sets);
        assert_eq!(lines(&sum), want, "{seed}");
    }
}

#[test]
fn merging_renumbers_interfaces_and_sets() {
    let mut dice = Dice(7);
    for limits in TINY {
        let events = traffic(&mut dice);
        let moved: Vec<Event> = events
            .iter()
            .map(|event| match *event {
                Event::Waits(key, credit) => {
                    let (forward, reply) = (SetId(3 - key.forward.0), SetId(3 - key.reply.0));
                    Event::Waits(WaitingKey { interface: 2 - key.interface, forward, reply, ..key }, credit)
                }
                Event::Shows(key) => Event::Shows(ServiceKey { interface: 2 - key.interface, ..key }),
            })
            .collect();
        let mut sum = Waiting::within(limits);
        sum.merge(counted(limits, &moved), &[2, 1, 0], &[SetId(0), SetId(2), SetId(1)]);
        assert_eq!(lines(&sum), lines(&counted(limits, &events)));
    }
}

type Settled = Vec<(WaitingRow, Role, Basis)>;

fn settled(waiting: &Waiting) -> Settled {
    let mut rows = Vec::new();
    waiting.settle(|row, role, basis| rows.push((*row, role, basis)));
    rows
}

fn sums(rows: &Settled) -> BTreeMap<(u32, u8), String> {
    let mut sums: BTreeMap<(u32, u8), Credit> = BTreeMap::new();
    for (row, ..) in rows {
        sums.entry((row.key.interface, row.key.protocol)).or_default().merge(&row.credit);
    }
    sums.into_iter().map(|(key, credit)| (key, format!("{credit:?}"))).collect()
}

/// The exact rows that a row of the bounded tables may hold.
fn holds(wide: &WaitingRow, exact: &WaitingRow) -> bool {
    let (key, of) = (&wide.key, &exact.key);
    let same = (key.interface, key.protocol, key.direction, key.forward, key.reply)
        == (of.interface, of.protocol, of.direction, of.forward, of.reply);
    let within = |ports: flowaudit::tally::waiting::Ports, port| ports.from <= port && port <= ports.to;
    same && wide.higher == exact.higher
        && key.exposure == of.exposure
        && within(wide.local, of.local)
        && within(wide.remote, of.remote)
}

#[test]
fn what_is_decided_within_bounds_is_decided_so_without() {
    let mut decided: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1_000..2_500 {
        let mut dice = Dice(seed);
        let events = traffic(&mut dice);
        let limits = *dice.one(&TINY);
        let exact = settled(&counted(WIDE, &events));
        let bounded = settled(&counted(limits, &events));
        assert_eq!(sums(&bounded), sums(&exact), "{seed}");
        for (row, role, basis) in &bounded {
            if *role == Role::Undecided {
                continue;
            }
            let held: Vec<_> = exact.iter().filter(|(exact, ..)| holds(row, exact)).collect();
            let records: u64 = held.iter().map(|(row, ..)| row.credit.records).sum();
            assert_eq!(records, row.credit.records, "{seed}: {row:?}");
            for (exact, exact_role, exact_basis) in held {
                assert_eq!((exact_role, exact_basis), (role, basis), "{seed}: {row:?} holds {exact:?}");
            }
            let wide = if row.bounds.1 > 0 { "wide" } else { "exact" };
            *decided.entry(format!("{wide} {basis:?}")).or_default() += 1;
        }
    }
    // The test is worth nothing where bounds leave nothing to decide.
    for kind in ["wide KnownService", "wide FanIn", "exact KnownService", "exact FanIn"] {
        assert!(decided.get(kind).is_some_and(|rows| *rows > 500), "{kind}: {decided:?}");
    }
}

#[test]
fn a_crowd_of_clients_is_decided_however_wide_the_ranges_are() {
    let services = [8_080, 8_443, 9_092];
    let mut waiting = Waiting::default();
    for client in 15_000..65_000 {
        for service in services {
            waiting.add(&key(0, service, client), |sum| sum.merge(&one()));
            let reply = WaitingKey { direction: Direction::Egress, ..key(0, service, client) };
            waiting.add(&reply, |sum| sum.merge(&one()));
        }
    }
    let rows = settled(&waiting);
    assert!(rows.iter().all(|(row, ..)| row.bounds.1 > 0) && rows.len() < 65_536, "{}", rows.len());
    for (row, role, basis) in rows {
        let want = if row.key.direction == Direction::Ingress { Role::Forward } else { Role::Reply };
        assert_eq!((role, basis), (want, Basis::FanIn), "{row:?}");
    }
}

#[test]
fn five_hundred_crowds_are_decided() {
    let services = [8_080, 8_443, 9_092];
    let mut waiting = Waiting::default();
    for interface in 0..500 {
        for client in (32_768..61_000).step_by(37) {
            for service in services {
                waiting.add(&key(interface, service, client), |sum| sum.merge(&one()));
                // And it is a client itself.
                let client = WaitingKey { direction: Direction::Egress, ..key(interface, client, 6_432) };
                waiting.add(&client, |sum| sum.merge(&one()));
            }
        }
    }
    let rows = settled(&waiting);
    assert!(rows.iter().all(|(row, ..)| row.bounds.0 > 0), "the bound is reached");
    assert!(rows.len() <= Limits::default().rows.together, "{}", rows.len());
    for (row, role, basis) in rows {
        assert_eq!((role, basis), (Role::Forward, Basis::FanIn), "{row:?}");
    }
}

#[test]
fn a_service_that_is_shown_is_known_whatever_else_was_shown() {
    let mut waiting = Waiting::within(TINY[0]);
    for client in 40_000..60_000 {
        waiting.add(&key(0, 8_443, client), |sum| sum.merge(&one()));
    }
    // More ports than are kept apart, and none of them a client of these.
    for port in (8_000..9_000).step_by(16).chain([8_443, 8_443]) {
        let end = if port == 8_443 { End::Local } else { End::Remote };
        waiting.show(ServiceKey { interface: 0, protocol: TCP, port, end });
    }
    for (row, role, basis) in settled(&waiting) {
        assert_eq!((role, basis), (Role::Forward, Basis::KnownService), "{row:?}");
    }
}

#[test]
fn no_traffic_fills_memory() {
    let (limits, mut dice) = (Limits::default(), Dice(3));
    let mut waiting = Waiting::default();
    let mut most = (0, 0);
    for round in 0..8 {
        for interface in 0..400 {
            for _ in 0..500 {
                let random = dice.next();
                let [a, b, c, d, ..] = random.to_le_bytes();
                let (local, remote) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                let direction = if random >> 40 & 1 == 0 { Direction::Ingress } else { Direction::Egress };
                let key = WaitingKey { direction, ..key(interface, local, remote) };
                waiting.add(&key, |sum| sum.merge(&one()));
                for (end, port) in [(End::Local, local), (End::Remote, remote)] {
                    waiting.show(ServiceKey { interface, protocol: UDP, port, end });
                }
            }
            if interface % 40 == 0 {
                most = (most.0.max(waiting.rows().count()), most.1.max(waiting.services().count()));
            }
        }
        assert!(most.0 <= limits.rows.together, "{round}: {most:?}");
        assert!(most.1 <= limits.services.together, "{round}: {most:?}");
    }
    let records: u64 = waiting.rows().map(|row| row.credit.records).sum();
    let shown: u64 = waiting.services().map(|row| row.records).sum();
    assert_eq!((records, shown), (8 * 400 * 500, 2 * 8 * 400 * 500));
}
