//! `--format json`: the whole report, stable key order, one trailing newline.
//!
//! Nearly all of it is in a few long lists. Their elements are turned into text by all threads, piece by piece, and only
//! a few pieces are there at a time.

mod indented;
pub mod investigation;

use std::io::{self, Write};

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Serializer;

use crate::report::Report;
use crate::report::series::TimeSeries;
use indented::Indented;

/// Elements of a piece.
const PIECE: usize = 64;
/// Pieces that are made while those before them are written.
const PIECES: usize = 16;

/// Writes the report.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Report {
        schema_version,
        generator,
        window,
        coverage,
        rules,
        blocked,
        blocked_summary,
        findings,
        removal_set,
        narrower: _,
        owners: _,
        time_series,
        suppressed,
        known,
    } = report;
    write!(out, "{{")?;
    field(out, "\n", "schema_version", schema_version)?;
    field(out, ",\n", "generator", generator)?;
    field(out, ",\n", "window", window)?;
    field(out, ",\n", "coverage", coverage)?;
    list(out, "rules", rules)?;
    list(out, "blocked", blocked)?;
    field(out, ",\n", "blocked_summary", blocked_summary)?;
    list(out, "findings", findings)?;
    field(out, ",\n", "removal_set", removal_set)?;
    series(out, time_series)?;
    field(out, ",\n", "suppressed", suppressed)?;
    field(out, ",\n", "known", known)?;
    out.write_all(b"\n}\n")
}

/// A unit of time, and a rule, to a line: there are many numbers.
fn series(out: &mut dyn Write, TimeSeries { unit_days, days, rules }: &TimeSeries) -> io::Result<()> {
    write!(out, ",\n  \"time_series\": {{\n    \"unit_days\": {unit_days},\n    \"days\": [")?;
    lines(out, days)?;
    write!(out, ",\n    \"rules\": [")?;
    lines(out, rules)?;
    write!(out, "\n  }}")
}

fn lines<T: Serialize>(out: &mut dyn Write, items: &[T]) -> io::Result<()> {
    for (at, item) in items.iter().enumerate() {
        out.write_all(if at == 0 { b"\n      " } else { b",\n      " })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    out.write_all(if items.is_empty() { b"]" } else { b"\n    ]" })
}

fn field(out: &mut dyn Write, before: &str, name: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "{before}  \"{name}\": ")?;
    element(out, 1, value)
}

fn list<T: Serialize + Sync>(out: &mut dyn Write, name: &str, items: &[T]) -> io::Result<()> {
    write!(out, ",\n  \"{name}\": [")?;
    let mut before = "\n";
    let mut made: io::Result<Vec<Vec<u8>>> = Ok(Vec::new());
    for some in items.chunks(PIECE * PIECES) {
        let ready = std::mem::replace(&mut made, Ok(Vec::new()))?;
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| made = some.par_chunks(PIECE).map(piece).collect());
            write_pieces(out, &mut before, &ready)
        })?;
    }
    write_pieces(out, &mut before, &made?)?;
    out.write_all(if items.is_empty() { b"]" } else { b"\n  ]" })
}

fn write_pieces(out: &mut dyn Write, before: &mut &str, pieces: &[Vec<u8>]) -> io::Result<()> {
    for piece in pieces {
        out.write_all(std::mem::replace(before, ",\n").as_bytes())?;
        out.write_all(piece)?;
    }
    Ok(())
}

/// Some elements of a list, without what stands before the first and after the last.
fn piece<T: Serialize>(items: &[T]) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(1 << 17);
    for (at, item) in items.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"    " } else { b",\n    " });
        element(&mut text, 2, item)?;
    }
    Ok(text)
}

/// A value that stands so many levels deep.
fn element(out: impl Write, depth: usize, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Indented::at(depth)))?;
    Ok(())
}

#[cfg(test)]
mod tests;
