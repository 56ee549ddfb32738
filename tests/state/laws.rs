//! The laws of states: any split, order and grouping of the logs ends in the same state, byte for byte, and in the report
//! of one run.

use std::net::Ipv4Addr;

use flowaudit::flow::{Action, Direction, Entry, Field, OwnedFlow, PortFields, Traffic};
use flowaudit::ingest::RowFault;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::timeline::{Snapshot, by_time};
use flowaudit::tally::counter::Services;
use proptest::prelude::*;
use serde_json::json;

use crate::account::{Dice, WHOSE, Whose, snapshots_and_records, snapshots_and_records_of};
use crate::made::{Log, assert_same_text, bytes, merged, report, run, snapshots, through_a_file, try_merged};

/// Deals records to files of three kinds of flow log, such that each interface has one that counts.
fn deal(dice: &mut Dice, flows: &[OwnedFlow], files: usize) -> Vec<Log> {
    let ids = [None, Some("fl-0a"), Some("fl-0b")];
    let mut logs: Vec<Log> = (0..files * ids.len())
        .map(|at| Log {
            name: format!("logs/{:02}.log", (at * 7) % 30),
            delivered_by: ids[at % ids.len()],
            ..Log::default()
        })
        .collect();
    for flow in flows {
        let interface = flow.interface_id.iter().map(|byte| usize::from(*byte)).sum::<usize>();
        // Some records come from files that tell no flow log beside those that do.
        let kind = if dice.chance(10) { 0 } else { interface % ids.len() };
        logs[dice.below(files) * ids.len() + kind].flows.push(flow.clone());
    }
    for log in &mut logs {
        for _ in 0..dice.below(3) {
            let fault =
                dice.pick(&[RowFault::TooLong, RowFault::NotANumber(Field::Srcport), RowFault::NoLayout]);
            log.faults.push((fault, 1 + dice.below(900) as u64));
        }
        log.failure = dice.chance(10).then_some("broken off");
    }
    logs
}

