//! `flowaudit snapshot diff`: rules and memberships that one state has and another lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use super::History;
use crate::render::sanitize;
use crate::rules::state::State;
use crate::rules::timeline::{Label, Snapshot, Timeline};

/// What differs. Everything is sorted.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub struct Diff {
    /// Rules.
    pub rules: RulesDiff,
    /// Which interface is in which group.
    pub memberships: Sets<Membership>,
    /// Security groups, by id.
    pub groups: Sets<String>,
    /// Interfaces, by id.
    pub interfaces: Sets<String>,
    /// Private addresses and delegated prefixes of interfaces that both states have.
    pub addresses: Sets<Address>,
    /// Entries of prefix lists.
    pub prefix_list_entries: Sets<Entry>,
    /// Subnets whose network ACL is another one or has other entries, by id.
    pub network_acls: Vec<String>,
}

/// Rules by content.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub struct RulesDiff {
    /// In the second alone.
    pub added: Vec<RuleLine>,
    /// In the first alone.
    pub removed: Vec<RuleLine>,
    /// Of one id, with another content or description.
    pub changed: Vec<RuleChange>,
}

/// A rule.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleLine {
    /// Its content.
    pub rule_key: String,
    /// Its label, where known.
    pub rule_id: Option<String>,
    /// Its description, where known.
    pub description: Option<String>,
}

/// What became of a rule.
#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleChange {
    /// Its label, where known.
    pub rule_id: Option<String>,
    /// What it was.
    pub from: RuleLine,
    /// What it is.
    pub to: RuleLine,
}

/// What was added and what was removed.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Sets<T> {
    /// In the second alone.
    pub added: Vec<T>,
    /// In the first alone.
    pub removed: Vec<T>,
}

impl<T> Default for Sets<T> {
    fn default() -> Self {
        Self { added: Vec::new(), removed: Vec::new() }
    }
}

impl<T: Ord + Clone> Sets<T> {
    fn of(first: &BTreeSet<T>, second: &BTreeSet<T>) -> Self {
        Self {
            added: second.difference(first).cloned().collect(),
            removed: first.difference(second).cloned().collect(),
        }
    }
}

/// An interface in a group.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The interface.
    pub interface_id: String,
    /// The group.
    pub group_id: String,
}

/// An address of an interface.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The interface.
    pub interface_id: String,
    /// An address or a prefix.
    pub address: String,
}

/// An entry of a prefix list.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The list.
    pub prefix_list_id: String,
    /// Its entry.
    pub cidr: String,
}

/// What a Terraform plan comes to, as a history of one state. None: there is no plan.
pub fn proposed(history: &History) -> Option<Timeline> {
    let mut objects = history.loaded.contents.iter().filter_map(|contents| contents.proposed.clone());
    let mut sum = objects.next()?;
    objects.for_each(|more| sum.add_up(more));
    Some(Timeline::build(vec![Snapshot { at: None, objects: Arc::new(sum) }]))
}

/// What differs between the newest states of two histories.
pub fn diff(first: &Timeline, second: &Timeline) -> Diff {
    let nothing = State::default();
    let (a, b) = (first.newest().unwrap_or(&nothing), second.newest().unwrap_or(&nothing));
    Diff {
        rules: rules(&lines(first, a, b), &lines(second, b, a)),
        memberships: Sets::of(&memberships(a), &memberships(b)),
        groups: Sets::of(&a.groups.keys().cloned().collect(), &b.groups.keys().cloned().collect()),
        interfaces: Sets::of(
            &a.interfaces.keys().cloned().collect(),
            &b.interfaces.keys().cloned().collect(),
        ),
        addresses: Sets::of(&addresses(a, b), &addresses(b, a)),
        prefix_list_entries: Sets::of(&entries(a), &entries(b)),
        network_acls: network_acls(a, b),
    }
}

/// The rules of a state, by content. Of groups that the other one has too also those that nobody wrote: they tell of another
/// type or `InnerAccessPolicy`.
fn lines(timeline: &Timeline, state: &State, other: &State) -> BTreeMap<String, RuleLine> {
    let rules = state.groups.iter().flat_map(|(id, group)| {
        let defaults = group.defaults.iter().filter(|_| other.groups.contains_key(id));
        group.rules.iter().chain(defaults)
    });
    let line = |rule: &crate::rules::RuleIndex| {
        let rule_key = timeline.rules[rule.index()].key();
        let Label { rule_id, description, .. } = timeline.labels[rule.index()].clone();
        (rule_key.clone(), RuleLine { rule_key, rule_id, description })
    };
    rules.map(line).collect()
}

