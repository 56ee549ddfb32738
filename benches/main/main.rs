//! Where the time goes, from bytes to the report: `cargo bench`. Every step is measured with what it needs in memory, in
//! bytes or records a second; the baseline is what reading costs anybody.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench that cannot set up says so")]

mod account;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use account::{Account, ROWS};
use criterion::{Criterion, Throughput};
use flowaudit::attribution::index::{Index, InterfaceNumber};
use flowaudit::attribution::judge::Judge;
use flowaudit::attribution::situation::{SIDE_BY_SIDE, Situated};
use flowaudit::flow::{Flow, InterfaceHandle, V4Record};
use flowaudit::ingest::quick::QuickParser;
use flowaudit::ingest::text::RowParser;
use flowaudit::ingest::{Layout, Misread, Place, ReadOptions, Sink, find, plan, read};
use flowaudit::rules::load;
use flowaudit::rules::timeline::Timeline;
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::selection::Selection;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;

/// That of the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FORMS: [&str; 3] = ["flows.log", "flows.log.gz", "flows.parquet"];

/// Keeps what it is given.
#[derive(Default)]
struct Kept {
    ids: Vec<Vec<u8>>,
    records: Vec<V4Record>,
}

impl Sink for Kept {
    fn flow(&mut self, _: &Flow<'_>) {
        panic!("every record is of the common kind");
    }
    fn interface(&mut self, id: &[u8]) -> Option<InterfaceHandle> {
        let at = self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_vec());
            self.ids.len() - 1
        });
        Some(InterfaceHandle(u32::try_from(at).unwrap()))
    }
    fn v4(&mut self, records: &[V4Record]) {
        self.records.extend(records);
    }
    fn fault(&mut self, _: Misread, _: Place) {}
    fn outside(&mut self, _: u64) {}
    fn consumed(&mut self, _: u64) {}
}

/// Counts what it is given.
#[derive(Default)]
struct Count(u32);

impl Sink for Count {
    fn flow(&mut self, flow: &Flow<'_>) {
        black_box(flow);
        self.0 += 1;
    }
    fn interface(&mut self, id: &[u8]) -> Option<InterfaceHandle> {
        id.last().map(|byte| InterfaceHandle((*byte).into()))
    }
    fn v4(&mut self, records: &[V4Record]) {
        for record in records {
            black_box(record);
            self.0 += 1;
        }
    }
    fn fault(&mut self, _: Misread, _: Place) {}
    fn outside(&mut self, _: u64) {}
    fn consumed(&mut self, _: u64) {}
}

fn read_all(path: &Path, sink: &mut impl Sink) {
    for source in &find(&[path.display().to_string()]).unwrap().sources {
        for part in plan(source, &ReadOptions::default()).unwrap() {
            read(source, &part, &ReadOptions::default(), sink).unwrap();
        }
    }
}

fn parse(criterion: &mut Criterion, account: &Account) {
    let text = account.text.as_bytes();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("baseline: newlines", |bench| {
        bench.iter(|| memchr::memchr_iter(b'\n', black_box(text)).count());
    });
    group.bench_function("rows, quick", |bench| {
        bench.iter(|| {
            let mut parser = QuickParser::new(&Layout::default_format()).unwrap();
            let (mut at, mut rows) = (text.iter().position(|byte| *byte == b'\n').unwrap() + 1, 0);
            while let Some(row) = parser.parse(text, at) {
                at = row.end + 1;
                rows += u32::from(black_box(row).flow.packets > 0);
            }
            // The last rows of a text stand too close to its end.
            assert!(rows > ROWS - 10);
        });
    });
    group.bench_function("rows, one by one", |bench| {
        bench.iter(|| {
            let mut parser = RowParser::new(&Layout::default_format());
            let lines = text.split(|byte| *byte == b'\n').skip(1);
            assert_eq!(lines.filter(|row| parser.parse(row).is_ok()).count(), ROWS as usize);
        });
    });
    group.finish();
}

fn decode(criterion: &mut Criterion, account: &Account) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group.sample_size(20);
    for form in FORMS {
        let path = account.path(form);
        group.bench_function(form, |bench| {
            bench.iter(|| {
                let mut count = Count::default();
                read_all(&path, &mut count);
                assert_eq!(count.0, ROWS);
            });
        });
    }
    group.finish();
}

fn attribute(criterion: &mut Criterion, account: &Account) {
    let loaded = load::load(&[account.path("snapshot").display().to_string()]).unwrap();
    let timeline = Timeline::build(loaded.snapshots);
    let index = Index::build(&timeline);
    let watch = PortWatch::new(vec![(6, 22), (6, 445), (6, 3389), (6, 5432)]).unwrap();
    let (selection, progress) = (Selection::none(false), Progress::default());
    let brief = Brief {
        timeline: &timeline,
        index: &index,
        watch: &watch,
        window: Window::ALL,
        selection: &selection,
        services: Services::WhereNeeded,
        progress: &progress,
        proposed: None,
        asking: None,
    };
    let mut kept = Kept::default();
    read_all(&account.path("flows.log"), &mut kept);
    let mut group = criterion.benchmark_group("attribute");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group.sample_size(20);
    // Named by the numbers of the index, as a counter names them.
    let numbers: Vec<_> = kept.ids.iter().map(|id| index.number(id).unwrap()).collect();
    let named = |record: &V4Record| V4Record {
        interface: numbers[record.interface.0 as usize].handle(),
        flow: record.flow,
    };
    let records: Vec<V4Record> = kept.records.iter().map(named).collect();
    group.bench_function("situate", |bench| {
        bench.iter(|| {
            for records in records.chunks(SIDE_BY_SIDE) {
                let mut situated = [Situated::ALONE; SIDE_BY_SIDE];
                index.situate(0, records, &mut situated);
                black_box(situated);
            }
        });
    });
    group.bench_function("judge one by one", |bench| {
        bench.iter(|| {
            let mut judge = Judge::new(&timeline, &index);
            for V4Record { interface, flow } in &records {
                let traffic = flow.traffic();
                black_box(judge.judge(Some(InterfaceNumber::of(*interface)), &flow.flow(), &traffic));
            }
        });
    });
    group.bench_function("tally", |bench| {
        bench.iter(|| {
            let mut counter = Counter::new(&brief);
            kept.ids.iter().for_each(|id| assert!(counter.interface(id).is_some()));
            counter.v4(&records);
            black_box(counter.finish());
        });
    });
    group.finish();
}

fn run(criterion: &mut Criterion, account: &Account) {
    let mut group = criterion.benchmark_group("run");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group.sample_size(10);
    for form in FORMS {
        group.bench_function(form, |bench| {
            bench.iter(|| {
                let status = Command::new(env!("CARGO_BIN_EXE_flowaudit"))
                    .args(["analyze", "--quiet", "--format", "json", "--output", "/dev/null"])
                    .arg(account.path(form))
                    .arg("--snapshot")
                    .arg(account.path("snapshot"))
                    .status()
                    .unwrap();
                assert!(status.success());
            });
        });
    }
    group.finish();
}

fn main() {
    let account = Account::make();
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion, &account);
    decode(&mut criterion, &account);
    attribute(&mut criterion, &account);
    run(&mut criterion, &account);
    criterion.final_summary();
}