/// A seed, and where its estate lies.
fn estates() -> impl Strategy<Value = (u64, Whose)> {
    (any::<u64>(), prop::sample::select(WHOSE.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_order_and_grouping_is_one_run((seed, whose) in estates(), files in 1_usize..5) {
        let (given, flows) = snapshots_and_records_of(seed, whose);
        let snapshots = snapshots(&given);
        let mut dice = Dice(seed ^ 1);
        let logs = deal(&mut dice, &flows, files);
        let want = report(&run(&snapshots, &logs, Services::WhereNeeded));
        let whole = run(&snapshots, &logs, Services::Everywhere);
        assert_same_text(&report(&whole), &want);
        assert_same_text(&report(&through_a_file(&whole)), &want);

        let runs = 1 + dice.below(4);
        let mut parts: Vec<Vec<Log>> = vec![Vec::new(); runs];
        for log in logs {
            parts[dice.below(runs)].push(log);
        }
        let mut states: Vec<_> = parts.iter().map(|logs| run(&snapshots, logs, Services::Everywhere)).collect();
        while states.len() > 1 {
            let (a, b) = (states.swap_remove(dice.below(states.len())), states.swap_remove(dice.below(states.len())));
            let (a, b) = if dice.chance(50) { (a, through_a_file(&b)) } else { (through_a_file(&b), a) };
            states.push(merged(vec![a, b]));
        }
        let sum = states.pop().unwrap();
        assert_same_text(&report(&sum), &want);
        prop_assert!(bytes(&sum) == bytes(&whole), "the state of the parts is that of the whole");
    }

    #[test]
    fn a_later_snapshot_takes_nothing_from_what_was_judged_before((seed, whose) in estates()) {
        let (given, flows) = snapshots_and_records_of(seed, whose);
        let given = by_time(given);
        // A state per snapshot: the records of its time, judged by what was known then.
        let mut states = Vec::new();
        for count in 1..=given.len() {
            let (from, to) = (given[count - 1].at, given.get(count).and_then(|next| next.at));
            let of_its_time = |flow: &&OwnedFlow| {
                let start = flow.start.unwrap_or(i64::MIN);
                (count == 1 || from.is_some_and(|from| start >= from)) && to.is_none_or(|to| start < to)
            };
            let flows = flows.iter().filter(of_its_time).cloned().collect();
            let log = Log { name: format!("{count}.log"), flows, ..Log::default() };
            states.push(run(&snapshots(&given[..count]), &[log], Services::Everywhere));
        }
        let forward = try_merged(states.clone());
        let grouped = states.iter().cloned().try_fold(None, |sum, state| match sum {
            None => Ok(Some(state)),
            Some(sum) => try_merged(vec![through_a_file(&state), sum]).map(Some),
        });
        match (forward, grouped) {
            (Ok(forward), Ok(Some(grouped))) => {
                assert_same_text(&report(&grouped), &report(&forward));
                prop_assert!(bytes(&grouped) == bytes(&forward));
            }
            // A later snapshot may say where a VPC lies, and with it which documents took the place of which.
            (Err(why), _) | (_, Err(why)) => prop_assert!(why.contains("means something else"), "{why}"),
            (Ok(_), Ok(None)) => unreachable!("there is a snapshot"),
        }
    }
}

/// A refused record.
fn refused(port: u16, peer: u32) -> OwnedFlow {
    OwnedFlow {
        interface_id: b"eni-1".to_vec(),
        account_id: Vec::new(),
        vpc_id: Vec::new(),
        start: Some(1_767_225_600 + i64::from(port)),
        end: Some(1_767_225_660),
        entry: Entry::Traffic(Traffic {
            action: Action::Reject,
            direction: Some(Direction::Ingress),
            protocol: 6,
            srcaddr: Ipv4Addr::from(peer).into(),
            dstaddr: Ipv4Addr::new(10, 0, 0, 1).into(),
            pkt_srcaddr: None,
            pkt_dstaddr: None,
            srcport: 40_000,
            dstport: port,
            ports: PortFields::Logged,
            packets: 1,
            bytes: 40,
            tcp_flags: None,
            reject_reason: None,
        }),
    }
}

#[test]
fn tables_that_were_widened_merge_as_if_counted_together() {
    let snapshots = snapshots(&snapshots_and_records(1).0);
    for ports in [100_u32, 1_025, 5_000, 40_000] {
        let scan =
            (0..ports).map(|at| refused(u16::try_from(at * 13 % 65_536).unwrap(), 0x0100_0000 + at * 977));
        let noise = (0..ports).map(|at| refused(7, 0x2000_0000 + at * 65_537));
        let inside = (0..ports).map(|at| refused(9, 0x0a00_0000 + at * 3));
        let flows: Vec<OwnedFlow> = scan.chain(noise).chain(inside).collect();
        let log = |name: &str, flows: Vec<OwnedFlow>| Log { name: name.to_owned(), flows, ..Log::default() };
        let third = flows.len() / 3;
        let logs = [
            log("a", flows[..third].to_vec()),
            log("b", flows[third..third + 10].to_vec()),
            log("c", flows[third + 10..].to_vec()),
        ];
        let whole = run(&snapshots, &logs, Services::Everywhere);
        let states: Vec<_> = logs
            .iter()
            .map(|log| through_a_file(&run(&snapshots, std::slice::from_ref(log), Services::Everywhere)))
            .collect();
        let [a, b, c] = <[_; 3]>::try_from(states).unwrap();
        let sum = merged(vec![c, through_a_file(&merged(vec![a, b]))]);
        assert_same_text(&report(&sum), &report(&whole));
        assert!(bytes(&sum) == bytes(&whole), "{ports} ports");
    }
}

/// An accepted record of an interface whose rules allow everything both ways: it waits for the whole input.
fn waits(local: u16, remote: u16) -> OwnedFlow {
    let mut flow = refused(local, 0x0a00_0009);
    if let Entry::Traffic(traffic) = &mut flow.entry {
        traffic.action = Action::Accept;
        traffic.srcport = remote;
    }
    flow
}

fn anything_goes() -> Vec<Snapshot> {
    let range = json!([{"CidrIp": "0.0.0.0/0"}]);
    let anything = json!([{"IpProtocol": "-1", "IpRanges": range}]);
    let group = json!({"GroupId": "sg-1", "GroupName": "all", "OwnerId": "1", "VpcId": "vpc-1", "Description": "",
        "IpPermissions": anything, "IpPermissionsEgress": anything});
    let interface = json!({"NetworkInterfaceId": "eni-1", "OwnerId": "1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
        "InterfaceType": "interface", "Description": "", "Groups": [{"GroupId": "sg-1", "GroupName": "all"}],
        "PrivateIpAddress": "10.0.0.1",
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", "Primary": true}]});
    let mut objects = Objects::default();
    objects.add(&json!({"SecurityGroups": [group]}), None).unwrap();
    objects.add(&json!({"NetworkInterfaces": [interface]}), None).unwrap();
    vec![Snapshot { at: None, objects: objects.into() }]
}

#[test]
fn records_that_wait_beyond_their_bounds_merge_as_if_counted_together() {
    let snapshots = snapshots(&anything_goes());
    let log = |name: &str, flows: Vec<OwnedFlow>| Log { name: name.to_owned(), flows, ..Log::default() };
    let crowd = |service: u16| (20_000..52_000).map(move |client| waits(service, client)).collect();
    let logs = [log("a", crowd(8_080)), log("b", crowd(8_443)), log("c", crowd(9_092))];
    let whole = run(&snapshots, &logs, Services::Everywhere);
    let rows = whole.ledger.tally.waiting.rows().count();
    assert!((1..20_000).contains(&rows), "{rows} rows: the bound of a table is reached");
    let states = logs.iter().map(|log| run(&snapshots, std::slice::from_ref(log), Services::Everywhere));
    let [a, b, c] = <[_; 3]>::try_from(states.collect::<Vec<_>>()).unwrap();
    assert!(a.ledger.tally.waiting.rows().count() == 32_000, "and not by one log");
    let ab = through_a_file(&merged(vec![b, through_a_file(&a)]));
    let sum = merged(vec![through_a_file(&c), ab]);
    assert!(bytes(&sum) == bytes(&whole));
    assert!(bytes(&through_a_file(&sum)) == bytes(&whole));
    assert_same_text(&report(&sum), &report(&whole));
    assert!(report(&sum).contains("\"fan_in\": 96000"), "all are decided");
}

#[test]
fn the_same_input_is_refused_however_the_states_were_grouped() {
    let (given, flows) = snapshots_and_records(3);
    let snapshots = snapshots(&given);
    let state = |name: &str| {
        let log = Log { name: name.to_owned(), flows: flows.clone(), ..Log::default() };
        run(&snapshots, &[log], Services::Everywhere)
    };
    let (a, b) = (state("a.log"), state("b.log"));
    for states in [vec![a.clone(), a.clone()], vec![a.clone(), b.clone(), a.clone()]] {
        let refusal = try_merged(states).unwrap_err();
        assert!(refusal.contains("a.log was counted in 1.state already"), "{refusal}");
    }
    let both = merged(vec![a.clone(), b]);
    let refusal = try_merged(vec![both, a]).unwrap_err();
    assert!(refusal.contains("2.state: a.log was counted in 1.state already"), "{refusal}");
}
