//! Rows in the making, column by column.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, Int64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder,
    TimestampMillisecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use super::columns::{COLUMNS, Kind, item};
use crate::flow::{Action, Seconds};

/// One record and what was found of it. Empty text: nothing is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) log_file: &'a str,
    pub(super) account_id: &'a str,
    pub(super) interface_id: &'a str,
    pub(super) start: Option<Seconds>,
    pub(super) end: Option<Seconds>,
    pub(super) srcaddr: IpAddr,
    pub(super) dstaddr: IpAddr,
    pub(super) pkt_srcaddr: Option<IpAddr>,
    pub(super) pkt_dstaddr: Option<IpAddr>,
    pub(super) srcport: u16,
    pub(super) dstport: u16,
    pub(super) protocol: u8,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) action: Action,
    pub(super) tcp_flags: Option<u8>,
    pub(super) rules_since: Option<Seconds>,
    pub(super) group_ids: &'a [String],
    pub(super) direction: &'a str,
    pub(super) peer: IpAddr,
    pub(super) outcome: &'a str,
    pub(super) role: &'a str,
    pub(super) basis: &'a str,
    pub(super) rules: &'a [&'a str],
    pub(super) cause: &'a str,
    pub(super) denied_by: &'a [&'a str],
    pub(super) drift: &'a str,
}

/// Rows that are packed together.
const MOST_ROWS: usize = 8192;
/// Or so many bytes of lists: hundreds of rules may let one record through.
const MOST_LISTED: usize = 4 << 20;

type Words = StringDictionaryBuilder<Int32Type>;
type Lists = ListBuilder<StringBuilder>;

/// Rows that are not written yet.
pub(super) struct Rows {
    schema: SchemaRef,
    count: usize,
    /// Bytes of text in lists, which repeat themselves from row to row.
    listed: usize,
    words: [Words; 10],
    times: [TimestampMillisecondBuilder; 3],
    texts: [StringBuilder; 5],
    ints: [Int32Builder; 4],
    big: [Int64Builder; 2],
    lists: [Lists; 3],
}

impl Rows {
    pub(super) fn new(schema: SchemaRef) -> Self {
        let lists = || ListBuilder::new(StringBuilder::new()).with_field(Arc::new(item()));
        Self {
            schema,
            count: 0,
            listed: 0,
            words: std::array::from_fn(|_| Words::new()),
            times: std::array::from_fn(|_| TimestampMillisecondBuilder::new().with_timezone("UTC")),
            texts: std::array::from_fn(|_| StringBuilder::new()),
            ints: std::array::from_fn(|_| Int32Builder::new()),
            big: std::array::from_fn(|_| Int64Builder::new()),
            lists: std::array::from_fn(|_| lists()),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether there is enough to be packed.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MOST_ROWS || self.listed >= MOST_LISTED
    }

    pub(super) fn push(&mut self, row: &Row<'_>) {
        self.count += 1;
        let action = match row.action {
            Action::Accept => "ACCEPT",
            Action::Reject => "REJECT",
        };
        let words = [
            row.log_file,
            row.account_id,
            row.interface_id,
            action,
            row.direction,
            row.outcome,
            row.role,
            row.basis,
            row.cause,
            row.drift,
        ];
        for (at, (builder, word)) in self.words.iter_mut().zip(words).enumerate() {
            // A file or an interface of no name has that name.
            builder.append_option(Some(word).filter(|word| !word.is_empty() || matches!(at, 0 | 2)));
        }
        let millis = |time: Option<Seconds>| time.map(|time| time.saturating_mul(1000));
        for (builder, time) in self.times.iter_mut().zip([row.start, row.end, row.rules_since]) {
            builder.append_option(millis(time));
        }
        let addresses =
            [Some(row.srcaddr), Some(row.dstaddr), row.pkt_srcaddr, row.pkt_dstaddr, Some(row.peer)];
        for (builder, address) in self.texts.iter_mut().zip(addresses) {
            match address {
                None => builder.append_null(),
                Some(address) => {
                    // Writing into it cannot fail; what is written is the value.
                    let _ = write!(builder, "{address}");
                    builder.append_value("");
                }
            }
        }
        let ints = [
            Some(i32::from(row.srcport)),
            Some(i32::from(row.dstport)),
            Some(i32::from(row.protocol)),
            row.tcp_flags.map(i32::from),
        ];
        for (builder, int) in self.ints.iter_mut().zip(ints) {
            builder.append_option(int);
        }
        for (builder, number) in self.big.iter_mut().zip([row.packets, row.bytes]) {
            builder.append_value(i64::try_from(number).unwrap_or(i64::MAX));
        }
        let lengths = row.rules.iter().chain(row.denied_by).map(|key| key.len());
        self.listed += lengths.chain(row.group_ids.iter().map(String::len)).sum::<usize>();
        row.group_ids.iter().for_each(|id| self.lists[0].values().append_value(id));
        row.rules.iter().for_each(|key| self.lists[1].values().append_value(key));
        row.denied_by.iter().for_each(|key| self.lists[2].values().append_value(key));
        self.lists.iter_mut().for_each(|list| list.append(true));
    }

    /// What there is, in the order of the columns; then there is nothing.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.count, self.listed) = (0, 0);
        let mut words = self.words.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let mut times = self.times.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let mut texts = self.texts.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let mut ints = self.ints.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let mut big = self.big.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let mut lists = self.lists.iter_mut().map(|it| Arc::new(it.finish()) as ArrayRef);
        let columns = COLUMNS.iter().filter_map(|column| match column.kind {
            Kind::Word => words.next(),
            Kind::Timestamp => times.next(),
            Kind::Text => texts.next(),
            Kind::Int => ints.next(),
            Kind::BigInt => big.next(),
            Kind::Words => lists.next(),
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
    }
}
