//! The snapshots a state was judged by, the catalogue of their rules, and the sets of rules that explained records.
//!
//! An object that stays the same from snapshot to snapshot is the same text each time, and next to itself: it costs
//! next to nothing to keep a snapshot of every night.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;
use parquet::errors::ParquetError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::super::State;
use super::super::columns::{Count, Number, Row, Sheet, Text};
use super::super::snapshots::Snapshots;
use super::super::words::hex;
use super::Names;
use crate::flow::Seconds;
use crate::rules::aws::{Extent, List, Objects};
use crate::rules::change::Change;
use crate::rules::load::DocumentNote;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, RuleIndex};
use crate::tally::{Tally, unordered};

pub(super) fn write<W: Write + Send>(
    state: &State,
    timeline: &Timeline,
    names: &Names,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    write_snapshots(&state.snapshots, sheet)?;
    for (number, rule) in (0_i64..).zip(&timeline.rules) {
        sheet.row("rule")?.number(Number::Rule, number).text(Text::Name, &rule.key());
    }
    let tally = &state.ledger.tally;
    for set in &names.sets {
        for rule in tally.sets.rules(*set) {
            sheet.row("set")?.number(Number::Index, names.set(*set)).number(Number::Rule, rule.0);
        }
    }
    let mut near: Vec<_> = tally.near.iter().collect();
    near.sort();
    for (rule, records) in near {
        sheet.row("near")?.number(Number::Rule, rule.0).count(Count::Records, *records);
    }
    Ok(())
}

fn write_snapshots<W: Write + Send>(snapshots: &Snapshots, sheet: &mut Sheet<W>) -> Result<(), ParquetError> {
    let mut texts: HashMap<(&str, String), usize> = HashMap::new();
    // By number of a text: the snapshots that hold it.
    let mut times: Vec<Vec<Option<Seconds>>> = Vec::new();
    let mut last: Option<(&Arc<Objects>, Written)> = None;
    for (at, objects) in &snapshots.by_time {
        let written = match last.take() {
            Some((same, written)) if Arc::ptr_eq(same, objects) => written,
            _ => {
                let described = lines(objects);
                let (kinds, fingerprint) = (answered(objects).join(" "), fingerprint(objects, &described));
                let number = |line| {
                    let next = texts.len();
                    *texts.entry(line).or_insert(next)
                };
                Written { kinds, fingerprint, texts: described.into_iter().map(number).collect() }
            }
        };
        let row = sheet.row("snapshot")?.number_if(Number::At, *at).text(Text::Kind, &written.kinds);
        row.text(Text::Detail, &written.fingerprint);
        times.resize(texts.len(), Vec::new());
        for number in &written.texts {
            times[*number].push(*at);
        }
        last = Some((objects, written));
    }
    let mut texts: Vec<_> = unordered(texts).collect();
    texts.sort_unstable();
    for ((kind, text), number) in &texts {
        for at in &times[*number] {
            sheet.row("object")?.number_if(Number::At, *at).text(Text::Kind, kind).text(Text::Json, text);
        }
    }
    for ((owner_id, region), (first, last)) in &snapshots.trail.watched {
        let row = sheet.row("watched")?.number(Number::First, *first).number(Number::Last, *last);
        row.text(Text::Name, owner_id).text(Text::Detail, region);
    }
    for change in &snapshots.trail.changes {
        // Changes are plain text and numbers: they always have a JSON form.
        let text = serde_json::to_string(change).unwrap_or_default();
        sheet.row("change")?.number(Number::At, change.at).text(Text::Json, &text);
    }
    for note in &snapshots.documents {
        sheet
            .row("document")?
            .number_if(Number::At, note.at)
            .text(Text::Name, &note.file)
            .text_if(Text::Detail, note.left_aside.as_deref())
            .text_if(Text::Kind, note.missed.as_deref());
    }
    Ok(())
}

/// A snapshot, ready to be written.
struct Written {
    kinds: String,
    fingerprint: String,
    /// Its lines by their numbers.
    texts: Vec<usize>,
}

/// Which questions a snapshot answers, also where the answer is that there is nothing.
fn answered(objects: &Objects) -> Vec<&'static str> {
    let answers = [
        ("groups", objects.groups.is_some()),
        ("rules", objects.rules_described),
        ("interfaces", objects.interfaces.is_some()),
        ("acls", objects.acls.is_some()),
        ("subnets", objects.subnets.is_some()),
        ("part", objects.extent == Extent::Part),
    ];
    answers.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// Every object as its kind and its content.
