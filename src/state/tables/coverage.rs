//! What was read: records by kind and outcome, interfaces with their hours, and what each flow log delivered.

use std::io::Write;

use parquet::errors::ParquetError;

use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::words::{Words, id_bytes};
use super::{Loading, Names};
use crate::attribution::{BASES, Basis, DRIFTS, Drift};
use crate::ledger::Ledger;
use crate::tally::coverage::{Deliveries, InterfaceTally, RecordCounts, note};
use crate::tally::{Outcomes, Tally};

/// Kinds of records, in the order that deliveries have them.
const KINDS: [&str; 4] = ["accepted", "rejected", "no_data", "skip_data"];
/// Kinds of hours: with ACCEPT or REJECT, with NODATA alone, with SKIPDATA.
const HOURS: [&str; 3] = ["traffic", KINDS[2], KINDS[3]];
/// What was counted, or what a first pass over the files showed where that is something else.
const COUNTED: &str = "counted";
const FIRST_PASS: &str = "first_pass";

/// Records by kind, by name.
fn record_figures(counts: &mut RecordCounts) -> [(&'static str, &mut u64); 6] {
    [
        (KINDS[0], &mut counts.accepted),
        (KINDS[1], &mut counts.rejected),
        (KINDS[2], &mut counts.no_data),
        (KINDS[3], &mut counts.skip_data),
        ("outside_window", &mut counts.outside_window),
        ("duplicate", &mut counts.duplicate),
    ]
}

/// How records ended, by name.
fn outcome_figures(outcomes: &mut Outcomes) -> [(&'static str, &mut u64); 9] {
    [
        ("unknown_interface", &mut outcomes.unknown_interface),
        ("no_group", &mut outcomes.no_group),
        ("unknown_group", &mut outcomes.unknown_group),
        ("unknown_direction", &mut outcomes.unknown_direction),
        ("before_first_snapshot", &mut outcomes.before_first_snapshot),
        ("interface_from_neighbour", &mut outcomes.interface_from_neighbour),
        ("undated", &mut outcomes.undated),
        ("unexplained", &mut outcomes.unexplained),
        ("explained_by_neighbour", &mut outcomes.explained_by_neighbour),
    ]
}

/// Records of an interface, by name.
fn interface_figures(tally: &mut InterfaceTally) -> [(&'static str, &mut u64); 5] {
    [
        (KINDS[0], &mut tally.accepted),
        (KINDS[1], &mut tally.rejected),
        (KINDS[2], &mut tally.no_data),
        (KINDS[3], &mut tally.skip_data),
        ("portless", &mut tally.portless),
    ]
}

fn figure<'a, const N: usize>(
    figures: [(&'static str, &'a mut u64); N],
    row: Row<'_>,
    column: Text,
) -> Result<&'a mut u64, String> {
    let word = row.text(column)?;
    let found = figures.into_iter().find(|(name, _)| *name == word);
    found.map(|(_, figure)| figure).ok_or_else(|| row.unknown(column))
}

pub(super) fn write<W: Write + Send>(
    ledger: &Ledger,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    write_counts(&ledger.tally, sheet)?;
    for slot in &names.slots {
        write_interface(&ledger.tally.interfaces[*slot as usize], names.interface(*slot), ledger, sheet)?;
    }
    for slot in &names.slots {
        let (tally, id) = (&ledger.tally.interfaces[*slot as usize], names.interface(*slot));
        // Of hours with traffic, NODATA tells nothing more.
        let kinds = [&tally.hours, &tally.quiet_hours(), &tally.skip_data_hours];
        for (kind, hours) in HOURS.into_iter().zip(kinds) {
            for (at, word) in hours.words() {
                let row = sheet.row("hours")?.text(Text::Interface, id).text(Text::Kind, kind);
                row.number(Number::Index, at).count(Count::Bits, word);
            }
        }
    }
    for slot in &names.slots {
        let id = names.interface(*slot);
        write_deliveries(&ledger.tally.interfaces[*slot as usize].deliveries, COUNTED, id, ledger, sheet)?;
        let first_pass = id_bytes(id).and_then(|bytes| ledger.first_pass.get(bytes.as_ref()));
        if let Some(deliveries) = first_pass {
            sheet.row("delivery")?.text(Text::Interface, id).text(Text::Kind, FIRST_PASS);
            write_deliveries(deliveries, FIRST_PASS, id, ledger, sheet)?;
        }
    }
    Ok(())
}

fn write_counts<W: Write + Send>(tally: &Tally, sheet: &mut Sheet<W>) -> Result<(), ParquetError> {
    let (mut records, mut outcomes) = (tally.records, tally.outcomes);
    for (name, figure) in record_figures(&mut records) {
        sheet.row("count")?.text(Text::Kind, "records").text(Text::Name, name).count(Count::Records, *figure);
    }
    for (name, figure) in outcome_figures(&mut outcomes) {
        sheet.row("count")?.text(Text::Kind, "outcome").text(Text::Name, name).count(Count::Records, *figure);
    }
    for basis in BASES {
        let row = sheet.row("count")?.text(Text::Kind, "basis").text(Text::Name, basis.word());
        row.count(Count::Records, tally.outcomes.basis[basis as usize]);
    }
    for drift in DRIFTS {
        let row = sheet.row("count")?.text(Text::Kind, "drift").text(Text::Name, drift.word());
        row.count(Count::Records, tally.outcomes.drift(drift));
    }
    sheet.row("count")?.text(Text::Kind, "window").span(tally.window);
    Ok(())
}

fn write_interface<W: Write + Send>(
    tally: &InterfaceTally,
    id: &str,
    ledger: &Ledger,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    sheet.row("interface")?.text(Text::Interface, id).text(Text::Kind, "seen").span(tally.span);
    let mut counts = InterfaceTally {
        accepted: tally.accepted,
        rejected: tally.rejected,
        portless: tally.portless,
        no_data: tally.no_data,
        skip_data: tally.skip_data,
        ..InterfaceTally::default()
    };
    for (name, figure) in interface_figures(&mut counts).into_iter().filter(|(_, figure)| **figure > 0) {
        let row = sheet.row("interface")?.text(Text::Interface, id);
        row.text(Text::Kind, name).count(Count::Records, *figure);
    }
    for (kind, ids) in [("vpc", &tally.strays.vpc_ids), ("account", &tally.strays.account_ids)] {
        for stray in ids {
            let row = sheet.row("stray")?.text(Text::Interface, id);
            row.text(Text::Kind, kind).text(Text::Name, stray);
        }
    }
    for (flow_log, records) in &tally.left_out {
        let row = sheet.row("left_out")?.text(Text::Interface, id);
        row.text(Text::Name, ledger.flow_logs.name(*flow_log)).count(Count::Records, *records);
    }
    Ok(())
}

fn write_deliveries<W: Write + Send>(
    deliveries: &Deliveries,
    pass: &str,
    id: &str,
    ledger: &Ledger,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    for (flow_log, delivery) in deliveries {
        let name = ledger.flow_logs.name(*flow_log);
        let row = sheet.row("delivery")?.text(Text::Interface, id).text(Text::Kind, pass);
        row.text(Text::Name, name).span(delivery.span).number_if(Number::LastStart, delivery.last_start);
        for (kind, (records, units)) in KINDS.iter().zip(&delivery.kinds) {
            if *records > 0 {
                let row = sheet.row("delivery")?.text(Text::Interface, id).text(Text::Kind, pass);
                row.text(Text::Name, name).text(Text::Detail, kind).count(Count::Records, *records);
            }
            for (at, word) in units.words() {
                let row = sheet.row("delivery_time")?.text(Text::Interface, id).text(Text::Kind, pass);
                let row = row.text(Text::Name, name).text(Text::Detail, kind);
                row.number(Number::Index, at).count(Count::Bits, word);
            }
        }
    }
    Ok(())
}

impl Loading {
    pub(super) fn count(&mut self, row: Row<'_>) -> Result<(), String> {
        let tally = self.tally();
        let figure = match row.text(Text::Kind)? {
            "records" => figure(record_figures(&mut tally.records), row, Text::Name)?,
            "outcome" => figure(outcome_figures(&mut tally.outcomes), row, Text::Name)?,
            "basis" => {
                let basis = Basis::of(row.text(Text::Name)?).ok_or_else(|| row.unknown(Text::Name))?;
                &mut tally.outcomes.basis[basis as usize]
            }
            "drift" => {
                let drift = Drift::of(row.text(Text::Name)?).ok_or_else(|| row.unknown(Text::Name))?;
                &mut tally.outcomes.drift[drift as usize]
            }
            "window" => {
                tally.window = row.span()?;
                return Ok(());
            }
            _ => return Err(row.unknown(Text::Kind)),
        };
        *figure = row.records(Count::Records)?;
        Ok(())
    }

    /// The first row of an interface makes it known.
    pub(super) fn interface(&mut self, row: Row<'_>) -> Result<(), String> {
        if row.text(Text::Kind)? == "seen" {
            let id = id_bytes(row.text(Text::Interface)?).ok_or_else(|| row.unknown(Text::Interface))?;
            let tally = self.tally();
            let slot = tally.slots.slot(&id);
            if slot as usize != tally.interfaces.len() {
                return Err("interface: twice".to_owned());
            }
            tally.interfaces.push(InterfaceTally { span: row.span()?, ..InterfaceTally::default() });
            return Ok(());
        }
        *figure(interface_figures(self.tally_of(row)?), row, Text::Kind)? = row.records(Count::Records)?;
        Ok(())
    }

    pub(super) fn hours(&mut self, row: Row<'_>) -> Result<(), String> {
        let (at, word) = (word_number(row)?, row.count(Count::Bits)?);
        let kind = row.text(Text::Kind)?;
        let tally = self.tally_of(row)?;
        let hours = match HOURS.iter().position(|known| *known == kind) {
            Some(0) => &mut tally.hours,
            Some(1) => &mut tally.no_data_hours,
            Some(2) => &mut tally.skip_data_hours,
            _ => return Err(row.unknown(Text::Kind)),
        };
        hours.insert_word(at, word);
        Ok(())
    }

    pub(super) fn stray(&mut self, row: Row<'_>) -> Result<(), String> {
        let strays = &mut self.tally_of(row)?.strays;
        let ids = match row.text(Text::Kind)? {
            "vpc" => &mut strays.vpc_ids,
            "account" => &mut strays.account_ids,
            _ => return Err(row.unknown(Text::Kind)),
        };
        note(ids, row.text(Text::Name)?.as_bytes());
        Ok(())
    }

    pub(super) fn left_out(&mut self, row: Row<'_>) -> Result<(), String> {
        let flow_log = self.flow_log_number(row)?;
        let records = row.records(Count::Records)?;
        self.tally_of(row)?.left_out.insert(flow_log, records);
        Ok(())
    }

    pub(super) fn delivery(&mut self, row: Row<'_>) -> Result<(), String> {
        let Some(kind) = row.text_if(Text::Detail) else {
            if row.text_if(Text::Name).is_none() {
                self.deliveries(row)?;
                return Ok(());
            }
            let flow_log = self.flow_log_number(row)?;
            let delivery = self.deliveries(row)?.entry(flow_log).or_default();
            delivery.span = row.span()?;
            delivery.last_start = row.time_if(Number::LastStart)?;
            return Ok(());
        };
        let kind = kind_number(row, kind)?;
        let flow_log = self.flow_log_number(row)?;
        self.deliveries(row)?.entry(flow_log).or_default().kinds[kind].0 = row.records(Count::Records)?;
        Ok(())
    }

    pub(super) fn delivery_time(&mut self, row: Row<'_>) -> Result<(), String> {
        let kind = kind_number(row, row.text(Text::Detail)?)?;
        let flow_log = self.flow_log_number(row)?;
        let (at, word) = (word_number(row)?, row.count(Count::Bits)?);
        self.deliveries(row)?.entry(flow_log).or_default().kinds[kind].1.insert_word(at, word);
        Ok(())
    }

    /// The deliveries a row is about; those of a first pass exist from their first row on.
    fn deliveries(&mut self, row: Row<'_>) -> Result<&mut Deliveries, String> {
        let slot = self.slot(row)? as usize;
        match row.text(Text::Kind)? {
            COUNTED => Ok(&mut self.ledger.tally.interfaces[slot].deliveries),
            FIRST_PASS => {
                let id = self.ledger.tally.slots.ids()[slot].clone();
                Ok(self.ledger.first_pass.entry(id).or_default())
            }
            _ => Err(row.unknown(Text::Kind)),
        }
    }

    fn flow_log_number(&self, row: Row<'_>) -> Result<u32, String> {
        let id = row.text(Text::Name)?;
        self.ledger.flow_logs.number(id).ok_or_else(|| row.unknown(Text::Name))
    }
}

fn kind_number(row: Row<'_>, kind: &str) -> Result<usize, String> {
    KINDS.iter().position(|known| *known == kind).ok_or_else(|| row.unknown(Text::Detail))
}

/// The number of a word of 64 units; no log reaches further than these.
fn word_number(row: Row<'_>) -> Result<i64, String> {
    let at: i32 = row.number(Number::Index)?;
    Ok(i64::from(at))
}
