//! `flowaudit snapshot check`: what documents hold, from when to when, and what is missing.

mod missing;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::History;
use crate::flow::Seconds;
use crate::render::sanitize;
use crate::rules::aws::Objects;
use crate::rules::change::Watched;
use crate::rules::load::{Contents, DocumentNote};
use crate::rules::state::State;
use crate::time;

/// Everything that `check` says.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Every file met.
    pub documents: Vec<DocumentCheck>,
    /// Snapshots, each of another time.
    pub snapshots: usize,
    /// Changes between them, each once.
    pub changes: usize,
    /// Changes that could not be applied.
    pub unapplied: UnappliedCheck,
    /// From when to when CloudTrail tells of changes, by account and region.
    pub trails: Vec<TrailCheck>,
    /// Times at which the state differs from the one before.
    pub states: usize,
    /// The first state: since when it is in force; null: always.
    pub first: Option<String>,
    /// The newest state: since when.
    pub newest: Option<String>,
    /// What the newest state holds, by account and region.
    pub holds: Vec<Holding>,
    /// What is missing in the newest state, and how to get it.
    pub missing: Vec<Missing>,
}

/// One file.
#[derive(Debug, Serialize)]
pub struct DocumentCheck {
    /// The file.
    pub file: String,
    /// Since when its snapshot is in force; null: always, or it tells of changes only.
    pub in_force_from: Option<String>,
    /// What it is.
    pub origins: Vec<String>,
    /// How many objects of each kind.
    pub objects: BTreeMap<&'static str, usize>,
    /// How many objects of each kind a Terraform plan proposes; null: no plan.
    pub proposed: Option<BTreeMap<&'static str, usize>>,
    /// Changes.
    pub changes: usize,
    /// The times of the first and the last.
    pub changed: Option<Range>,
    /// Entries that say nothing of the rules.
    pub others: u64,
    /// Entries that should, and were not understood.
    pub odd: u64,
    /// What is odd about the first of them.
    pub oddities: Vec<String>,
    /// Why the file was left aside; null: it was understood.
    pub left_aside: Option<String>,
}

/// From when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first second.
    pub from: String,
    /// The last.
    pub to: String,
}

impl Range {
    fn of((from, to): (Seconds, Seconds)) -> Self {
        Self { from: time::format(from), to: time::format(to) }
    }
}

/// What a trail tells of.
#[derive(Debug, Serialize)]
pub struct TrailCheck {
    /// Account, empty where unknown.
    pub account_id: String,
    /// Region, empty where unknown.
    pub region: String,
    /// The times of the first and last event.
    #[serde(flatten)]
    pub range: Range,
}

/// What changes lack that could not be applied.
#[derive(Debug, Serialize)]
pub struct UnappliedCheck {
    /// Made to a resource that nobody describes.
    pub unknown_resource: u64,
    /// Made to a rule by an id that nobody explains.
    pub unknown_rule: u64,
}

/// What is known of an account and region.
#[derive(Debug, Default, Serialize)]
pub struct Holding {
    /// Account, empty where unknown.
    pub account_id: String,
    /// Region, empty where unknown.
    pub region: String,
    /// Security groups.
    pub groups: usize,
    /// Their rules.
    pub rules: usize,
    /// Interfaces.
    pub interfaces: usize,
}

/// Something that is missing.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// What, and what cannot be said without it.
    pub what: String,
    /// The first few of what is meant, by id.
    pub ids: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// What gets it.
    pub remedy: String,
}

/// Looks through what was read.
pub fn check(history: &History) -> Check {
    let History { loaded, timeline } = history;
    let documents = loaded.documents.iter().zip(&loaded.contents);
    Check {
        documents: documents.map(|(note, contents)| document(note, contents)).collect(),
        snapshots: timeline.snapshots,
        changes: loaded.trail.changes.len(),
        unapplied: UnappliedCheck {
            unknown_resource: timeline.unapplied.unknown_resource,
            unknown_rule: timeline.unapplied.unknown_rule,
        },
        trails: trails(&loaded.trail.watched),
        states: timeline.states.len(),
        first: timeline.states.first().and_then(|state| state.from).map(time::format),
        newest: timeline.newest().and_then(|state| state.from).map(time::format),
        holds: timeline.newest().map(holds).unwrap_or_default(),
        missing: timeline.newest().map(|it| missing::missing(history, it)).unwrap_or_default(),
    }
}

fn trails(watched: &Watched) -> Vec<TrailCheck> {
    let trail = |((account_id, region), range): (&(String, String), &(Seconds, Seconds))| TrailCheck {
        account_id: account_id.clone(),
        region: region.clone(),
        range: Range::of(*range),
    };
    watched.iter().map(trail).collect()
}

fn document(note: &DocumentNote, contents: &Contents) -> DocumentCheck {
    let changed = (contents.changes.first(), contents.changes.last());
    let changed = if let (Some(first), Some(last)) = changed { Some((first.at, last.at)) } else { None };
    DocumentCheck {
        file: note.file.clone(),
        in_force_from: note.at.map(time::format),
        origins: contents.origins.iter().map(ToString::to_string).collect(),
        objects: objects(&contents.objects),
        proposed: contents.proposed.as_ref().map(objects),
        changes: contents.changes.len(),
        changed: changed.map(Range::of),
        others: contents.others,
        odd: contents.odd,
        oddities: contents.oddities.clone(),
        left_aside: note.left_aside.clone(),
    }
}

