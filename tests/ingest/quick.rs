//! What the quick parser reads means the same to the slow one; what it is made for, it reads.

use flowaudit::flow::V4Flow;
use flowaudit::ingest::Layout;
use flowaudit::ingest::plain::flow_of;
use flowaudit::ingest::quick::{BEFORE, QuickParser};
use proptest::prelude::*;

use crate::rows::layout_and_row;

/// Rows one behind the other, with other bytes around them.
pub(crate) fn buffer(lines: &[String]) -> Vec<u8> {
    let mut buffer = b"\0 9\n8 7.".repeat(BEFORE / 8);
    for line in lines {
        buffer.extend_from_slice(format!("{line}\n").as_bytes());
    }
    buffer.extend_from_slice(&b"255 0 OK\n".repeat(100));
    buffer
}

/// Reads every row that is one for the quick parser; answers which were.
pub(crate) fn check(layout: &Layout, lines: &[String]) -> Vec<bool> {
    let Some(mut parser) = QuickParser::new(layout) else { return vec![false; lines.len()] };
    let buffer = buffer(lines);
    let mut at = BEFORE;
    let mut read = Vec::new();
    for line in lines {
        let end = at + line.len();
        let row = parser.parse(&buffer, at);
        read.push(row.is_some());
        if let Some(row) = row {
            let slow = flow_of(layout, line).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
            assert_eq!(row.end, end, "{line}");
            assert_eq!(V4Flow::of(&slow.borrow()), Some(*row.flow), "{line}");
            assert_eq!(row.interface_id, slow.interface_id, "{line}");
        }
        at = end + 1;
    }
    read
}

/// A row of the default format as nearly all are.
fn usual() -> impl Strategy<Value = String> {
    let address = any::<std::net::Ipv4Addr>();
    let count = prop_oneof![0_u64..100, 0_u64..100_000_000, 0_u64..1_000_000_000_000];
    let port = prop_oneof![Just(0_u16), any::<u16>()];
    let time = 1_000_000_000_u64..4_000_000_000;
    let action = proptest::sample::select(vec!["ACCEPT", "REJECT"]);
    (address.clone(), address, port.clone(), port, any::<u8>(), (count.clone(), count), (time.clone(), time), action).prop_map(
        |(src, dst, srcport, dstport, protocol, (packets, bytes), (start, end), action)| {
            format!(
                "2 123456789012 eni-0123456789abcdef0 {src} {dst} {srcport} {dstport} {protocol} {packets} {bytes} \
                 {start} {end} {action} OK"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn usual_rows_are_read(lines in prop::collection::vec(usual(), 1..6)) {
        prop_assert!(check(&Layout::default_format(), &lines).iter().all(|read| *read));
    }

    #[test]
    fn a_changed_byte_is_read_as_the_slow_parser_reads_it(
        lines in prop::collection::vec(usual(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~\t\r]{0,2}"), 1..4),
    ) {
        let mut lines = lines;
        for (which, at, other) in changes {
            let which = which.index(lines.len());
            let line = &mut lines[which];
            let at = at.index(line.len());
            line.replace_range(at..=at, &other);
            // The same row again: nothing wrong may be taken for known.
            let again = line.clone();
            lines.push(again);
        }
        check(&Layout::default_format(), &lines);
    }

    #[test]
    fn rows_of_any_layout_are_read_as_the_slow_parser_reads_them((layout, line) in layout_and_row()) {
        check(&layout, &[line.trim_end_matches('\n').to_owned()]);
    }
}

#[test]
fn what_is_not_the_common_kind_is_left_alone() {
    let layout = Layout::parse_format(
        "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags \
         flow-direction pkt-srcaddr pkt-dstaddr reject-reason",
    )
    .unwrap();
    let cases = [
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress 1.2.3.4 - -", true),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 REJECT OK - - - - -", true),
        ("e 10.0.0.1 10.0.0.2 1 2 17 3 4 1700000000 1700000060 REJECT OK 0 egress - - -", true),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 REJECT OK 2 ingress - - BPA", false),
        ("e 10.0.0.1 10.0.0.2 - - 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress - - -", false),
        ("e ::1 ::2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress - - -", false),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 accept OK 2 ingress - - -", false),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 ACCEPT NODATA 2 ingress - - -", false),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000000 1700000060000 ACCEPT OK 2 ingress - - -", false),
        ("e  10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress - - -", false),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress - -", false),
        ("e 10.0.0.1 10.0.0.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK 2 ingress - - - -", false),
        ("", false),
    ];
    for (line, expected) in cases {
        assert_eq!(check(&layout, &[line.to_owned()]), [expected], "{line}");
    }
}
