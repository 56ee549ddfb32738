//! The same records in every container.

use crate::fixture::{HEADER, gzip, text};
use crate::parquet_log::parquet;

fn events(rows: &[String]) -> String {
    let event = |row: &String| format!(r#"{{"logStreamName":"s","timestamp":1,"message":"{row}"}}"#);
    let events: Vec<String> = rows.iter().map(event).collect();
    format!(r#"{{"events":[{}],"searchedLogStreams":[]}}"#, events.join(","))
}

fn subscription(rows: &[String]) -> String {
    let batch = |rows: &[String]| {
        let events: Vec<String> =
            rows.iter().map(|row| format!(r#"{{"id":"1","timestamp":1,"message":"{row}"}}"#)).collect();
        format!(r#"{{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{}]}}"#, events.join(","))
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    let control =
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE"}]}"#;
    [control.to_owned(), batch(first), batch(second)].concat()
}

fn athena(rows: &[String]) -> String {
    let quoted = |line: &str, null: &str| {
        let cells = line.split_whitespace();
        let cells = cells.map(|cell| if cell == null { String::new() } else { format!("\"{cell}\"") });
        cells.collect::<Vec<_>>().join(",") + "\n"
    };
    quoted(&HEADER.replace('-', "_"), "") + &rows.iter().map(|row| quoted(row, "-")).collect::<String>()
}

fn insights(rows: &[String]) -> String {
    let row = |row: &String| format!("2026-01-01 00:00:00.000,{row}\n");
    "@timestamp,@message\n".to_owned() + &rows.iter().map(row).collect::<String>()
}

/// The rows in every container, by name.
pub(crate) fn every_container(rows: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let text = text(rows);
    let exported: String = rows.iter().map(|row| format!("2026-01-01T00:00:00.000Z {row}\n")).collect();
    let firehose: String = rows.iter().map(|row| format!("{{\"message\":\"{row}\"}}\n")).collect();
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    vec![
        ("text", text.clone().into_bytes()),
        ("text without a header", rows.join("\n").into_bytes()),
        ("text with Windows line ends", text.replace('\n', "\r\n").into_bytes()),
        ("text with a byte-order mark", format!("\u{feff}{text}").into_bytes()),
        ("gzip", gzip(text.as_bytes())),
        ("gzip of two members", [gzip(first), gzip(second)].concat()),
        ("Parquet", parquet(rows)),
        ("CloudWatch export", gzip(exported.as_bytes())),
        ("CloudWatch events", events(rows).into_bytes()),
        ("CloudWatch subscription", gzip(subscription(rows).as_bytes())),
        ("Firehose", firehose.clone().into_bytes()),
        ("Firehose without newlines", firehose.replace('\n', "").into_bytes()),
        ("Athena", athena(rows).into_bytes()),
        ("Logs Insights", insights(rows).into_bytes()),
    ]
}
