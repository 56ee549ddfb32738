//! What is kept depends on the set of records alone.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::attribution::index::Index;
use crate::attribution::{Basis, Cause};
use crate::flow::{Entry, PortFields, TCP, V4Flow};
use crate::rules::aws::Objects;
use crate::rules::timeline::{Snapshot, Timeline};

/// When, whose port, and whether it was refused.
type Made = (i64, u16, bool);

fn add(inquiry: &mut Inquiry, (at, port, refused): Made) {
    let peer = IpAddr::from([10, 0, (port % 7).to_be_bytes()[1], 9]);
    let traffic = Traffic {
        action: if refused { Action::Reject } else { Action::Accept },
        direction: None,
        protocol: TCP,
        srcaddr: peer,
        dstaddr: IpAddr::from([10, 0, 0, 1]),
        pkt_srcaddr: None,
        pkt_dstaddr: None,
        srcport: port,
        dstport: 443,
        ports: PortFields::Logged,
        packets: 1,
        bytes: 100,
        tcp_flags: None,
        reject_reason: None,
    };
    // Some have no time.
    let start = (at >= 0).then_some(at);
    let entry = Entry::Traffic(traffic);
    let flow = Flow { interface_id: b"eni", account_id: b"", vpc_id: b"", start, end: start, entry };
    let decided = Verdict::Decided { role: Role::Forward, set: SetId(1), basis: Basis::Rules };
    let verdict = if refused { Verdict::Refused(Cause::SecurityGroup) } else { decided };
    let direction = Some(Direction::Ingress);
    let asked = Asked { interface: 0, direction, peer, verdict, flow: &flow, traffic: &traffic };
    inquiry.add_seen_from(SeenFrom::OwnEnd, asked.connection(), &asked);
}

fn kept(inquiry: &Inquiry) -> Vec<String> {
    let mut endings: Vec<_> = inquiry.endings.iter().collect();
    endings.sort();
    let mut lines: Vec<String> = inquiry.pieces().map(|piece| format!("{piece:?}")).collect();
    lines.extend(inquiry.peers().map(|peer| format!("{peer:?}")));
    lines.sort();
    lines.push(format!("{:?} {:?} {endings:?}", inquiry.records, inquiry.cut()));
    lines
}

proptest! {
    #[test]
    fn what_is_kept_does_not_depend_on_the_order(
        made in prop::collection::vec((-600_i64..20_000, 0_u16..40, any::<bool>()), 0..200),
        deal in prop::collection::vec(0_usize..3, 200),
        most in 1_usize..60,
    ) {
        let mut whole = Inquiry::within(most);
        for made in &made {
            add(&mut whole, *made);
        }
        whole.finish();
        prop_assert!(whole.pieces().count() <= most);
        let mut parts = vec![Inquiry::within(most); 3];
        for (made, part) in made.iter().zip(&deal).rev() {
            add(&mut parts[*part], *made);
        }
        let mut sum = Inquiry::within(most);
        for part in parts {
            sum.merge(part, &[0], &[SetId(0), SetId(1)]);
        }
        sum.finish();
        prop_assert_eq!(kept(&sum), kept(&whole));
        // What is kept is whole.
        let is_kept = |(at, port, _): &&Made| {
            let at = (*at >= 0).then(|| at.div_euclid(PIECE));
            let peer = IpAddr::from([10, 0, (*port % 7).to_be_bytes()[1], 9]);
            let address = IpAddr::from([10, 0, 0, 1]);
            whole.cut.is_none_or(|cut| (at, address, 443, peer, *port, TCP) < cut)
        };
        let expected = made.iter().filter(is_kept).count() as u64;
        prop_assert_eq!(whole.pieces().map(|(_, piece)| piece.records()).sum::<u64>(), expected);
    }
}

