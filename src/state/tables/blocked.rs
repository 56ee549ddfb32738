//! Refused records, and the peers of each row.

use std::io::Write;

use ipnet::IpNet;
use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words::Words;
use super::Names;
use crate::attribution::Cause;
use crate::flow::Direction;
use crate::rules::parse_net;
use crate::tally::Tally;
use crate::tally::blocked::{Blocked, BlockedKey, Row as BlockedRow};
use crate::tally::peers::{PeerTable, PeerUse};

const INTERNAL: &str = "internal";
const INTERNET: &str = "internet";

/// Rows are numbered, so that their peers can name them.
pub(super) fn write<W: Write + Send>(
    tally: &Tally,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut rows: Vec<_> = tally.blocked.rows().collect();
    rows.sort_by_cached_key(|(key, from, ..)| {
        (names.interface(key.interface), key.direction, key.protocol, key.cause, *from)
    });
    for (number, (key, from, to, row)) in (0_i64..).zip(&rows) {
        let sheet = sheet.row("blocked")?.number(Number::Index, number);
        sheet
            .text(Text::Interface, names.interface(key.interface))
            .text_if(Text::Direction, key.direction.map(Words::word))
            .number(Number::Protocol, key.protocol)
            .text(Text::Kind, key.cause.word())
            .number(Number::Port, *from)
            .number(Number::PortTo, *to)
            .number(Number::Level, tally.blocked.bounds(**key).0)
            .number(Number::Rung, tally.blocked.bounds(**key).1)
            .credit(&row.credit);
    }
    for (number, (.., row)) in (0_i64..).zip(&rows) {
        write_peers(number, INTERNAL, &row.internal, sheet)?;
        write_peers(number, INTERNET, &row.external, sheet)?;
    }
    Ok(())
}

fn write_peers<W: Write + Send>(
    number: i64,
    scope: &str,
    peers: &PeerTable,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let mut peers: Vec<(IpNet, PeerUse)> = peers.iter().collect();
    peers.sort_by_key(|(peer, _)| *peer);
    for (peer, uses) in peers {
        let row = sheet.row("peer")?.number(Number::Index, number).text(Text::Kind, scope);
        let row = if peer.prefix_len() == peer.max_prefix_len() {
            row.text(Text::Peer, &peer.addr().to_string())
        } else {
            row.text(Text::Peer, &peer.to_string())
        };
        row.count(Count::Records, uses.records).span(uses.span);
    }
    Ok(())
}

/// Rows by number, with the peers met so far.
#[derive(Debug, Default)]
pub(super) struct Loading(Vec<Restored>);

/// A row on its way back: its key, what bounds it, its ports.
type Restored = (BlockedKey, (u8, u8), (u16, u16), BlockedRow);

impl Loading {
    pub(super) fn peer(&mut self, row: Row<'_>) -> Result<(), String> {
        let number: u32 = row.number(Number::Index)?;
        let found = self.0.get_mut(number as usize);
        let (.., blocked) =
            found.ok_or_else(|| format!("row {number} is not in the table of blocked records"))?;
        let peers = match row.text(Text::Kind)? {
            INTERNAL => &mut blocked.internal,
            INTERNET => &mut blocked.external,
            _ => return Err(row.unknown(Text::Kind)),
        };
        let peer = parse_net(row.text(Text::Peer)?).ok_or_else(|| row.unknown(Text::Peer))?;
        let uses = PeerUse { records: row.records(Count::Records)?, span: row.span()? };
        peers
            .restore(peer, uses)
            .ok_or_else(|| format!("peer: {peer} does not fit the other peers of its row"))
    }

    /// Puts every row in its place.
    pub(super) fn finish(&mut self, blocked: &mut Blocked) -> Result<(), String> {
        for (key, bounds, (from, to), row) in std::mem::take(&mut self.0) {
            let misfit = || format!("table blocked: ports {from} to {to} do not fit the other rows");
            blocked.restore(key, bounds, (from, to), row).ok_or_else(misfit)?;
        }
        Ok(())
    }
}

impl super::Loading {
    pub(super) fn blocked(&mut self, row: Row<'_>) -> Result<(), String> {
        let direction = match row.text_if(Text::Direction) {
            None => None,
            Some(word) => Some(Direction::of(word).ok_or_else(|| row.unknown(Text::Direction))?),
        };
        let key = BlockedKey {
            interface: self.slot(row)?,
            direction,
            protocol: row.number(Number::Protocol)?,
            cause: Cause::of(row.text(Text::Kind)?).ok_or_else(|| row.unknown(Text::Kind))?,
        };
        let number: u32 = row.number(Number::Index)?;
        if number as usize != self.blocked.0.len() {
            return Err(format!("number: {number} is out of order"));
        }
        let refused = BlockedRow { credit: row.credit()?, ..BlockedRow::default() };
        let bounds = (row.number(Number::Level)?, row.number(Number::Rung)?);
        let ports = (row.number(Number::Port)?, row.number(Number::PortTo)?);
        self.blocked.0.push((key, bounds, ports, refused));
        Ok(())
    }
}
