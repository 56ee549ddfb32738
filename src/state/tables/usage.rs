//! Credits of decided and undecided records, records that wait for the whole input, and what may decide them.

use std::io::Write;

use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words::Words;
use super::{Loading, Names};
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use crate::flow::Direction;
use crate::tally::waiting::{End, ServiceKey, WaitingKey};
use crate::tally::{Tally, UsageKey};

pub(super) fn write<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut usage: Vec<_> = tally.usage.iter().collect();
    usage.sort_by_cached_key(|(key, _)| {
        let sets = (names.set(key.forward), names.set(key.reply));
        (names.interface(key.interface), key.role, sets, key.exposure)
    });
    for (key, credit) in usage {
        let row = sheet.row("usage")?.text(Text::Interface, names.interface(key.interface));
        row.text(Text::Kind, key.role.word())
            .number(Number::Forward, names.set(key.forward))
            .number(Number::Reply, names.set(key.reply))
            .text(Text::Exposure, names.exposure(key.exposure))
            .credit(credit);
    }
    write_waiting(tally, names, sheet)?;
    let mut services: Vec<_> = tally.services.iter().collect();
    services.sort_by_cached_key(|(key, _)| (names.interface(key.interface), key.protocol, key.end, key.port));
    for (key, records) in services {
        let row = sheet.row("service")?.text(Text::Interface, names.interface(key.interface));
        row.number(Number::Protocol, key.protocol)
            .text(Text::Kind, key.end.word())
            .number(Number::Port, key.port)
            .count(Count::Records, *records);
    }
    Ok(())
}

fn write_waiting<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut waiting: Vec<_> = tally.waiting.iter().collect();
    waiting.sort_by_cached_key(|(key, _)| {
        let ports = (key.local, key.remote);
        let sets = (names.set(key.forward), names.set(key.reply));
        (names.interface(key.interface), key.protocol, key.direction, ports, sets, key.exposure)
    });
    for (key, credit) in waiting {
        let row = sheet.row("waiting")?.text(Text::Interface, names.interface(key.interface));
        row.number(Number::Protocol, key.protocol)
            .text(Text::Direction, key.direction.word())
            .number(Number::Port, key.local)
            .number(Number::RemotePort, key.remote)
            .number(Number::Forward, names.set(key.forward))
            .number(Number::Reply, names.set(key.reply))
            .text(Text::Exposure, names.exposure(key.exposure.0))
            .text(Text::RemoteExposure, names.exposure(key.exposure.1))
            .credit(credit);
    }
    Ok(())
}

impl Loading {
    pub(super) fn usage(&mut self, row: Row<'_>) -> Result<(), String> {
        let key = UsageKey {
            interface: self.slot(row)?,
            role: word::<Role>(row, Text::Kind)?,
            forward: self.set_of(row, Number::Forward)?,
            reply: self.set_of(row, Number::Reply)?,
            exposure: self.exposure(row, Text::Exposure)?,
        };
        let credit = row.credit()?;
        self.tally().usage.entry(key).or_default().merge(&credit);
        Ok(())
    }

    pub(super) fn waiting(&mut self, row: Row<'_>) -> Result<(), String> {
        let key = WaitingKey {
            interface: self.slot(row)?,
            protocol: row.number(Number::Protocol)?,
            direction: word::<Direction>(row, Text::Direction)?,
            local: row.number(Number::Port)?,
            remote: row.number(Number::RemotePort)?,
            forward: self.set_of(row, Number::Forward)?,
            reply: self.set_of(row, Number::Reply)?,
            exposure: (self.exposure(row, Text::Exposure)?, self.exposure(row, Text::RemoteExposure)?),
        };
        let credit = row.credit()?;
        self.tally().waiting.entry(key).or_default().merge(&credit);
        Ok(())
    }

    pub(super) fn service(&mut self, row: Row<'_>) -> Result<(), String> {
        let key = ServiceKey {
            interface: self.slot(row)?,
            protocol: row.number(Number::Protocol)?,
            port: row.number(Number::Port)?,
            end: word::<End>(row, Text::Kind)?,
        };
        *self.tally().services.entry(key).or_default() += row.records(Count::Records)?;
        Ok(())
    }

    /// Sets keep their numbers; those of the table are checked when all rows are in.
    fn set_of(&self, row: Row<'_>, column: Number) -> Result<SetId, String> {
        let number: u32 = row.number(column)?;
        if number as usize > self.rules.sets() {
            return Err(format!("set {number} is not in the table of sets"));
        }
        Ok(SetId(number))
    }
}

fn word<T: Words>(row: Row<'_>, column: Text) -> Result<T, String> {
    T::of(row.text(column)?).ok_or_else(|| row.unknown(column))
}
