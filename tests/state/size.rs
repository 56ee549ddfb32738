//! How large a state gets: an account with a snapshot every night, internet noise on its public interfaces, and connections
//! that only the whole input can decide.

use std::net::Ipv4Addr;
use std::time::Instant;

use flowaudit::flow::{Action, Direction, Entry, OwnedFlow, PortFields, Traffic};
use flowaudit::ledger::{Identity, Input, Reading};
use flowaudit::rules::aws::{GroupDocument, List, Objects, RuleDocument};
use flowaudit::rules::state::Interface;
use flowaudit::rules::timeline::Snapshot;
use flowaudit::rules::{Peer, Rule, RuleProtocol};
use flowaudit::state::State;
use flowaudit::tally::counter::Services;
use flowaudit::tally::coverage::DELIVERY;
use flowaudit::tally::hours::HOUR;

use crate::account::Dice;
use crate::made::{Log, bytes, run, snapshots, through_a_file};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

/// How large an account is.
#[derive(Clone, Copy)]
struct Estate {
    days: i64,
    /// Interfaces in all.
    interfaces: u32,
    /// Those that the internet reaches, each refused so many times a day.
    public: u32,
    probes_a_day: usize,
    /// Those with connections that wait for the whole input, and how many pairs of ports each has.
    waiting: u32,
    pairs: u16,
    /// Files delivered every five minutes.
    files: i64,
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + 256 + number)
}

