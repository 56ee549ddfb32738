//! Text logs as they come: headers anywhere, odd bytes, odd line ends.

use flowaudit::flow::{Entry, Field};
use flowaudit::ingest::{FileFailure, Layout, Place, ReadOptions, RowFault};
use tempfile::TempDir;

use crate::support::*;

#[test]
fn line_ends_marks_and_spaces_make_no_difference() {
    let text = text();
    let cases = [
        ("CRLF", text.replace('\n', "\r\n")),
        ("BOM", format!("\u{feff}{text}")),
        ("BOM and no header", format!("\u{feff}{}", ROWS.join("\n"))),
        ("blank lines", text.replace('\n', "\n\n \r\n")),
        ("runs of spaces", text.replace(' ', "  \t ")),
        ("indented", text.replace('\n', " \n  ")),
        ("no last newline", text.trim_end().to_owned()),
        ("header again", text.replace("REJECT OK\n", &format!("REJECT OK\n{HEADER}\n"))),
        ("blank start", format!("\n\n{text}")),
    ];
    for (name, text) in cases {
        let all = collect_bytes(text.as_bytes());
        assert_eq!((all.failure, all.faults), (None, vec![]), "{name}");
        assert_eq!(all.flows, expected(), "{name}");
    }
}

#[test]
fn a_file_without_records_is_read_fine() {
    for (name, text) in [
        ("empty", ""),
        ("newline", "\n"),
        ("header only", HEADER),
        ("header line", &(HEADER.to_owned() + "\n")),
    ] {
        for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
            let all = collect_bytes(&bytes);
            assert_eq!((all.failure, all.faults, all.flows.len()), (None, vec![], 0), "{name}");
        }
    }
}

#[test]
fn a_new_header_governs_the_rows_after_it() {
    let text = text() + "action protocol dstaddr srcaddr interface-id\nREJECT 17 10.0.0.2 10.0.0.1 eni-9\n";
    let all = collect_bytes(text.as_bytes());
    assert_eq!((all.failure, all.faults), (None, vec![]));
    assert_eq!(all.flows.len(), 11);
    assert_eq!(all.flows[10].interface_id, b"eni-9");

    let text = text + "version srcaddr\n" + ROWS[0] + "\n";
    let all = collect_bytes(text.as_bytes());
    assert!(all.why().starts_with("line 14: cannot be joined"), "{:?}", all.failure);
    assert_eq!(all.flows.len(), 11);
}

#[test]
fn an_unknown_column_keeps_the_others_in_place() {
    let all = collect_bytes(
        b"brand-new interface-id srcaddr other-new dstaddr protocol action\nx eni-1 10.0.0.1 - 10.0.0.2 6 ACCEPT\n",
    );
    assert_eq!((all.failure, all.faults), (None, vec![]));
    let Entry::Traffic(traffic) = all.flows[0].entry else { panic!("{:?}", all.flows) };
    assert_eq!(traffic.dstaddr.to_string(), "10.0.0.2");
    assert_eq!((all.flows[0].start, all.flows[0].end), (None, None));
}

#[test]
fn every_field_of_every_version_may_be_there() {
    let names: Vec<&str> = flowaudit::flow::field::FIELDS.iter().map(|(_, name)| *name).collect();
    let row: Vec<&str> = names
        .iter()
        .map(|name| match *name {
            "interface-id" => "eni-1",
            "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => "10.0.0.1",
            "action" => "REJECT",
            "log-status" => "OK",
            "flow-direction" => "ingress",
            "reject-reason" => "BPA",
            "instance-tag" => "a%20b%3Dc%2D",
            "protocol" => "6",
            "type" => "IPv4",
            _ => "19",
        })
        .collect();
    let all = collect_bytes(format!("{} new-one\n{} -\n", names.join(" "), row.join(" ")).as_bytes());
    assert_eq!((all.failure, all.faults), (None, vec![]));
    let Entry::Traffic(traffic) = all.flows[0].entry else { panic!("{:?}", all.flows) };
    assert_eq!(traffic.tcp_flags, Some(19));
    assert!(traffic.direction.is_some() && traffic.reject_reason.is_some() && traffic.pkt_dstaddr.is_some());
}

#[test]
fn bad_rows_are_faults_with_their_line() {
    let text =
        [HEADER, "", ROWS[0], "2 3", &(ROWS[1].to_owned() + " x"), "", &ROWS[0].replace("22", "65536")]
            .join("\n");
    let all = collect_bytes(text.as_bytes());
    assert_eq!(all.flows.len(), 1);
    assert_eq!(
        all.faults,
        [
            (RowFault::TooFewFields, Place::Line(4)),
            (RowFault::TooManyFields, Place::Line(5)),
            (RowFault::NotANumber(Field::Dstport), Place::Line(7)),
        ]
    );
}

