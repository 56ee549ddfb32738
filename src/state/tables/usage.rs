//! Credits of decided and undecided records, records that wait for the whole input, and what may decide them.

use std::io::Write;

use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words::Words;
use super::{Loading, Names};
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use crate::flow::Direction;
use crate::tally::waiting::{End, Ports, ServiceKey, ServiceRow, WaitingKey, WaitingRow};
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
    write_services(tally, names, sheet)
}

fn write_waiting<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut waiting: Vec<_> = tally.waiting.rows().collect();
    waiting.sort_by_cached_key(|WaitingRow { key, local, remote, higher, .. }| {
        let sets = (names.set(key.forward), names.set(key.reply));
        let ports = (*local, *remote, *higher);
        (names.interface(key.interface), key.protocol, key.direction, ports, sets, key.exposure)
    });
    for WaitingRow { key, local, remote, higher, bounds, credit } in &waiting {
        let row = sheet.row("waiting")?.text(Text::Interface, names.interface(key.interface));
        row.number(Number::Protocol, key.protocol)
            .text(Text::Direction, key.direction.word())
            .number(Number::Port, local.from)
            .number_if(Number::PortTo, other_end(*local))
            .number(Number::RemotePort, remote.from)
            .number_if(Number::RemotePortTo, other_end(*remote))
            .text(Text::Kind, higher.word())
            .number(Number::Level, bounds.0)
            .number(Number::Rung, bounds.1)
            .number(Number::Forward, names.set(key.forward))
            .number(Number::Reply, names.set(key.reply))
            .text(Text::Exposure, names.exposure(key.exposure.0))
            .text(Text::RemoteExposure, names.exposure(key.exposure.1))
            .credit(credit);
    }
    Ok(())
}

fn write_services<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut services: Vec<_> = tally.waiting.services().collect();
    services.sort_by_cached_key(|ServiceRow { key, .. }| {
        (names.interface(key.interface), key.protocol, key.end, key.port)
    });
    for ServiceRow { key, ports, bounds, records } in &services {
        let row = sheet.row("service")?.text(Text::Interface, names.interface(key.interface));
        row.number(Number::Protocol, key.protocol)
            .text(Text::Kind, key.end.word())
            .number(Number::Port, ports.from)
            .number_if(Number::PortTo, other_end(*ports))
            .number(Number::Level, bounds.0)
            .number(Number::Rung, bounds.1)
            .count(Count::Records, *records);
    }
    Ok(())
}

/// The last of some ports, if it is not the first as well.
pub(super) fn other_end(ports: Ports) -> Option<i64> {
    (ports.from != ports.to).then_some(ports.to.into())
}

/// First and last port; the last is left out where it is the first.
pub(super) fn ports(row: Row<'_>, from: Number, to: Number) -> Result<Ports, String> {
    let from: u16 = row.number(from)?;
    let to = if row.number_if(to).is_some() { row.number(to)? } else { from };
    Ok(Ports { from, to })
}

pub(super) fn bounds(row: Row<'_>) -> Result<(u8, u8), String> {
    Ok((row.number(Number::Level)?, row.number(Number::Rung)?))
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
        let local = ports(row, Number::Port, Number::PortTo)?;
        let remote = ports(row, Number::RemotePort, Number::RemotePortTo)?;
        let key = WaitingKey {
            interface: self.slot(row)?,
            protocol: row.number(Number::Protocol)?,
            direction: word::<Direction>(row, Text::Direction)?,
            local: local.from,
            remote: remote.from,
            forward: self.set_of(row, Number::Forward)?,
            reply: self.set_of(row, Number::Reply)?,
            exposure: (self.exposure(row, Text::Exposure)?, self.exposure(row, Text::RemoteExposure)?),
        };
        let higher = word::<End>(row, Text::Kind)?;
        let kept = WaitingRow { key, local, remote, higher, bounds: bounds(row)?, credit: row.credit()? };
        self.tally().waiting.restore(&kept).ok_or_else(|| misfit(local))
    }

    pub(super) fn service(&mut self, row: Row<'_>) -> Result<(), String> {
        let ports = ports(row, Number::Port, Number::PortTo)?;
        let key = ServiceKey {
            interface: self.slot(row)?,
            protocol: row.number(Number::Protocol)?,
            port: ports.from,
            end: word::<End>(row, Text::Kind)?,
        };
        let kept = ServiceRow { key, ports, bounds: bounds(row)?, records: row.records(Count::Records)? };
        self.tally().waiting.restore_service(&kept).ok_or_else(|| misfit(ports))
    }

    /// Sets keep their numbers; those of the table are checked when all rows are in.
    pub(super) fn set_of(&self, row: Row<'_>, column: Number) -> Result<SetId, String> {
        let number: u32 = row.number(column)?;
        if number as usize > self.rules.sets() {
            return Err(format!("set {number} is not in the table of sets"));
        }
        Ok(SetId(number))
    }
}

fn misfit(ports: Ports) -> String {
    format!("ports {} to {} do not fit the other rows", ports.from, ports.to)
}

pub(super) fn word<T: Words>(row: Row<'_>, column: Text) -> Result<T, String> {
    T::of(row.text(column)?).ok_or_else(|| row.unknown(column))
}