fn id(number: u32) -> String {
    format!("eni-{:017x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4)
}

fn group(number: u32) -> String {
    format!("sg-{:017x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4)
}

impl Estate {
    fn objects(&self, day: i64) -> Objects {
        let groups = self.interfaces / 3;
        let rule = |group_id: String, direction, port: u16, peer: &str| RuleDocument {
            rule: Rule {
                group_id,
                direction,
                protocol: if port == 0 { RuleProtocol::All } else { RuleProtocol::Number(6) },
                from_port: (port != 0).then_some(port),
                to_port: (port != 0).then_some(if port == 1024 { 65_535 } else { port }),
                peer: Peer::cidr(peer),
                ranked: None,
            },
            rule_id: Some(format!("sgr-{:017x}", u64::from(port) << 20)),
            description: Some("allowed for the service".to_owned()),
            tags: Vec::new(),
            owner_id: "111111111111".to_owned(),
            region: "us-east-1".to_owned(),
            vpc_id: "vpc-0a1b2c3d4e5f60718".to_owned(),
            peering_status: None,
            peer_owner: None,
        };
        let mut objects = Objects {
            groups: Some(List::default()),
            interfaces: Some(List::default()),
            ..Objects::default()
        };
        for number in 0..groups {
            objects.groups.as_mut().unwrap().push(GroupDocument {
                ecs: None,
                id: group(number),
                name: format!("service-{number}"),
                description: "managed by the platform team".to_owned(),
                vpc_id: "vpc-0a1b2c3d4e5f60718".to_owned(),
                owner_id: "111111111111".to_owned(),
                region: "us-east-1".to_owned(),
                tags: vec![("team".to_owned(), format!("team-{}", number % 12))],
            });
            for port in [443, 1024, 8080, 9100, 22, 5432, 6379] {
                objects.rules.push(rule(group(number), Direction::Ingress, port, "10.0.0.0/8"));
            }
            objects.rules.push(rule(group(number), Direction::Egress, 0, "0.0.0.0/0"));
            // A few rules change every night.
            if i64::from(number) % 90 == day % 90 {
                let port = 20_000 + u16::try_from(day).unwrap();
                objects.rules.push(rule(group(number), Direction::Ingress, port, "192.0.2.0/24"));
            }
        }
        for number in 0..self.interfaces {
            // Some are replaced every night.
            let age = if number % 50 == 7 { u32::try_from(day).unwrap() * 100_000 } else { 0 };
            objects.interfaces.as_mut().unwrap().push(Interface {
                id: id(number + age),
                addresses: vec![address(number).into()],
                group_ids: vec![group(number % groups.max(1))],
                subnet_id: format!("subnet-0{:016x}", number % 20),
                vpc_id: "vpc-0a1b2c3d4e5f60718".to_owned(),
                owner_id: "111111111111".to_owned(),
                region: "us-east-1".to_owned(),
                interface_type: "interface".to_owned(),
                instance_id: format!("i-{:017x}", u64::from(number + age) << 30),
                ..Interface::default()
            });
        }
        objects
    }

    fn flows(&self) -> Vec<OwnedFlow> {
        let mut dice = Dice(4);
        let seconds = usize::try_from(self.days * DAY).unwrap();
        let mut flows = Vec::new();
        for number in 0..self.interfaces {
            for _ in 0..150 {
                let port = dice.pick(&[443, 8080, 9100, 22, 5432, 6379]);
                let peer = address(u32::try_from(dice.below(500)).unwrap());
                let at = i64::try_from(dice.below(seconds)).unwrap();
                flows.push(flow(number, (peer, 40_000), port, Action::Accept, Some(2), at, &mut dice));
            }
        }
        for number in 0..self.waiting {
            for pair in 0..self.pairs {
                let at = i64::try_from(dice.below(seconds)).unwrap();
                let (peer, client) = (address(number % 40 + 1), 30_000 + pair);
                flows.push(flow(number, (peer, client), 8443, Action::Accept, None, at, &mut dice));
            }
        }
        let scanned = [22, 23, 80, 445, 1433, 2222, 3306, 3389, 5060, 5900, 6379, 8080, 8443, 8728];
        for number in 0..self.public {
            for probe in 0..self.probes_a_day * usize::try_from(self.days).unwrap() {
                let at = i64::try_from(probe * 86_400 / self.probes_a_day).unwrap();
                let any = u16::try_from(dice.below(65_536)).unwrap();
                let port = if dice.chance(40) { dice.pick(&scanned) } else { any };
                // A few scanners come every day, most once.
                let random = u32::try_from(dice.next() >> 32).unwrap();
                let peer = if dice.chance(50) {
                    0x5000_0000 + random % 3_000 * 7_919
                } else {
                    0x2000_0000 | random >> 2
                };
                let peer = (Ipv4Addr::from(peer), 50_000);
                flows.push(flow(number, peer, port, Action::Reject, None, at, &mut dice));
            }
        }
        flows
    }

    fn state(&self) -> State {
        let given: Vec<Snapshot> = (0..self.days)
            .map(|day| Snapshot { at: Some(START + day * DAY), objects: self.objects(day).into() })
            .collect();
        let log =
            Log { name: "log".to_owned(), delivered_by: Some("fl-1"), flows: self.flows(), ..Log::default() };
        let mut state = run(&snapshots(&given), &[log], Services::Everywhere);
        for interface in &mut state.ledger.tally.interfaces {
            let words = |unit: i64| START / unit / 64..(START + self.days * DAY) / unit / 64;
            words(HOUR).for_each(|at| interface.hours.insert_word(at, u64::MAX));
            for delivery in interface.deliveries.values_mut() {
                for (kind, units) in &mut delivery.kinds {
                    *kind += 1;
                    words(DELIVERY).for_each(|at| units.insert_word(at, u64::MAX));
                }
            }
        }
        state.ledger.inputs = self.inputs();
        state
    }

    /// Files with the names and hashes that AWS gives.
    fn inputs(&self) -> Vec<Input> {
        let mut dice = Dice(6);
        let file = |number: i64| {
            let at = START + number / self.files * 300;
            let time = flowaudit::time::format(at);
            let (day, minute) = (time[..10].replace('-', "/"), time[..16].replace([':', '-'], ""));
            let hash = dice.next() >> 32;
            let name = format!(
                "logs/AWSLogs/111111111111/vpcflowlogs/us-east-1/{day}/111111111111_vpcflowlogs_us-east-1_\
                 fl-0123456789abcdef{}_{minute}Z_{hash:08x}.log.gz",
                number % self.files
            );
            let identity = Identity {
                path: format!("/srv/audit/{name}"),
                bytes: 20_000 + dice.next() % 1_000_000,
                modified: (at + 400) * 1_000_000_000,
                etag: None,
            };
            Input { name, identity: Some(identity), reading: Reading::Whole }
        };
        let mut inputs: Vec<Input> = (0..self.days * 288 * self.files).map(file).collect();
        inputs.sort();
        inputs
    }
}

fn flow(
    number: u32,
    (peer, client): (Ipv4Addr, u16),
    port: u16,
    action: Action,
    tcp_flags: Option<u8>,
    at: i64,
    dice: &mut Dice,
) -> OwnedFlow {
    let packets = 1 + dice.next() % 1_000;
    OwnedFlow {
        interface_id: id(number).into_bytes(),
        account_id: b"111111111111".to_vec(),
        vpc_id: Vec::new(),
        start: Some(START + at),
        end: Some(START + at + 60),
        entry: Entry::Traffic(Traffic {
            action,
            direction: Some(Direction::Ingress),
            protocol: 6,
            srcaddr: peer.into(),
            dstaddr: address(number).into(),
            pkt_srcaddr: None,
            pkt_dstaddr: None,
            srcport: client,
            dstport: port,
            ports: PortFields::Logged,
            packets,
            bytes: packets * (40 + dice.next() % 1_000),
            tcp_flags,
            reject_reason: None,
        }),
    }
}

#[test]
fn a_small_account_is_a_small_state() {
    let estate = Estate {
        days: 30,
        interfaces: 50,
        public: 2,
        probes_a_day: 1_000,
        waiting: 5,
        pairs: 1_000,
        files: 1,
    };
    let state = estate.state();
    let size = bytes(&state).len();
    assert!(size < 2_000_000, "{size}");
}

/// `cargo test --test state -- --ignored --nocapture` prints what is behind the figures in the README.
#[test]
#[ignore = "half a minute in a debug build; .ci/run runs it after the others"]
fn ninety_days_of_five_hundred_interfaces_stay_under_fifty_megabytes() {
    // So many probes of each public interface fill nearly every row with as many peers as are ever kept.
    let estate = Estate {
        days: 90,
        interfaces: 500,
        public: 60,
        probes_a_day: 1_050,
        waiting: 100,
        pairs: 3_000,
        files: 4,
    };
    let state = estate.state();
    let start = Instant::now();
    let size = bytes(&state).len();
    let peers = peers(&state);
    eprintln!("{size} bytes with {peers} peers, written in {:?}", start.elapsed());
    let start = Instant::now();
    through_a_file(&state);
    eprintln!("written and read in {:?}", start.elapsed());
    assert!(size < 50_000_000, "{size}");
}

fn peers(state: &State) -> usize {
    let rows = state.ledger.tally.blocked.rows();
    rows.map(|(.., row)| row.internal.len() + row.external.len()).sum()
}

#[test]
#[ignore = "prints what the README says of sizes; .ci/run runs it after the others"]
fn what_a_state_grows_with() {
    let quiet = Estate {
        days: 90,
        interfaces: 500,
        public: 0,
        probes_a_day: 1_050,
        waiting: 0,
        pairs: 3_000,
        files: 0,
    };
    let base = bytes(&quiet.state()).len();
    eprintln!("500 interfaces and 90 snapshots alone: {base} bytes");
    let day = bytes(&Estate { days: 1, ..quiet }.state()).len();
    eprintln!("the same with one day and one snapshot: {day} bytes");
    let grown = |name: &str, estate: &Estate, count: fn(&State) -> usize| {
        let state = estate.state();
        let (size, count) = (bytes(&state).len(), count(&state));
        eprintln!("{count} {name}: {} bytes each", (size - base) / count);
    };
    grown("peers of refused records", &Estate { public: 10, ..quiet }, peers);
    grown("records that wait", &Estate { waiting: 50, ..quiet }, |state| {
        state.ledger.tally.waiting.rows().count()
    });
    grown("files", &Estate { files: 2, ..quiet }, |state| state.ledger.inputs.len());
}
