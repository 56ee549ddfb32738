//! The rows of a row group, straight from its pages: nearly all of them by [`Sink::v4`].
//!
//! Pages of the kinds that flow logs come in are read here. Whatever else there is, and all damage, is left to the slow
//! reading in [`super`], from the row on where it starts.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::Finite;
use super::codes::{self, Role, SLOW};
use super::column::{BLOCK, Cell, Column, Physical, Space};
use super::pages::{Pages, Presence};
use crate::flow::field::FIELDS;
use crate::flow::{Field, InterfaceHandle, TCP, V4Flow, V4Record};
use crate::ingest::cells::{self, Cells, Number};
use crate::ingest::{Place, Sink, TOGETHER};

/// A row group whose columns can all be read here.
pub(super) struct RowGroup {
    columns: Vec<Column>,
    /// Which column a field has.
    by_field: [Option<usize>; FIELDS.len()],
    handles: Handles,
    rows: u64,
}

impl RowGroup {
    /// None: it is left to the slow reading.
    pub(super) fn open(
        file: &Arc<Finite>,
        metadata: &ArrowReaderMetadata,
        group: usize,
        fields: &[(usize, Field)],
        spaces: Vec<Space>,
    ) -> Option<Self> {
        let stored = metadata.metadata().row_groups().get(group)?;
        let rows = u64::try_from(stored.num_rows()).ok()?;
        let mut columns = Vec::with_capacity(fields.len());
        let mut by_field = [None; FIELDS.len()];
        let mut spaces = spaces.into_iter();
        for (leaf, field) in fields {
            let schema = metadata.parquet_schema();
            let data_type = metadata.schema().fields().get(schema.get_column_root_idx(*leaf))?.data_type();
            let physical = Physical::of(data_type)?;
            let presence = if schema.column(*leaf).max_def_level() == 0 {
                Presence::Required
            } else {
                Presence::Optional
            };
            let pages =
                Pages::new(file, stored.columns().get(*leaf)?, usize::try_from(rows).ok()?, presence)?;
            by_field[*field as usize] = Some(columns.len());
            columns.push(Column::new(physical, Role::of(*field), pages, spaces.next().unwrap_or_default()));
        }
        let group = Self { columns, by_field, handles: Handles::default(), rows };
        group.codes()?;
        Some(group)
    }

    /// Delivers rows and says every now and then how many it has delivered, which is also the answer. Those that are
    /// left then have to be read slowly.
    pub(super) fn read<S: Sink>(
        &mut self,
        before: u64,
        sink: &mut S,
        mut report: impl FnMut(u64, &mut S),
    ) -> u64 {
        const REPORTED: u64 = 8192;
        let (mut done, mut reported) = (0, 0);
        while done < self.rows {
            let Some(rows) = self.advance(self.rows - done) else { break };
            let mut handles = std::mem::take(&mut self.handles);
            self.deliver(rows, before + done, &mut handles, sink);
            self.handles = handles;
            done += rows as u64;
            if done - reported >= REPORTED {
                reported = done;
                report(done, sink);
            }
        }
        done
    }

    /// The space its columns take.
    pub(super) fn into_spaces(self) -> Vec<Space> {
        self.columns.into_iter().map(Column::into_space).collect()
    }

    /// Turns all columns to the next rows; how many.
    fn advance(&mut self, left: u64) -> Option<usize> {
        let mut rows = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        for column in &mut self.columns {
            rows = rows.min(column.available()?);
        }
        for column in &mut self.columns {
            column.advance(rows)?;
        }
        Some(rows)
    }

    fn column(&self, field: Field) -> Option<&Column> {
        self.columns.get(self.by_field[field as usize]?)
    }

    fn codes(&self) -> Option<Codes<'_>> {
        let codes = |field| match self.column(field) {
            Some(column) => Some(column.codes()),
            None => Role::of(field).without_column(),
        };
        Some(Codes {
            start: codes(Field::Start)?,
            end: codes(Field::End)?,
            packets: codes(Field::Packets)?,
            bytes: codes(Field::Bytes)?,
            srcaddr: codes(Field::Srcaddr)?,
            dstaddr: codes(Field::Dstaddr)?,
            pkt_srcaddr: codes(Field::PktSrcaddr)?,
            pkt_dstaddr: codes(Field::PktDstaddr)?,
            srcport: codes(Field::Srcport)?,
            dstport: codes(Field::Dstport)?,
            protocol: codes(Field::Protocol)?,
            action: codes(Field::Action)?,
            direction: codes(Field::FlowDirection)?,
            tcp_flags: codes(Field::TcpFlags)?,
            log_status: codes(Field::LogStatus)?,
            reject_reason: codes(Field::RejectReason)?,
        })
    }

    fn deliver<S: Sink>(&self, rows: usize, before: u64, handles: &mut Handles, sink: &mut S) {
        let (Some(codes), Some(interfaces)) = (self.codes(), self.column(Field::InterfaceId)) else { return };
        let mut records = [V4Record::BLANK; TOGETHER];
        let mut count = 0;
        for row in 0..rows.min(BLOCK) {
            if let Some(flow) = codes.flow(row)
                && let Some(interface) = handles.get(interfaces, row, sink)
            {
                records[count] = V4Record { interface, flow };
                count += 1;
                if count == TOGETHER {
                    sink.v4(&records);
                    count = 0;
                }
                continue;
            }
            sink.v4(&records[..count]);
            count = 0;
            match cells::flow(&SlowRow { group: self, row }) {
                Ok(flow) => sink.flow(&flow),
                Err(misread) => sink.fault(misread, Place::Row(before + row as u64 + 1)),
            }
        }
        sink.v4(&records[..count]);
    }
}

