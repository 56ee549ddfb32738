//! The columns of the table: their names and types, for Parquet and for those who declare tables by hand.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, of which few differ.
    Word,
    /// Text.
    Text,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    BigInt,
    /// Milliseconds since 1970, in UTC.
    Timestamp,
    /// A list of texts.
    Words,
}

/// Whether rows may be without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Always,
    Sometimes,
}
use Presence::{Always, Sometimes};

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, which is no reserved word of SQL.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    presence: Presence,
}

const fn column(name: &'static str, kind: Kind, presence: Presence) -> Column {
    Column { name, kind, presence }
}

/// All of them, in order.
pub const COLUMNS: [Column; 27] = [
    column("log_file", Kind::Word, Always),
    column("account_id", Kind::Word, Sometimes),
    column("interface_id", Kind::Word, Always),
    column("start_time", Kind::Timestamp, Sometimes),
    column("end_time", Kind::Timestamp, Sometimes),
    column("srcaddr", Kind::Text, Always),
    column("dstaddr", Kind::Text, Always),
    column("pkt_srcaddr", Kind::Text, Sometimes),
    column("pkt_dstaddr", Kind::Text, Sometimes),
    column("srcport", Kind::Int, Always),
    column("dstport", Kind::Int, Always),
    column("protocol", Kind::Int, Always),
    column("packets", Kind::BigInt, Always),
    column("bytes", Kind::BigInt, Always),
    column("action", Kind::Word, Always),
    column("tcp_flags", Kind::Int, Sometimes),
    column("rules_since", Kind::Timestamp, Sometimes),
    column("group_ids", Kind::Words, Always),
    column("direction", Kind::Word, Sometimes),
    column("peer", Kind::Text, Always),
    column("outcome", Kind::Word, Always),
    column("role", Kind::Word, Sometimes),
    column("basis", Kind::Word, Sometimes),
    column("rules", Kind::Words, Always),
    column("cause", Kind::Word, Sometimes),
    column("denied_by", Kind::Words, Always),
    column("drift", Kind::Word, Sometimes),
];

/// The item of a list, as Parquet names it.
pub(super) fn item() -> Field {
    Field::new("element", DataType::Utf8, false)
}

/// The same for Arrow.
pub(super) fn schema() -> Schema {
    let field = |Column { name, kind, presence }: &Column| {
        let data_type = match kind {
            Kind::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Kind::Text => DataType::Utf8,
            Kind::Int => DataType::Int32,
            Kind::BigInt => DataType::Int64,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Kind::Words => DataType::List(Arc::new(item())),
        };
        Field::new(*name, data_type, *presence == Sometimes)
    };
    Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>())
}

/// How Athena, Hive and Spark are told of the table.
pub fn ddl() -> String {
    let mut text = "CREATE EXTERNAL TABLE flowaudit_records (\n".to_owned();
    for (at, Column { name, kind, .. }) in COLUMNS.iter().enumerate() {
        let kind = match kind {
            Kind::Word | Kind::Text => "string",
            Kind::Int => "int",
            Kind::BigInt => "bigint",
            Kind::Timestamp => "timestamp",
            Kind::Words => "array<string>",
        };
        let end = if at + 1 < COLUMNS.len() { "," } else { "" };
        let _ = writeln!(text, "  {name} {kind}{end}");
    }
    text + ")\nSTORED AS PARQUET\nLOCATION 's3://my-bucket/flowaudit/';\n"
}