#[test]
fn rows_before_the_first_header_have_no_layout() {
    let all = collect_bytes(format!("cut off OK\n{}", text()).as_bytes());
    assert_eq!(all.faults, [(RowFault::NoLayout, Place::Line(1))]);
    assert_eq!(all.flows, expected());
}

#[test]
fn lines_longer_than_any_record_are_skipped() {
    for length in [65_536, 70_000, 600_000, 3_000_000] {
        let long = "x".repeat(length);
        let text = format!("{HEADER}\n{}\n{long} {long}\n{}\n{long}{long}", ROWS[0], ROWS[1]);
        let all = collect_bytes(text.as_bytes());
        assert_eq!(all.flows, expected()[..2], "{length}");
        assert_eq!(
            all.faults,
            [(RowFault::TooLong, Place::Line(3)), (RowFault::TooLong, Place::Line(5))],
            "{length}"
        );
    }
}

#[test]
fn given_fields_are_for_files_without_a_header() {
    let folder = TempDir::new().unwrap();
    let options = fields("${interface-id} ${srcaddr} ${dstaddr} ${protocol} ${action} ${end}");
    let custom = write(
        &folder,
        "custom",
        b"eni-1 10.0.0.1 10.0.0.2 6 ACCEPT 7\n2018-08-22T08:15:50.000Z eni-1 - - - - -\n",
    );
    let all = collect(&custom, &options);
    assert_eq!(all.failure, None);
    assert_eq!((all.flows[0].start, all.flows.len(), all.faults.len()), (Some(7), 1, 1));
    let export = write(&folder, "export", b"2018-08-22T08:15:50.000Z eni-1 10.0.0.1 10.0.0.2 6 ACCEPT 7\n");
    assert_eq!(collect(&export, &options).flows, all.flows);
    for (name, text) in [("header", text()), ("default", ROWS.join("\n"))] {
        assert_eq!(collect(&write(&folder, name, text.as_bytes()), &options).flows, expected(), "{name}");
    }
    let other = write(&folder, "other", b"eni-1 10.0.0.1\n");
    assert!(collect(&other, &options).why().contains("2 columns where --fields names 6"));
    let useless = ReadOptions { fields: Layout::parse_format("srcaddr dstaddr").ok(), ..options };
    assert!(collect(&other, &useless).why().contains("no column interface-id"));
}

#[test]
fn broken_gzip_gives_what_came_before_the_break() {
    let rows: String =
        (0..20_000).map(|n| ROWS[0].replace("20641", &(n % 65_536).to_string()) + "\n").collect();
    let text = format!("{HEADER}\n{rows}");
    let file = gzip(text.as_bytes());
    let cut = collect_bytes(&file[..file.len() * 9 / 10]);
    assert!(cut.why().starts_with("gzip: "), "{:?}", cut.failure);
    assert!(cut.flows.len() > 17_000 && cut.flows.len() < 20_000, "{}", cut.flows.len());
    assert_eq!(cut.faults, []);

    let mut flipped = file.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    let all = collect_bytes(&flipped);
    assert!(all.why().starts_with("gzip: "), "{:?}", all.failure);
    assert_eq!((all.flows.len(), all.faults.len()), (20_000, 0));

    let mut damaged = file.clone();
    damaged[file.len() / 2..][..200].fill(0xff);
    let all = collect_bytes(&damaged);
    assert!(all.why().starts_with("gzip: damaged data"), "{:?}", all.failure);
    assert!(all.flows.len() > 9_000, "{}", all.flows.len());

    let all = collect_bytes(&[file.clone(), b"trailing".to_vec()].concat());
    assert_eq!((all.flows.len(), all.why().starts_with("gzip: ")), (20_000, true));

    let all = collect_bytes(&file[..5]);
    assert_eq!((all.flows.len(), all.failure.is_some()), (0, true), "{:?}", all.failure);
}

#[test]
fn a_missing_file_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "gone", b"");
    let source = source(&path);
    std::fs::remove_file(&path).unwrap();
    let failure = whole(&source, &ReadOptions::default()).failure;
    assert!(matches!(failure, Some(FileFailure(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_read_once_and_as_a_whole() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    for (name, bytes, why) in [
        ("text", text().into_bytes(), ""),
        ("gzip", gzip(text().as_bytes()), ""),
        (
            "Parquet",
            parquet(parquet::basic::Compression::SNAPPY, Types::Native, 100),
            "cannot be read from a pipe",
        ),
    ] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&bytes).unwrap();
        drop(writer);
        let all = collect(
            std::path::Path::new(&format!("/proc/self/fd/{}", reader.as_raw_fd())),
            &ReadOptions::default(),
        );
        assert!(
            all.why().contains(why) && all.why().is_empty() == why.is_empty(),
            "{name}: {:?}",
            all.failure
        );
        assert_eq!(all.flows.len(), if why.is_empty() { 10 } else { 0 }, "{name}");
    }
}
