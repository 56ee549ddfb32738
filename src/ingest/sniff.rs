//! What a file is, by its first bytes and never by its name.
//!
//! What is no flow log is refused by the name of what it seems to be, so that nobody has to open the file to find out.

use super::head::is_default_row;
use super::layout::{Layout, shown};
use super::{FileFailure, json_lines};
use crate::flow::Field;

/// The byte-order mark that some editors put in front of UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The container of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Space-separated rows.
    Text,
    /// Documents with events.
    Json,
    /// Records as objects, one a line.
    JsonLines,
    /// A table exported by Athena or Logs Insights.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Beginnings of what lies about and is no log.
const BINARIES: [(&[u8], &str); 13] = [
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it first"),
    (b"BZh", "bzip2 data; unpack it first"),
    (b"\xfd7zXZ", "xz data; unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
];

/// What begins with these bytes.
pub(super) fn kind(head: &[u8]) -> Result<Kind, FileFailure> {
    if head.starts_with(b"PAR1") {
        return Ok(Kind::Parquet);
    }
    if let Some((_, what)) = BINARIES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(FileFailure(format!("not a flow log: {what}")));
    }
    let text = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    if text.get(..512).unwrap_or(text).contains(&0) {
        return Err(FileFailure("not a flow log: binary data".to_owned()));
    }
    if json_lines::begin(head) {
        return Ok(Kind::JsonLines);
    }
    match text.first() {
        Some(b'{' | b'[') => return Ok(Kind::Json),
        Some(b'<') => return Err(FileFailure("not a flow log: XML or HTML".to_owned())),
        _ => {}
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    if delimiter(head) != b',' {
        return Ok(Kind::Csv);
    }
    if !line.starts_with(b"\"") && !line.contains(&b',') && line != b"@message" {
        return Ok(Kind::Text);
    }
    if Layout::from_header(line).is_some() || is_default_row(line) {
        return Ok(Kind::Text);
    }
    csv(line)
}

fn csv(line: &[u8]) -> Result<Kind, FileFailure> {
    let text = String::from_utf8_lossy(line);
    let mut names = text.split(',').map(|name| name.trim().trim_matches('"'));
    if names.any(is_column) {
        return Ok(Kind::Csv);
    }
    // Prose has commas too.
    if line.starts_with(b"\"") || !text.contains(", ") && !text.contains(' ') {
        return Err(FileFailure(format!("not a flow log: CSV without a flow-log column: {}", shown(line))));
    }
    Ok(Kind::Text)
}

/// What stands between the columns of a table, by its first line: a comma, or what SLS lets one choose in its place.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let text = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    let line = String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let known = |mark: char| {
        let names = line.split(mark).map(|name| name.trim().trim_matches('"'));
        names.filter(|name| Field::from_name(name).is_some()).count()
    };
    // Three names are no chance.
    [';', '|'].into_iter().find(|mark| known(*mark) >= 3).map_or(b',', |mark| mark as u8)
}

/// Whether a table with a column of this name may hold records.
fn is_column(name: &str) -> bool {
    is_message(name) || Field::from_name(name).is_some() || matches!(name, "class_uid" | "tgw_id")
}

/// Whether a column of this name holds whole rows.
pub(super) fn is_message(name: &str) -> bool {
    matches!(name.trim_start_matches('@'), "message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let cases: [(&[u8], Result<Kind, &str>); 17] = [
            (b"", Ok(Kind::Text)),
            (b"\n\n", Ok(Kind::Text)),
            (b"version account-id\n", Ok(Kind::Text)),
            (b"hello, world\n", Ok(Kind::Text)),
            (b"PAR1....", Ok(Kind::Parquet)),
            (b"{\"events\":[]}", Ok(Kind::Json)),
            (b"\xef\xbb\xbf [", Ok(Kind::Json)),
            (b"@timestamp,@message\n", Ok(Kind::Csv)),
            (b"@message\n", Ok(Kind::Csv)),
            (b"\"version\",\"account_id\"\n", Ok(Kind::Csv)),
            (b"interfaceId,srcAddr\n", Ok(Kind::Csv)),
            (b"id,name\n1,2\n", Err("CSV")),
            (b"\"id\"\n", Err("CSV")),
            (b"\x89PNG\r\n", Err("PNG")),
            (b"<html>", Err("HTML")),
            (b"a\0b", Err("binary")),
            (b"v\0e\0r\0", Err("binary")),
        ];
        for (head, expected) in cases {
            let shown = String::from_utf8_lossy(head);
            match (kind(head), expected) {
                (Ok(kind), Ok(expected)) => assert_eq!(kind, expected, "{shown}"),
                (Err(failure), Err(word)) => assert!(failure.0.contains(word), "{shown}: {failure}"),
                (found, _) => panic!("{shown}: {found:?}"),
            }
        }
    }
}
