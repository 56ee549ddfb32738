//! Where the time goes: reading bytes, parsing rows, the whole run. `cargo bench`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that cannot set up says so")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use criterion::{Criterion, Throughput};
use flowaudit::ingest::text::RowParser;
use flowaudit::ingest::{Layout, Part, Place, ReadOptions, RowFault, Sink, Source};

const ROWS: u32 = 200_000;

/// Default-format records of 500 interfaces, from a fixed linear congruence.
fn log() -> String {
    let mut text = String::from(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
         log-status\n",
    );
    let mut seed = 7_u32;
    for row in 0..ROWS {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (eni, host, port) = (seed % 500, seed >> 8 & 0xff, 1024 + (seed >> 16) % 60_000);
        let start = 1_700_000_000 + row / 10;
        writeln!(
            text,
            "2 123456789012 eni-{eni:017x} 203.0.{}.{host} 10.0.{}.{} {port} 443 6 {} {} {start} {} ACCEPT OK",
            seed >> 3 & 0xff,
            eni / 200,
            eni % 200 + 10,
            1 + seed % 40,
            40 + seed % 60_000,
            start + 59
        )
        .unwrap();
    }
    text
}

/// Counts what it is given.
#[derive(Default)]
struct Count {
    flows: u32,
    faults: u32,
}

impl Sink for Count {
    fn flow(&mut self, flow: &flowaudit::flow::Flow<'_>) {
        black_box(flow);
        self.flows += 1;
    }
    fn fault(&mut self, _: RowFault, _: Place) {
        self.faults += 1;
    }
    fn consumed(&mut self, _: u64) {}
}

fn parse(criterion: &mut Criterion, text: &str) {
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("baseline/newlines", |bench| {
        bench.iter(|| memchr::memchr_iter(b'\n', black_box(text.as_bytes())).count());
    });
    group.bench_function("parse/default", |bench| {
        bench.iter(|| {
            let mut parser = RowParser::new(&Layout::default_format());
            let rows = text.lines().skip(1).filter(|row| parser.parse(row.as_bytes()).is_ok()).count();
            assert_eq!(rows, ROWS as usize);
        });
    });
    group.finish();
}

fn read(criterion: &mut Criterion, path: &Path, bytes: u64) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group.sample_size(20);
    let name = path.display().to_string();
    let source = Source { name, path: Some(path.to_owned()), bytes, flow_log: None };
    group.bench_function("text/default", |bench| {
        bench.iter(|| {
            let mut count = Count::default();
            flowaudit::ingest::read(&source, &Part::Whole, &ReadOptions::default(), &mut count).unwrap();
            assert_eq!((count.flows, count.faults), (ROWS, 0));
        });
    });
    group.finish();
}

fn run(criterion: &mut Criterion, path: &Path) {
    let mut group = criterion.benchmark_group("run");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group.sample_size(10);
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/snapshot");
    group.bench_function("text/unknown-interfaces", |bench| {
        bench.iter(|| {
            let status = Command::new(env!("CARGO_BIN_EXE_flowaudit"))
                .args([
                    "analyze",
                    "--quiet",
                    "--format",
                    "json",
                    "--output",
                    "/dev/null",
                    "--snapshot",
                    snapshot,
                ])
                .arg(path)
                .status()
                .unwrap();
            assert!(status.success());
        });
    });
    group.finish();
}

fn main() {
    let text = log();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.log");
    std::fs::write(&path, &text).unwrap();
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion, &text);
    read(&mut criterion, &path, text.len() as u64);
    run(&mut criterion, &path);
    criterion.final_summary();
}
