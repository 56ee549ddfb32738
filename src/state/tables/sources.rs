//! Log files, what was wrong with them, and the flow logs that delivered them.

use std::io::Write;

use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words;
use super::Loading;
use crate::ingest::Place;
use crate::ledger::{Identity, Input, Ledger, NamedFault, Reading};
use crate::report::Failure;

pub(super) fn write<W: Write + Send>(ledger: &Ledger, sheet: &mut Sheet<W>) -> Result<(), ParquetError> {
    for input in &ledger.inputs {
        let reading = match input.reading {
            Reading::Whole => "whole",
            Reading::Failed => "failed",
        };
        let row = sheet.row("input")?.text(Text::Name, &input.name).text(Text::Kind, reading);
        if let Some(identity) = &input.identity {
            row.text(Text::Path, &identity.path)
                .count(Count::Bytes, identity.bytes)
                .number(Number::Modified, identity.modified)
                .text_if(Text::Etag, identity.etag.as_deref());
        }
    }
    for failure in &ledger.failures {
        sheet.row("failure")?.text(Text::Name, &failure.file).text(Text::Detail, &failure.error);
    }
    for (fault, NamedFault { count, first }) in &ledger.faults {
        let (unit, place) = match first.1 {
            Place::Line(line) => ("line", line),
            Place::Row(row) => ("row", row),
        };
        sheet
            .row("fault")?
            .text(Text::Kind, &fault.to_string())
            .count(Count::Records, *count)
            .text(Text::Name, &first.0)
            .text(Text::Detail, unit)
            .number(Number::Index, i64::try_from(place).unwrap_or(i64::MAX));
    }
    for id in ledger.flow_logs.ids() {
        sheet.row("flow_log")?.text(Text::Name, id);
    }
    Ok(())
}

impl Loading {
    pub(super) fn input(&mut self, row: Row<'_>) -> Result<(), String> {
        let identity = match row.text_if(Text::Path) {
            None => None,
            Some(path) => Some(Identity {
                path: path.to_owned(),
                bytes: row.count(Count::Bytes)?,
                modified: row.number(Number::Modified)?,
                etag: row.text_if(Text::Etag).map(str::to_owned),
            }),
        };
        let reading = match row.text(Text::Kind)? {
            "whole" => Reading::Whole,
            "failed" => Reading::Failed,
            _ => return Err(row.unknown(Text::Kind)),
        };
        let name = row.text(Text::Name)?.to_owned();
        self.ledger.inputs.push(Input { name, identity, reading });
        Ok(())
    }

    pub(super) fn failure(&mut self, row: Row<'_>) -> Result<(), String> {
        let (file, error) = (row.text(Text::Name)?.to_owned(), row.text(Text::Detail)?.to_owned());
        self.ledger.failures.insert(Failure { file, error });
        Ok(())
    }

    pub(super) fn fault(&mut self, row: Row<'_>) -> Result<(), String> {
        let fault = words::fault(row.text(Text::Kind)?).ok_or_else(|| row.unknown(Text::Kind))?;
        let number = row.number(Number::Index)?;
        let place = match row.text(Text::Detail)? {
            "line" => Place::Line(number),
            "row" => Place::Row(number),
            _ => return Err(row.unknown(Text::Detail)),
        };
        let first = (row.text(Text::Name)?.to_owned(), place);
        self.ledger.faults.insert(fault, NamedFault { count: row.records(Count::Records)?, first });
        Ok(())
    }

    pub(super) fn flow_log(&mut self, row: Row<'_>) -> Result<(), String> {
        let id = row.text(Text::Name)?;
        self.ledger.flow_logs.push(id).ok_or_else(|| format!("name: \"{id}\" is out of order"))
    }
}
