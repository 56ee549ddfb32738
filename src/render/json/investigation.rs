//! `investigate --format json`: the same text as a plain serializer would write, its long lists by all threads.

use std::io::{self, Write};

use super::{field, list};
use crate::investigation::report::Investigation;

/// Writes the answer.
pub fn render(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let Investigation {
        schema_version,
        generator,
        window,
        sought,
        summary,
        findings,
        conversations,
        conversations_until,
        followed,
        touched,
        followed_until,
        contacts_left_out,
        records_not_read,
        coverage,
    } = report;
    write!(out, "{{")?;
    field(out, "\n", "schema_version", schema_version)?;
    field(out, ",\n", "generator", generator)?;
    field(out, ",\n", "window", window)?;
    field(out, ",\n", "sought", sought)?;
    field(out, ",\n", "summary", summary)?;
    list(out, "findings", findings)?;
    list(out, "conversations", conversations)?;
    field(out, ",\n", "conversations_until", conversations_until)?;
    field(out, ",\n", "followed", followed)?;
    field(out, ",\n", "touched", touched)?;
    field(out, ",\n", "followed_until", followed_until)?;
    field(out, ",\n", "contacts_left_out", contacts_left_out)?;
    field(out, ",\n", "records_not_read", records_not_read)?;
    field(out, ",\n", "coverage", coverage)?;
    out.write_all(b"\n}\n")
}
