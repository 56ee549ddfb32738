//! Rows that come close to what the quick parser reads: it reads them rightly or not at all.

use flowaudit::ingest::quick::{BEFORE, QuickParser};
use flowaudit::ingest::{Layout, Part, ReadOptions, read};
use tempfile::TempDir;

use crate::quick::{buffer, check};
use crate::quick_parquet::Both;
use crate::support::{HEADER, source, write};

const ROW: &str = "2 123456789012 eni-0123456789abcdef0 10.0.0.1 192.168.100.200 40000 443 6 12 3456 1700000000 1700000060 \
                   ACCEPT OK";
/// Fields that nobody reads here, one space before each.
const MORE: &str = " vpc-id";

fn is_read(layout: &Layout, line: &str) -> bool {
    check(layout, &[line.to_owned()])[0]
}

/// The row with another value in this column.
fn with(column: usize, value: &str) -> String {
    let mut values: Vec<&str> = ROW.split(' ').collect();
    values[column] = value;
    values.join(" ")
}

#[test]
fn every_byte_at_every_place() {
    let layout = Layout::default_format();
    for at in 0..ROW.len() {
        for byte in 0..=127_u8 {
            let mut line = ROW.as_bytes().to_vec();
            line[at] = byte;
            let line = String::from_utf8(line).unwrap();
            // The row as it is behind it: nothing of the one before may be taken for its own.
            let lines = [line, ROW.to_owned()];
            if byte != b'\n' {
                assert!(check(&layout, &lines)[1], "{at} {byte}");
            }
        }
        for byte in 128..=255 {
            let mut buffer = buffer(&[ROW.to_owned()]);
            buffer[BEFORE + at] = byte;
            assert!(QuickParser::new(&layout).unwrap().parse(&buffer, BEFORE).is_none(), "{at} {byte}");
        }
    }
}

#[test]
fn separators_put_in_or_taken_out() {
    let layout = Layout::default_format();
    for at in 0..=ROW.len() {
        for other in [" ", "  ", "\t", "\r", "\0", "\x1f", "\x7f", "-"] {
            let mut line = ROW.to_owned();
            line.insert_str(at, other);
            check(&layout, &[line.clone(), ROW.to_owned()]);
            // As many separators as there should be, one of them in another place.
            for taken in [1, 14, 36, 102] {
                let mut line = line.clone();
                line.remove(taken);
                check(&layout, &[line, ROW.to_owned()]);
            }
        }
    }
    assert!(!is_read(&layout, &format!("{ROW}\r")));
    assert!(!is_read(&layout, &format!("{ROW} ")));
    assert!(!is_read(&layout, &format!(" {ROW}")));
    assert!(!is_read(&layout, &ROW.replace(' ', "\t")));
}

#[test]
fn numbers_of_every_length() {
    let layout = Layout::default_format();
    for column in 5..12 {
        for length in 1..=24 {
            for digit in ["0", "1", "9"] {
                for number in [digit.repeat(length), format!("{}7", "0".repeat(length - 1))] {
                    let read = is_read(&layout, &with(column, &number));
                    assert!(!read || length <= 16, "{column} {number}");
                    if (8..10).contains(&column) {
                        assert_eq!(read, length <= 16, "{column} {number}");
                    }
                }
            }
            for damage in ["-", "/", ":", "x", ".", "~"] {
                for at in 0..length {
                    let mut number = "1".repeat(length);
                    number.replace_range(at..=at, damage);
                    assert!(!is_read(&layout, &with(column, &number)), "{column} {number}");
                }
            }
        }
    }
    for (port, expected) in [("65535", true), ("65536", false), ("065535", true), ("4294967296", false)] {
        assert_eq!(is_read(&layout, &with(5, port)), expected, "{port}");
        assert_eq!(is_read(&layout, &with(6, port)), expected, "{port}");
    }
    for time in ["0999999999", "1000000000", "9999999999", "2900000000", "1700000000000"] {
        assert_eq!(is_read(&layout, &with(10, time)), time.len() == 10, "{time}");
        assert_eq!(is_read(&layout, &with(11, time)), time.len() == 10, "{time}");
    }
}

