//! What the first lines of a text file say about all of it: its layout, and whether rows have a time in front.
//!
//! A header line decides, then `--fields`, then whether rows can only be of the default format. Rows before the first
//! line of a layout have none.

use super::layout::{Layout, shown, tokens};
use super::stream::PEEK;
use super::{FileFailure, ReadOptions, sniff};

/// What the beginning of a file says about all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) layout: Layout,
    /// Whether rows have a time in front, as `CloudWatch` Logs exports them.
    pub(super) timed: bool,
    /// Where the first line stands that has this layout.
    pub(super) from: u64,
}

/// Lines that are looked at before giving up.
const HEAD_LINES: usize = 32;

/// Finds the layout in the beginning of a file.
pub(super) fn find(bytes: &[u8], options: &ReadOptions) -> Result<Head, FileFailure> {
    let mut from = 0;
    let mut first = None;
    let mut seen = 0;
    while from < bytes.len() && seen < HEAD_LINES {
        let rest = &bytes[from..];
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        let line = without_mark(&rest[..length], from as u64);
        if tokens(line).next().is_some() {
            seen += 1;
            first.get_or_insert(line);
            let whole = from + length < bytes.len() || bytes.len() < PEEK || line.ends_with(b"\n");
            if let Some(head) = head_of(line, from as u64, options)?.filter(|_| whole) {
                return Ok(head);
            }
        }
        from += length;
    }
    match first {
        // Only blank lines so far: what comes later is judged when it comes.
        None => Ok(Head {
            layout: options.fields.clone().unwrap_or_else(Layout::default_format),
            timed: false,
            from: 0,
        }),
        Some(line) => Err(no_layout(line, options)),
    }
}

fn head_of(line: &[u8], from: u64, options: &ReadOptions) -> Result<Option<Head>, FileFailure> {
    if let Some(layout) = Layout::from_header(line) {
        layout.check()?;
        return Ok(Some(Head { layout, timed: false, from }));
    }
    let row = without_time(line);
    let timed = row.len() != line.len();
    if let Some(layout) =
        options.fields.as_ref().filter(|layout| tokens(row).count() == layout.columns().len())
    {
        layout.check()?;
        return Ok(Some(Head { layout: layout.clone(), timed, from: 0 }));
    }
    Ok(is_default_row(row).then(|| Head { layout: Layout::default_format(), timed, from }))
}

/// Whether this can only be a row of the default format, be its values good or bad.
pub(super) fn is_default_row(row: &[u8]) -> bool {
    let columns: Vec<&[u8]> = tokens(row).take(15).collect();
    let number = |column: &[u8]| column == b"-" || column.iter().all(u8::is_ascii_digit);
    columns.len() == 14
        && columns[0].len() <= 2
        && number(columns[0])
        && columns[4..12].iter().filter(|column| number(column)).count() >= 6
        && matches!(columns[13], b"OK" | b"NODATA" | b"SKIPDATA")
}

fn no_layout(line: &[u8], options: &ReadOptions) -> FileFailure {
    let row = without_time(line);
    let found = shown(line);
    if tokens(row).any(|word| matches!(word, b"TransitGateway" | b"TransitGatewayAttachment")) {
        return FileFailure("cannot be joined to rules: a transit gateway flow log".to_owned());
    }
    let count = tokens(row).count();
    if let Some(fields) = &options.fields {
        let named = fields.columns().len();
        return FileFailure(format!(
            "no header line, and rows of {count} columns where --fields names {named}: {found}"
        ));
    }
    if count > 3
        && tokens(row).any(|word| matches!(word, b"OK" | b"NODATA" | b"SKIPDATA" | b"ACCEPT" | b"REJECT"))
    {
        return FileFailure(format!(
            "no header line says what the {count} columns are; give --fields '${{version}} …': {found}"
        ));
    }
    FileFailure(format!(
        "not a flow log: no header line, nor rows of the default format (if it is one, give --fields \
         '${{version}} …'): {found}"
    ))
}

/// The row behind the time that `CloudWatch` Logs puts in front of it on export.
pub(super) fn without_time(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    let Some((date, _)) = line.split_at_checked(20) else { return line };
    let is_time =
        date[4] == b'-' && date[7] == b'-' && date[10] == b'T' && date[13] == b':' && date[16] == b':';
    if !is_time || !date[..4].iter().all(u8::is_ascii_digit) {
        return line;
    }
    let end = line.iter().position(|byte| *byte <= b' ').unwrap_or(line.len());
    line[end..].trim_ascii_start()
}

/// The line at this offset without the mark that may stand at the start of a file.
#[inline]
pub(super) fn without_mark(line: &[u8], offset: u64) -> &[u8] {
    if offset == 0 { line.strip_prefix(sniff::BOM).unwrap_or(line) } else { line }
}
