//! The fast reading of a row and the slow one agree, on good rows and on bad ones.

use flowaudit::flow::OwnedFlow;
use flowaudit::flow::field::FIELDS;
use flowaudit::flow::{Entry, Field};
use flowaudit::ingest::plain::flow_of;
use flowaudit::ingest::text::RowParser;
use flowaudit::ingest::{Layout, Misread, RowFault};
use proptest::prelude::*;

fn fast(layout: &Layout, line: &str) -> Result<OwnedFlow, Misread> {
    RowParser::new(layout).parse(line.as_bytes()).map(|flow| OwnedFlow::from(&flow))
}

fn value(field: Option<Field>) -> BoxedStrategy<String> {
    let number = prop_oneof![
        4 => (0_u64..70_000).prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        1 => (0_u64..20_000_000_000_000).prop_map(|n| n.to_string()),
        1 => "[0-9]{18,24}",
    ];
    let address = prop_oneof![
        6 => any::<std::net::Ipv4Addr>().prop_map(|a| a.to_string()),
        3 => any::<std::net::Ipv6Addr>().prop_map(|a| a.to_string()),
        1 => "[0-9]{1,4}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{0,3}",
    ];
    let word = |words: &'static [&'static str]| proptest::sample::select(words).prop_map(str::to_owned);
    let usual = match field {
        Some(Field::Srcaddr | Field::Dstaddr | Field::PktSrcaddr | Field::PktDstaddr) => address.boxed(),
        Some(Field::Protocol) => word(&["6", "17", "1", "58", "255", "256"]).boxed(),
        Some(Field::Srcport | Field::Dstport | Field::TcpFlags) => {
            (0_u32..65_540).prop_map(|n| n.to_string()).boxed()
        }
        Some(Field::Packets | Field::Bytes | Field::Start | Field::End | Field::Version) => number.boxed(),
        Some(Field::Action) => word(&["ACCEPT", "REJECT", "accept", "Reject"]).boxed(),
        Some(Field::LogStatus) => word(&["OK", "OK", "OK", "NODATA", "SKIPDATA"]).boxed(),
        Some(Field::FlowDirection) => word(&["ingress", "egress", "EGRESS", "in", "out", "In"]).boxed(),
        Some(Field::RejectReason) => word(&["BPA", "EC", "XY"]).boxed(),
        _ => "[a-z0-9:%/-]{1,20}".boxed(),
    };
    prop_oneof![30 => usual, 2 => Just("-".to_owned()), 1 => "[!-~é]{1,6}"].boxed()
}