/// Two interfaces of ours, at 10.0.0.1 and 10.0.0.2.
fn timeline() -> Timeline {
    let interfaces: Vec<serde_json::Value> = (1..3)
        .map(|at| {
            serde_json::json!({
                "NetworkInterfaceId": format!("eni-{at}"), "PrivateIpAddress": format!("10.0.0.{at}"),
                "Groups": [{"GroupId": "sg-1"}],
            })
        })
        .collect();
    let mut objects = Objects::default();
    objects.add(&serde_json::json!({ "NetworkInterfaces": interfaces }), None).unwrap();
    Timeline::build(vec![Snapshot { at: None, objects: Arc::new(objects) }])
}

prop_compose! {
    fn record()(
        start in 0_i64..20_000,
        (own, far) in (1_u32..4, 1_u32..9),
        ports in (0_u16..3, 0_u16..40),
        direction in prop::sample::select(vec![Direction::Ingress, Direction::Egress]),
        tcp_flags in prop::sample::select(vec![None, Some(2), Some(18), Some(16)]),
        behind in prop::option::weighted(0.2, 1_u32..9),
        bytes in 0_u64..1000,
        verdict in prop::sample::select(vec![
            Verdict::Decided { role: Role::Forward, set: SetId(1), basis: Basis::Rules },
            Verdict::Decided { role: Role::Reply, set: SetId(2), basis: Basis::LowPort },
            Verdict::Waiting { forward: SetId(1), reply: SetId(2) },
            Verdict::Unexplained(crate::attribution::Drift::Untold),
            Verdict::Refused(Cause::SecurityGroup),
            Verdict::Refused(Cause::LatePacket),
        ]),
    ) -> (Direction, Verdict, V4Flow) {
        let refused = matches!(verdict, Verdict::Refused(_));
        let (own, far) = (0x0a00_0000 + own, 0x0a00_0000 + far);
        let mut flow = V4Flow {
            start, end: start + 30, packets: 1, bytes, protocol: TCP, srcaddr: own, dstaddr: far,
            srcport: ports.0, dstport: ports.1, tcp_flags, pkt_dstaddr: behind.map(|it| 0x0a00_0000 + it),
            action: if refused { Action::Reject } else { Action::Accept }, ..V4Flow::BLANK
        };
        if direction == Direction::Ingress {
            (flow.srcaddr, flow.dstaddr) = (flow.dstaddr, flow.srcaddr);
            (flow.pkt_srcaddr, flow.pkt_dstaddr) = (flow.pkt_dstaddr, None);
        }
        (direction, verdict, flow)
    }
}

proptest! {
    #[test]
    fn records_that_come_by_the_million_count_as_all_others(
        records in prop::collection::vec(record(), 0..150),
        addresses in prop::collection::vec(1_u8..9, 0..3),
        most in 1_usize..60,
    ) {
        let timeline = timeline();
        let index = Index::build(&timeline);
        let addresses = addresses.iter().map(|at| IpNet::from(IpAddr::from([10, 0, 0, *at]))).collect();
        let sought = Sought { addresses, ..Sought::default() };
        let asking = Asking::of(&sought, &timeline, &index);
        let (mut one, mut other) = (Inquiry::within(most), Inquiry::within(most));
        for (direction, verdict, v4) in &records {
            let (flow, traffic, direction) = (v4.flow(), v4.traffic(), *direction);
            let peer = v4.peer(direction);
            let asked = Asked {
                interface: 0,
                direction: Some(direction),
                peer: IpAddr::V4(peer.into()),
                verdict: *verdict,
                flow: &flow,
                traffic: &traffic,
            };
            one.add(&asking, &asked);
            let ending = match verdict {
                Verdict::Refused(cause) => other.refusal(direction, *cause),
                verdict => other.number(Ending::of(Some(direction), *verdict)),
            };
            other.add_v4(&asking, ending, &AskedV4 { interface: 0, direction, peer, flow: v4 });
        }
        one.finish();
        other.finish();
        prop_assert_eq!(kept(&other), kept(&one));
    }
}