/// The columns of a block by what they are to a quick row.
struct Codes<'a> {
    start: &'a [u64; BLOCK],
    end: &'a [u64; BLOCK],
    packets: &'a [u64; BLOCK],
    bytes: &'a [u64; BLOCK],
    srcaddr: &'a [u64; BLOCK],
    dstaddr: &'a [u64; BLOCK],
    pkt_srcaddr: &'a [u64; BLOCK],
    pkt_dstaddr: &'a [u64; BLOCK],
    srcport: &'a [u64; BLOCK],
    dstport: &'a [u64; BLOCK],
    protocol: &'a [u64; BLOCK],
    action: &'a [u64; BLOCK],
    direction: &'a [u64; BLOCK],
    tcp_flags: &'a [u64; BLOCK],
    log_status: &'a [u64; BLOCK],
    reject_reason: &'a [u64; BLOCK],
}

impl Codes<'_> {
    /// The record of a row. None: [`cells::flow`] must look at it.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "codes are no larger than what they stand for")]
    fn flow(&self, row: usize) -> Option<V4Flow> {
        // The remainder is never another one: it only says so to the compiler.
        let row = row % BLOCK;
        let times = self.start[row] | self.end[row];
        let counts = self.packets[row] | self.bytes[row];
        let ends = self.srcaddr[row] | self.dstaddr[row] | self.srcport[row] | self.dstport[row];
        let packet = self.pkt_srcaddr[row] | self.pkt_dstaddr[row] | self.direction[row];
        let words = self.action[row] | self.log_status[row] | self.reject_reason[row];
        if (times | counts | ends | packet | words | self.protocol[row] | self.tcp_flags[row]) & SLOW != 0 {
            return None;
        }
        let protocol = self.protocol[row] as u8;
        Some(V4Flow {
            start: self.start[row].cast_signed(),
            end: self.end[row].cast_signed(),
            packets: self.packets[row],
            bytes: self.bytes[row],
            srcaddr: self.srcaddr[row] as u32,
            dstaddr: self.dstaddr[row] as u32,
            pkt_srcaddr: codes::packet_address(self.pkt_srcaddr[row]),
            pkt_dstaddr: codes::packet_address(self.pkt_dstaddr[row]),
            srcport: self.srcport[row] as u16,
            dstport: self.dstport[row] as u16,
            protocol,
            action: codes::action(self.action[row]),
            direction: codes::direction(self.direction[row]),
            tcp_flags: if protocol == TCP { codes::tcp_flags(self.tcp_flags[row]) } else { None },
        })
    }
}

/// What the sink calls the interfaces of the dictionary, asked once each, and only when a record is about to come.
#[derive(Debug, Default)]
struct Handles(Vec<Handle>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handle {
    NotAsked,
    /// Its records must come by [`Sink::flow`].
    Unnamed,
    Named(InterfaceHandle),
}

impl Handles {
    /// What the sink calls the interface of a row.
    #[inline]
    fn get<S: Sink>(&mut self, interfaces: &Column, row: usize, sink: &mut S) -> Option<InterfaceHandle> {
        let key = interfaces.key(row);
        match key.and_then(|key| self.0.get(key as usize)) {
            Some(Handle::Named(handle)) => Some(*handle),
            Some(Handle::Unnamed) => None,
            Some(Handle::NotAsked) | None => self.ask(interfaces, row, key, sink),
        }
    }

    #[inline(never)]
    fn ask<S: Sink>(
        &mut self,
        interfaces: &Column,
        row: usize,
        key: Option<u32>,
        sink: &mut S,
    ) -> Option<InterfaceHandle> {
        let handle = match interfaces.cell(row) {
            Cell::Text(id) => super::value(id).and_then(|id| sink.interface(id)),
            Cell::Absent | Cell::Number(_) => None,
        };
        if let Some(key) = key {
            if self.0.is_empty() {
                self.0.resize(interfaces.dictionary_len(), Handle::NotAsked);
            }
            if let Some(known) = self.0.get_mut(key as usize) {
                *known = handle.map_or(Handle::Unnamed, Handle::Named);
            }
        }
        handle
    }
}

/// A row of the block for those who look at every cell.
struct SlowRow<'a> {
    group: &'a RowGroup,
    row: usize,
}

impl<'a> Cells<'a> for SlowRow<'a> {
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        match self.group.column(field)?.cell(self.row) {
            Cell::Text(text) => super::value(text),
            Cell::Absent | Cell::Number(_) => None,
        }
    }

    fn number(&self, field: Field) -> Number {
        match self.group.column(field).map(|column| column.cell(self.row)) {
            Some(Cell::Text(text)) => super::value(text).map_or(Number::Absent, cells::number),
            Some(Cell::Number(number)) => number,
            Some(Cell::Absent) | None => Number::Absent,
        }
    }
}