fn rules(first: &BTreeMap<String, RuleLine>, second: &BTreeMap<String, RuleLine>) -> RulesDiff {
    let mut diff = RulesDiff::default();
    let gone = first.iter().filter(|(key, _)| !second.contains_key(*key)).map(|(_, line)| line);
    let new = second.iter().filter(|(key, _)| !first.contains_key(*key)).map(|(_, line)| line);
    let mut by_id: BTreeMap<&str, &RuleLine> =
        gone.clone().filter_map(|line| Some((line.rule_id.as_deref()?, line))).collect();
    let mut replaced: BTreeSet<&str> = BTreeSet::new();
    for line in new {
        match line.rule_id.as_deref().and_then(|id| by_id.remove(id)) {
            Some(old) => {
                replaced.insert(&old.rule_key);
                let (from, to) = (old.clone(), line.clone());
                diff.changed.push(RuleChange { rule_id: line.rule_id.clone(), from, to });
            }
            None => diff.added.push(line.clone()),
        }
    }
    diff.removed.extend(gone.filter(|line| !replaced.contains(line.rule_key.as_str())).cloned());
    let both = first.iter().filter_map(|(key, line)| Some((line, second.get(key)?)));
    for (from, to) in both.filter(|(from, to)| from.description != to.description) {
        let rule_id = to.rule_id.clone().or(from.rule_id.clone());
        diff.changed.push(RuleChange { rule_id, from: from.clone(), to: to.clone() });
    }
    diff.changed.sort();
    diff
}

fn memberships(state: &State) -> BTreeSet<Membership> {
    let of = |interface: &crate::rules::state::Interface| -> Vec<Membership> {
        let (id, groups) = (&interface.id, &interface.group_ids);
        groups
            .iter()
            .map(|group_id| Membership { interface_id: id.clone(), group_id: group_id.clone() })
            .collect()
    };
    state.interfaces.values().flat_map(|interface| of(interface)).collect()
}

fn addresses(state: &State, other: &State) -> BTreeSet<Address> {
    let both = state.interfaces.iter().filter(|(id, _)| other.interfaces.contains_key(*id));
    let of = |(id, interface): (&String, &Arc<crate::rules::state::Interface>)| -> Vec<Address> {
        let addresses = interface.addresses.iter().map(ToString::to_string);
        let all = addresses.chain(interface.prefixes.iter().map(ToString::to_string));
        all.map(|address| Address { interface_id: id.clone(), address }).collect()
    };
    both.flat_map(of).collect()
}

fn entries(state: &State) -> BTreeSet<Entry> {
    let of = |(id, nets): (&String, &Arc<Vec<ipnet::IpNet>>)| -> Vec<Entry> {
        nets.iter().map(|net| Entry { prefix_list_id: id.clone(), cidr: net.to_string() }).collect()
    };
    state.prefix_lists.iter().flat_map(of).collect()
}

fn network_acls(a: &State, b: &State) -> Vec<String> {
    let subnets: BTreeSet<&String> = a.acls.keys().chain(b.acls.keys()).collect();
    let differs = |subnet: &&&String| match (a.acls.get(**subnet), b.acls.get(**subnet)) {
        (Some(a), Some(b)) => a.id != b.id || a.entries != b.entries,
        _ => true,
    };
    subnets.iter().filter(differs).map(|subnet| (*subnet).clone()).collect()
}

/// For people: a line for each difference, `+`, `-` and `~`.
///
/// # Errors
/// What the sink says.
pub fn render(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    if *diff == Diff::default() {
        return writeln!(out, "No difference.");
    }
    for (sign, lines) in [('-', &diff.rules.removed), ('+', &diff.rules.added)] {
        for line in lines {
            writeln!(out, "{sign} rule {}", shown(line))?;
        }
    }
    for RuleChange { from, to, .. } in &diff.rules.changed {
        writeln!(out, "~ rule {}\n    now {}", shown(from), shown(to))?;
    }
    let member = |it: &Membership| {
        format!("{} in {}", sanitize::terminal(&it.interface_id), sanitize::terminal(&it.group_id))
    };
    sets(out, "member", &diff.memberships, member)?;
    sets(out, "group", &diff.groups, |id| sanitize::terminal(id).into_owned())?;
    sets(out, "interface", &diff.interfaces, |id| sanitize::terminal(id).into_owned())?;
    let address = |it: &Address| format!("{} of {}", it.address, sanitize::terminal(&it.interface_id));
    sets(out, "address", &diff.addresses, address)?;
    let entry = |it: &Entry| format!("{} in {}", it.cidr, sanitize::terminal(&it.prefix_list_id));
    sets(out, "entry", &diff.prefix_list_entries, entry)?;
    for subnet in &diff.network_acls {
        writeln!(out, "~ network ACL of {}", sanitize::terminal(subnet))?;
    }
    Ok(())
}

fn sets<T>(out: &mut dyn Write, what: &str, sets: &Sets<T>, show: impl Fn(&T) -> String) -> io::Result<()> {
    for (sign, items) in [('-', &sets.removed), ('+', &sets.added)] {
        for item in items {
            writeln!(out, "{sign} {what} {}", show(item))?;
        }
    }
    Ok(())
}

fn shown(line: &RuleLine) -> String {
    let id = line.rule_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    let description = line.description.as_ref().map(|text| format!(" \"{text}\"")).unwrap_or_default();
    sanitize::terminal(&format!("{}{id}{description}", line.rule_key)).into_owned()
}