#[test]
fn values_of_every_length_where_a_column_may_be_absent() {
    let layout =
        Layout::parse_format(&format!("{HEADER} tcp-flags flow-direction pkt-srcaddr pkt-dstaddr")).unwrap();
    for length in 0..40 {
        for value in ["1".repeat(length), "x".repeat(length), "-".repeat(length)] {
            for values in [["2", "egress", "-", "1.1.1.1"], ["-"; 4]] {
                for at in 0..4 {
                    let mut values = values;
                    values[at] = &value;
                    let read = is_read(&layout, &format!("{ROW} {}", values.join(" ")));
                    assert!(!read || value == "-" || at == 0 && length < 6, "{at} {value}");
                }
            }
        }
    }
}

#[test]
fn times_of_other_centuries_take_turns() {
    let lines: Vec<String> =
        ["1700000000", "xx00000000", "2700000001", "2700000002", "17-0000000", "1700000003"]
            .iter()
            .flat_map(|time| [with(10, time), with(11, time)])
            .collect();
    let read = check(&Layout::default_format(), &lines);
    assert_eq!(read, [true, true, false, false, true, true, true, true, false, false, true, true]);
}

#[test]
fn rows_of_every_length() {
    let layout = Layout::default_format();
    let mut buffer = buffer(&[]);
    for length in 1..600 {
        let line = with(2, &"e".repeat(length));
        assert_eq!(is_read(&layout, &line), line.len() < 447, "{}", line.len());
        // The same in front, without any byte that could end it.
        let line = with(0, &"2".repeat(length));
        assert_eq!(is_read(&layout, &line), line.len() < 447, "{}", line.len());
    }
    // No newline at all, and none that is near.
    buffer.truncate(BEFORE);
    buffer.extend_from_slice(ROW.as_bytes());
    for end in [0, 1, 400, 1000] {
        buffer.resize(BEFORE + ROW.len() + end, b'x');
        assert!(QuickParser::new(&layout).unwrap().parse(&buffer, BEFORE).is_none());
        assert!(QuickParser::new(&layout).unwrap().parse(&buffer, BEFORE - 1).is_none());
    }
}

#[test]
fn the_widest_layouts() {
    for columns in 14..=64 {
        let more = columns - 14;
        let layout = Layout::parse_format(&format!("{HEADER}{}", MORE.repeat(more))).unwrap();
        let row = format!("{ROW}{}", " -".repeat(more));
        assert!(is_read(&layout, &row), "{columns}");
        // One fewer and one more, its newline where that of the row before was.
        let fewer = format!("{ROW}{}", " -".repeat(more.saturating_sub(1)));
        let fewer = if more == 0 { row.replacen(' ', "0", 1) } else { format!("{fewer}00") };
        let other = format!("{ROW}0 0{}", " -".repeat(more.saturating_sub(2)));
        for line in [fewer, format!("{row} -"), other] {
            let read = check(&layout, &[row.clone(), line, row.clone()]);
            assert_eq!((read[0], read[2]), (true, true), "{columns}");
        }
        let short =
            ["2 1 e 1.1.1.1 2.2.2.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK", &" x".repeat(more)].concat();
        assert!(is_read(&layout, &short), "{columns}");
    }
    let layout = Layout::parse_format(&format!("{HEADER}{}", MORE.repeat(51))).unwrap();
    assert!(QuickParser::new(&layout).is_none());
}

#[test]
fn a_file_of_many_blocks_is_read_the_same_with_and_without() {
    let folder = TempDir::new().unwrap();
    let mut text = format!("{HEADER}\n");
    for number in 0_u32..12_000 {
        let row = match number % 1009 {
            7 => with(3, "2001:db8::1"),
            8 => with(2, "eni-x"),
            9 => with(13, "NODATA"),
            10 => ROW.replace(' ', "\t"),
            11 => with(7, "300"),
            12 => String::new(),
            _ => with(9, &number.pow(2).to_string()),
        };
        text.push_str(&row);
        text.push('\n');
    }
    // The last row has no newline, and what stood behind it in the block before must not count.
    text.push_str(ROW);
    let file = source(&write(&folder, "file", text.as_bytes()));
    let mut sinks = [false, true].map(|names| Both { names, ..Both::default() });
    for sink in &mut sinks {
        read(&file, &Part::Whole, &ReadOptions::default(), sink).unwrap();
    }
    assert_eq!(sinks[0].entries, sinks[1].entries);
    assert_eq!(sinks[0].quick, 0);
    assert!(sinks[1].quick > 11_800, "{}", sinks[1].quick);
}
