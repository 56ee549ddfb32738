//! What is kept depends on the set of records alone.

use proptest::prelude::*;

use super::*;
use crate::attribution::{Basis, Cause};
use crate::flow::{Entry, PortFields, TCP};

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