fn objects(objects: &Objects) -> BTreeMap<&'static str, usize> {
    let counts = [
        ("security_groups", objects.groups.as_ref().map(|all| all.len())),
        ("rules", (objects.groups.is_some() || objects.rules_described).then_some(objects.rules.len())),
        ("network_interfaces", objects.interfaces.as_ref().map(|all| all.len())),
        ("network_acls", objects.acls.as_ref().map(|all| all.len())),
        ("subnets", objects.subnets.as_ref().map(|all| all.len())),
        ("prefix_lists", Some(objects.prefix_lists.len()).filter(|count| *count > 0)),
        ("flow_logs", Some(objects.flow_logs.len()).filter(|count| *count > 0)),
        ("vpcs", Some(objects.vpcs.len()).filter(|count| *count > 0)),
    ];
    counts.into_iter().filter_map(|(kind, count)| Some((kind, count?))).collect()
}

fn holds(state: &State) -> Vec<Holding> {
    let mut holdings: BTreeMap<(&str, &str), Holding> = BTreeMap::new();
    for group in state.groups.values() {
        let holding = holdings.entry((&group.owner_id, &group.region)).or_default();
        holding.groups += 1;
        holding.rules += group.rules.len();
    }
    for interface in state.interfaces.values() {
        holdings.entry((&interface.owner_id, &interface.region)).or_default().interfaces += 1;
    }
    let named = holdings.into_iter().map(|((account, region), holding)| Holding {
        account_id: account.to_owned(),
        region: region.to_owned(),
        ..holding
    });
    named.collect()
}

/// For people.
///
/// # Errors
/// What the sink says.
pub fn render(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    for document in &check.documents {
        let file = sanitize::terminal(&document.file);
        if let Some(why) = &document.left_aside {
            writeln!(out, "{file}: left aside: {why}")?;
            continue;
        }
        let from = document.in_force_from.as_ref().map(|from| format!(", in force from {from}"));
        writeln!(out, "{file}: {}{}", document.origins.join(", "), from.unwrap_or_default())?;
        let holds = contents(document);
        if !holds.is_empty() {
            writeln!(out, "  {}", holds.join(", "))?;
        }
        if document.odd > 0 {
            writeln!(out, "  not understood: {}", document.odd)?;
        }
        for oddity in &document.oddities {
            writeln!(out, "    {}", sanitize::terminal(oddity))?;
        }
    }
    writeln!(out)?;
    summary(check, out)
}

fn contents(document: &DocumentCheck) -> Vec<String> {
    let list = |objects: &BTreeMap<&str, usize>| -> Vec<String> {
        objects.iter().map(|(kind, number)| count(*number, &kind.replace('_', " "))).collect()
    };
    let mut holds = list(&document.objects);
    if let Some(proposed) = &document.proposed {
        holds.push(format!("a plan that comes to {}", list(proposed).join(", ")));
    }
    let changes = count(document.changes, "changes");
    match &document.changed {
        Some(Range { from, to }) if from == to => holds.push(format!("{changes} at {from}")),
        Some(Range { from, to }) => holds.push(format!("{changes} from {from} to {to}")),
        None => {}
    }
    if document.others > 0 {
        let entries = if document.others == 1 { "entry that says" } else { "entries that say" };
        holds.push(format!("{} {entries} nothing of the rules", document.others));
    }
    holds
}

/// A name, or that it is not told.
fn told(name: &str, what: &str) -> String {
    if name.is_empty() { format!("{what} not told") } else { sanitize::terminal(name).into_owned() }
}

/// `1 group`, `2 groups`.
fn count(number: usize, plural: &str) -> String {
    let noun = if number == 1 { plural.strip_suffix('s').unwrap_or(plural) } else { plural };
    format!("{number} {noun}")
}

fn summary(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let always = || "always".to_owned();
    let from = |from: &String| format!("from {from}");
    if check.states == 0 {
        return writeln!(out, "No state of any time: nothing here tells what is in force.");
    }
    writeln!(
        out,
        "{} and {} make {}: the first in force {}, the newest {}",
        count(check.snapshots, "snapshots"),
        count(check.changes, "changes"),
        count(check.states, "states"),
        check.first.as_ref().map_or_else(always, from),
        check.newest.as_ref().map_or_else(always, from),
    )?;
    for TrailCheck { account_id, region, range: Range { from, to } } in &check.trails {
        let (account, region) = (told(account_id, "account"), told(region, "region"));
        writeln!(out, "CloudTrail tells of changes in {account} {region} from {from} to {to}")?;
    }
    let UnappliedCheck { unknown_resource, unknown_rule } = check.unapplied;
    if unknown_resource > 0 {
        writeln!(out, "Changes made to resources that nothing describes: {unknown_resource}")?;
    }
    if unknown_rule > 0 {
        writeln!(out, "Changes made to rules by ids that nothing explains: {unknown_rule}")?;
    }
    writeln!(out, "\nThe newest state holds")?;
    for Holding { account_id, region, groups, rules, interfaces } in &check.holds {
        writeln!(
            out,
            "  {} {}: {} with {}, {}",
            told(account_id, "account"),
            told(region, "region"),
            count(*groups, "groups"),
            count(*rules, "rules"),
            count(*interfaces, "interfaces"),
        )?;
    }
    if check.missing.is_empty() {
        return writeln!(out, "\nNothing is missing.");
    }
    writeln!(out, "\nMissing")?;
    for Missing { what, ids, count, remedy } in &check.missing {
        let shown: Vec<_> = ids.iter().map(|id| sanitize::terminal(id)).collect();
        let more =
            if *count > ids.len() { format!(" and {} more", count - ids.len()) } else { String::new() };
        writeln!(out, "  {what}: {}{more}\n    get: {remedy}", shown.join(", "))?;
    }
    Ok(())
}