fn lines(objects: &Objects) -> Vec<(&'static str, String)> {
    // Objects are plain text and numbers: they always have a JSON form.
    fn text<T: Serialize>(object: &T) -> String {
        serde_json::to_string(object).unwrap_or_default()
    }
    fn all<T: Serialize>(kind: &'static str, objects: &[T]) -> Vec<(&'static str, String)> {
        objects.iter().map(|object| (kind, text(object))).collect()
    }
    fn listed<T: Serialize>(kind: &'static str, list: Option<&List<T>>) -> Vec<(&'static str, String)> {
        list.into_iter().flatten().map(|object| (kind, text(object.as_ref()))).collect()
    }
    let mut lines = listed("group", objects.groups.as_ref());
    lines.extend(listed("rule", Some(&objects.rules)));
    lines.extend(listed("interface", objects.interfaces.as_ref()));
    lines.extend(all("prefix_list", &objects.prefix_lists));
    lines.extend(listed("acl", objects.acls.as_ref()));
    lines.extend(listed("subnet", objects.subnets.as_ref()));
    lines.extend(all("flow_log", &objects.flow_logs));
    lines.extend(all("vpc", &objects.vpcs));
    lines.extend(all("listing", &objects.listings));
    lines.extend(all("port_list", &objects.port_lists));
    lines
}