pub(crate) fn layout_and_row() -> impl Strategy<Value = (Layout, String)> {
    let names: Vec<&str> = FIELDS.iter().map(|(_, name)| *name).chain(["new-one", "other"]).collect();
    let important = ["interface-id", "srcaddr", "dstaddr", "protocol", "action"];
    let some = proptest::sample::subsequence(names, 0..25);
    (some, any::<bool>()).prop_flat_map(move |(mut names, joinable)| {
        if joinable {
            names.extend(important);
        }
        names.push("log-status");
        Just(names).prop_shuffle().prop_flat_map(|names| {
            let layout = Layout::parse_format(&names.join(" ")).unwrap();
            let values: Vec<_> = layout.columns().iter().map(|column| value(*column)).collect();
            let space = proptest::sample::select(vec![" ", " ", " ", "  ", "\t"]);
            let end = proptest::sample::select(vec!["", "", "", "\n", "\r\n", " 1", " "]);
            (Just(layout), values, space, end)
                .prop_map(|(layout, values, space, end)| (layout, values.join(space) + end))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn fast_and_slow_reading_agree((layout, line) in layout_and_row()) {
        prop_assert_eq!(fast(&layout, &line), flow_of(&layout, &line), "{}", line);
    }

    #[test]
    fn they_agree_on_rows_cut_anywhere((layout, line) in layout_and_row(), at in 0_usize..400, other in "[ -~]{0,3}") {
        let at = line.char_indices().map(|(index, _)| index).chain([line.len()]).take_while(|i| *i <= at).last();
        let at = at.unwrap_or(0);
        let spliced = format!("{}{other}{}", &line[..at], &line[at..]);
        for line in [&line[..at], &line[at..], &spliced] {
            prop_assert_eq!(fast(&layout, line), flow_of(&layout, line), "{}", line);
        }
    }
}

#[test]
fn each_value_means_what_it_should() {
    use RowFault::{NoValue, NotANumber, NotAnAddress, UnknownWord};
    const LAYOUT: &str = "interface-id srcaddr dstaddr protocol action log-status srcport packets start end tcp-flags \
                          flow-direction";
    let cases: [(&str, Result<(), RowFault>); 24] = [
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 ingress", Ok(())),
        ("- 10.0.0.1 10.0.0.2 6 ACCEPT OK - - - - - -", Ok(())),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 1 x -", Ok(())),
        ("eni-1 - - - - NODATA x x 1 1 x x", Ok(())),
        ("eni-1 - - - - SKIPDATA - - 1 1 - -", Ok(())),
        ("eni-1 - - - - - - - 1 1 - -", Ok(())),
        ("eni-1 x x x x x x x 1 1 x x", Err(UnknownWord(Field::LogStatus))),
        ("eni-1 - 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 -", Err(NoValue(Field::Srcaddr))),
        ("eni-1 10.0.0.1 10.0.0.2 - ACCEPT OK 1 1 1 1 2 -", Err(NoValue(Field::Protocol))),
        ("eni-1 10.0.0.1 10.0.0.2 6 - OK 1 1 1 1 2 -", Err(NoValue(Field::Action))),
        ("eni-1 10.0.0.1 10.0.0.2 6 DROP OK 1 1 1 1 2 -", Err(UnknownWord(Field::Action))),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT ok 1 1 1 1 2 -", Err(UnknownWord(Field::LogStatus))),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 in", Ok(())),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 OUT", Ok(())),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 inward", Err(UnknownWord(Field::FlowDirection))),
        ("eni-1 10.0.0.1 10.0.0.256 6 ACCEPT OK 1 1 1 1 2 -", Err(NotAnAddress(Field::Dstaddr))),
        ("eni-1 10.0.0.01 10.0.0.2 6 ACCEPT OK 1 1 1 1 2 -", Err(NotAnAddress(Field::Srcaddr))),
        ("eni-1 10.0.0.1 10.0.0.2 256 ACCEPT OK 1 1 1 1 2 -", Err(NotANumber(Field::Protocol))),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 65536 1 1 1 2 -", Err(NotANumber(Field::Srcport))),
        (
            "eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 18446744073709551616 1 1 2 -",
            Err(NotANumber(Field::Packets)),
        ),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 -1 1 2 -", Err(NotANumber(Field::Start))),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 253402300800 2 -", Err(NotANumber(Field::End))),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1 253402300799 2 -", Ok(())),
        ("eni-1 10.0.0.1 10.0.0.2 6 ACCEPT OK 1 1 1432917027000 1432917027 65535 -", Ok(())),
    ];
    let layout = Layout::parse_format(LAYOUT).unwrap();
    for (line, expected) in cases {
        assert_eq!(fast(&layout, line).map(drop).map_err(|misread| misread.fault), expected, "{line}");
        assert_eq!(flow_of(&layout, line).map(drop).map_err(|misread| misread.fault), expected, "{line}");
    }
    let last = fast(&layout, cases[23].0).unwrap();
    let Entry::Traffic(traffic) = last.entry else { panic!("{last:?}") };
    assert_eq!(
        (last.start, last.end, traffic.tcp_flags),
        (Some(1_432_917_027), Some(1_432_917_027), Some(255))
    );
}
