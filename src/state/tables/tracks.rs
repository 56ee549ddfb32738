//! On which days, at which ports and from which peers sets of rules were used, and what came on which day.

use std::io::Write;

use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words::Words;
use super::usage::{bounds, other_end, ports, word};
use super::{Loading, Names};
use crate::attribution::judge::Role;
use crate::rules::parse_net;
use crate::tally::Tally;
use crate::tally::tracks::days::{Day, Resolution, Volume};
use crate::tally::tracks::seen::{Answer, Range};
use crate::tally::tracks::{SeenRow, TrackKey};
use crate::tally::waiting::Ports;

/// The calendar comes first: it says how long the days of the tracks are.
pub(super) fn write<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let calendar = &tally.tracks.calendar;
    let resolution = calendar.resolution();
    for (day, volume) in calendar.iter() {
        let row = sheet.row("volume")?.number(Number::At, resolution.start(day));
        row.number(Number::Seconds, resolution.seconds())
            .count(Count::Records, volume.accepted)
            .count(Count::Rejected, volume.rejected)
            .count(Count::Bytes, volume.accepted_bytes);
    }
    let order = |key: &TrackKey| (names.set(key.set), key.role);
    let all = tally.tracks.days().flat_map(|(key, days)| days.iter().map(move |day| (key, day)));
    let mut days: Vec<(TrackKey, (Day, u64))> = all.collect();
    days.sort_by_key(|(key, (day, _))| (order(key), *day));
    for same in days.chunk_by(|(one, (day, _)), (next, (other, _))| one == next && day == other) {
        let records = same.iter().map(|(_, (_, records))| records).sum();
        for (key, (day, _)) in same.iter().take(1) {
            track(*key, "day", names, sheet)?
                .number(Number::At, resolution.start(*day))
                .count(Count::Records, records);
        }
    }
    let mut seen: Vec<SeenRow> = tally.tracks.seen().collect();
    seen.sort_by_key(|row| (order(&row.key), row.answer, row.seen));
    for SeenRow { key, answer, bounds, seen } in &seen {
        let row = track(*key, "seen", names, sheet)?.text(Text::Detail, answer.word());
        row.number(Number::Level, bounds.0)
            .number(Number::Rung, bounds.1)
            .number(Number::Protocol, seen.protocol)
            .number(Number::Port, seen.ports.0)
            .number_if(Number::PortTo, other_end(Ports { from: seen.ports.0, to: seen.ports.1 }))
            .text(Text::Peer, &seen.peers.to_string());
    }
    Ok(())
}

fn track<'s, W: Write + Send>(
    key: TrackKey,
    table: &'static str,
    names: &Names,
    sheet: &'s mut Sheet<W>,
) -> Result<&'s mut Sheet<W>, ParquetError> {
    let row = sheet.row(table)?.text(Text::Kind, key.role.word());
    Ok(row.number(Number::Forward, names.set(key.set)))
}

impl Loading {
    pub(super) fn volume(&mut self, row: Row<'_>) -> Result<(), String> {
        let seconds: i64 = row.number(Number::Seconds)?;
        let resolution = Resolution::of_seconds(seconds).ok_or("seconds: no unit of time is so long")?;
        let volume = Volume {
            accepted: row.records(Count::Records)?,
            rejected: row.records(Count::Rejected)?,
            accepted_bytes: row.count(Count::Bytes)?,
        };
        let day = day(row, resolution)?;
        let restored = self.tally().tracks.calendar.restore(resolution, day, volume);
        restored.ok_or_else(|| "at: does not fit the other units of time".to_owned())
    }

    pub(super) fn day(&mut self, row: Row<'_>) -> Result<(), String> {
        let key = self.track(row)?;
        let day = day(row, self.ledger.tally.tracks.calendar.resolution())?;
        let records = row.records(Count::Records)?;
        let restored = self.tally().tracks.restore_day(key, day, records);
        restored.ok_or_else(|| "reading: no rules".to_owned())
    }

    pub(super) fn seen(&mut self, row: Row<'_>) -> Result<(), String> {
        let answer = word::<Answer>(row, Text::Detail)?;
        let Ports { from, to } = ports(row, Number::Port, Number::PortTo)?;
        let peers = parse_net(row.text(Text::Peer)?).ok_or_else(|| row.unknown(Text::Peer))?;
        let seen = Range { protocol: row.number(Number::Protocol)?, ports: (from, to), peers };
        let row = SeenRow { key: self.track(row)?, answer, bounds: bounds(row)?, seen };
        let restored = self.tally().tracks.restore_seen(&row);
        restored.ok_or_else(|| format!("ports {from} to {to} of {peers} do not fit the other rows"))
    }

    fn track(&self, row: Row<'_>) -> Result<TrackKey, String> {
        Ok(TrackKey { set: self.set_of(row, Number::Forward)?, role: word::<Role>(row, Text::Kind)? })
    }
}

fn day(row: Row<'_>, resolution: Resolution) -> Result<Day, String> {
    let at = row.time_if(Number::At)?.ok_or("at: no value")?;
    let day = resolution.day(at);
    if resolution.start(day) == at { Ok(day) } else { Err(format!("at: no unit of time begins at {at}")) }
}