/// SHA-256 of what a snapshot says.
fn fingerprint(objects: &Objects, lines: &[(&str, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(answered(objects).join(" "));
    for (kind, text) in lines {
        hash.update(format!("\n{kind} {text}"));
    }
    hex(&hash.finalize(), "")
}

/// Snapshots, catalogue and sets as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct Loading {
    snapshots: Snapshots,
    fingerprints: BTreeMap<Option<Seconds>, String>,
    rules: Vec<String>,
    sets: Vec<Vec<RuleIndex>>,
}

impl Loading {
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn snapshot(&mut self, row: Row<'_>) -> Result<(), String> {
        let mut objects = Objects::default();
        for answer in row.text(Text::Kind)?.split_whitespace() {
            match answer {
                "groups" => objects.groups = Some(List::default()),
                "rules" => objects.rules_described = true,
                "interfaces" => objects.interfaces = Some(List::default()),
                "acls" => objects.acls = Some(List::default()),
                "subnets" => objects.subnets = Some(List::default()),
                "part" => objects.extent = Extent::Part,
                _ => return Err(row.unknown(Text::Kind)),
            }
        }
        let at = row.time_if(Number::At)?;
        self.fingerprints.insert(at, row.text(Text::Detail)?.to_owned());
        self.snapshots.by_time.insert(at, Arc::new(objects));
        Ok(())
    }

    pub(super) fn object(&mut self, row: Row<'_>) -> Result<(), String> {
        let at = row.time_if(Number::At)?;
        let objects = self.snapshots.by_time.get_mut(&at).ok_or("at: no snapshot of this time")?;
        let objects = Arc::make_mut(objects);
        let text = row.text(Text::Json)?;
        match row.text(Text::Kind)? {
            "group" => objects.groups.get_or_insert_default().push(parse(text)?),
            "rule" => objects.rules.push(parse(text)?),
            "interface" => objects.interfaces.get_or_insert_default().push(parse(text)?),
            "prefix_list" => objects.prefix_lists.push(parse(text)?),
            "acl" => objects.acls.get_or_insert_default().push(parse(text)?),
            "subnet" => objects.subnets.get_or_insert_default().push(parse(text)?),
            "flow_log" => objects.flow_logs.push(parse(text)?),
            "vpc" => objects.vpcs.push(parse(text)?),
            "listing" => objects.listings.push(parse(text)?),
            "port_list" => objects.port_lists.push(parse(text)?),
            _ => return Err(row.unknown(Text::Kind)),
        }
        Ok(())
    }

    pub(super) fn watched(&mut self, row: Row<'_>) -> Result<(), String> {
        let time = |column| row.time_if(column)?.ok_or_else(|| row.unknown(Text::Table));
        let place = (row.text(Text::Name)?.to_owned(), row.text(Text::Detail)?.to_owned());
        let range = (time(Number::First)?, time(Number::Last)?);
        self.snapshots.trail.watched.insert(place, range);
        Ok(())
    }

    pub(super) fn change(&mut self, row: Row<'_>) -> Result<(), String> {
        let change: Change = parse(row.text(Text::Json)?)?;
        if row.time_if(Number::At)? != Some(change.at) || change.nets().any(|net| net != net.trunc()) {
            return Err("json: not a change of this time".to_owned());
        }
        self.snapshots.trail.changes.insert(change);
        Ok(())
    }

    pub(super) fn document(&mut self, row: Row<'_>) -> Result<(), String> {
        self.snapshots.documents.insert(DocumentNote {
            at: row.time_if(Number::At)?,
            file: row.text(Text::Name)?.to_owned(),
            left_aside: row.text_if(Text::Detail).map(str::to_owned),
            missed: row.text_if(Text::Kind).map(str::to_owned),
        });
        Ok(())
    }

    pub(super) fn rule(&mut self, row: Row<'_>) -> Result<(), String> {
        let number: u32 = row.number(Number::Rule)?;
        if number as usize != self.rules.len() {
            return Err(format!("rule: {number} is out of order"));
        }
        self.rules.push(row.text(Text::Name)?.to_owned());
        Ok(())
    }

    pub(super) fn set(&mut self, row: Row<'_>) -> Result<(), String> {
        let number: u32 = row.number(Number::Index)?;
        let rule = rule_number(row, self.rules.len())?;
        if number as usize == self.sets.len() + 1 {
            self.sets.push(Vec::new());
        }
        let set = self.sets.last_mut().filter(|_| number > 0);
        let set = set.ok_or_else(|| format!("number: {number} is out of order"))?;
        if set.last().is_some_and(|last| *last >= rule) {
            return Err("rule: out of order".to_owned());
        }
        set.push(rule);
        if number as usize == self.sets.len() {
            Ok(())
        } else {
            Err(format!("number: {number} is out of order"))
        }
    }

    /// The snapshots, once they are all in; the tally gets the sets.
    pub(super) fn finish(self, tally: &mut Tally) -> Result<Snapshots, String> {
        let Self { mut snapshots, fingerprints, rules, sets } = self;
        let mut last: Option<Arc<Objects>> = None;
        for (at, shared) in &mut snapshots.by_time {
            let objects = Arc::make_mut(shared);
            objects.sort();
            let described = lines(objects);
            if !is_canonical(objects) || fingerprints.get(at) != Some(&fingerprint(objects, &described)) {
                return Err("table snapshot: the fingerprint is not that of the objects".to_owned());
            }
            match &last {
                Some(last) if last == shared => *shared = Arc::clone(last),
                _ => last = Some(Arc::clone(shared)),
            }
        }
        let timeline = snapshots.timeline();
        if !timeline.rules.iter().map(crate::rules::Rule::key).eq(rules) {
            return Err("table rule: the catalogue is not that of the snapshots".to_owned());
        }
        for (number, set) in (1..).zip(sets) {
            if tally.sets.restore(&set).0 != number {
                return Err(format!("table set: set {number} is there twice"));
            }
        }
        Ok(snapshots)
    }
}

impl super::Loading {
    pub(super) fn near(&mut self, row: Row<'_>) -> Result<(), String> {
        let rule = rule_number(row, self.rules.rules.len())?;
        let records = row.records(Count::Records)?;
        self.tally().near.insert(rule, records);
        Ok(())
    }
}

fn rule_number(row: Row<'_>, rules: usize) -> Result<RuleIndex, String> {
    let number: u32 = row.number(Number::Rule)?;
    let known = (number as usize) < rules;
    known.then_some(RuleIndex(number)).ok_or_else(|| format!("rule {number} is not in the catalogue"))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("json: {error}"))
}

/// Whether every range is one as it is read from documents: without host bits.
fn is_canonical(objects: &Objects) -> bool {
    let peers = objects.rules.iter().filter_map(|document| match &document.rule.peer {
        Peer::Cidr(net) => Some(net),
        _ => None,
    });
    let lists = objects.prefix_lists.iter().chain(&objects.vpcs).flat_map(|(_, nets)| nets);
    let interfaces = objects.interfaces.iter().flatten().flat_map(|interface| &interface.prefixes);
    let subnets = objects.subnets.iter().flatten().flat_map(|subnet| &subnet.ranges);
    let acls = objects.acls.iter().flatten().flat_map(|acl| &acl.entries).map(|entry| &entry.net);
    let mut nets = peers.chain(lists).chain(interfaces).chain(subnets).chain(acls);
    nets.all(|net: &IpNet| *net == net.trunc())
}
