//! Lists of rules to remove, and to put in: what a reviewer has edited.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Proposal;
use crate::error::Error;
use crate::flow::Direction;
use crate::rules::aws::{Extent, Objects, RuleDocument};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol, parse_net};
use crate::state::Snapshots;

/// A name of a rule, and where it stands.
type Named = (String, String);

/// What a list names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// Rules to remove, by key or id.
    removed: Vec<Named>,
    /// Keys of rules to add.
    added: Vec<Named>,
}

/// The rules that a list names: one per line (`#` begins a comment, `+` a rule to add), or a report with its
/// `removal_set`, or a list of keys in JSON. None: it is no such file.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Option<List> {
    let text = text_of(bytes)?;
    let text = text.trim_start_matches('\u{feff}');
    let place = |what: String| format!("{}:{what}", path.display());
    if text.trim_start().starts_with(['{', '[']) {
        let rules = listed(text)?.into_iter().zip(1..);
        let removed = rules.map(|(rule, at): (_, usize)| (rule, place(format!(" rule {at}")))).collect();
        return Some(List { removed, added: Vec::new() });
    }
    let mut list = List::default();
    for (line, number) in text.lines().zip(1..) {
        let (line, names) = match line.trim_start().strip_prefix('+') {
            Some(line) => (line.trim_start(), &mut list.added),
            None => (line, &mut list.removed),
        };
        let comment = line.find([' ', '\t']).filter(|at| line[*at..].trim_start().starts_with('#'));
        let name = line[..comment.unwrap_or(line.len())].trim();
        if !name.is_empty() && !name.starts_with('#') {
            names.push((name.to_owned(), place(number.to_string())));
        }
    }
    Some(list)
}

impl List {
    /// The newest rules without those that are removed, and with those that are added.
    pub(super) fn proposal(&self, snapshots: Snapshots) -> Result<Proposal, Error> {
        if self.added.is_empty() {
            let now = snapshots.into_timeline();
            let removed = rules_named(&now, &self.removed)?;
            return Ok(Proposal::without(now, &removed));
        }
        let known = snapshots.clone().into_timeline();
        let added: Vec<Rule> =
            self.added.iter().map(|(key, place)| rule_of(key, place, &known)).collect::<Result<_, _>>()?;
        // The catalogue gets them; the groups do below.
        let (now, _) = snapshots.into_timeline_with(Objects {
            rules: added.iter().cloned().map(RuleDocument::unlabelled).collect(),
            rules_described: true,
            extent: Extent::Part,
            ..Objects::default()
        });
        let removed = rules_named(&now, &self.removed)?;
        let place = |rule: &Rule| {
            let lacking = || Error::Input(format!("+ {}: cannot be told apart in the history", rule.key()));
            now.index_of(rule).ok_or_else(lacking)
        };
        let warnings = added.iter().filter_map(|rule| nobody(rule, &known)).collect();
        let added: BTreeSet<RuleIndex> = added.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Proposal { warnings, ..Proposal::changed(now, &removed, &added) })
    }
}

/// Says so where what a rule refers to is not known: it lets nothing through then.
fn nobody(rule: &Rule, known: &Timeline) -> Option<String> {
    let newest = known.newest()?;
    let is_known = match &rule.peer {
        Peer::Group(id) => newest.groups.contains_key(id),
        Peer::PrefixList(id) => newest.prefix_lists.contains_key(id),
        Peer::Cidr(_) | Peer::BadCidr(_) => true,
    };
    (!is_known).then(|| {
        format!("+ {}: {} is not in the snapshot, so that it lets nothing through", rule.key(), rule.peer)
    })
}

/// The rule of a key, of a group that there is.
fn rule_of(key: &str, place: &str, known: &Timeline) -> Result<Rule, Error> {
    let newest = known.newest();
    let parsed = || {
        let mut parts = key.splitn(5, ':');
        let group_id = parts.next()?;
        let group = newest?.groups.get(group_id)?;
        let direction = match parts.next()? {
            "ingress" => Direction::Ingress,
            "egress" => Direction::Egress,
            _ => return None,
        };
        let protocol = match RuleProtocol::parse(parts.next()?) {
            RuleProtocol::Unknown(_) => return None,
            known => known,
        };
        let (from_port, to_port) = ports_of(parts.next()?)?;
        let orderly = match (from_port, to_port) {
            (Some(_), _) if protocol == RuleProtocol::All => false,
            (Some(from), Some(to)) => from <= to || !protocol.tests_ports(),
            (None, None) => true,
            _ => !protocol.tests_ports(),
        };
        if !orderly {
            return None;
        }
        // What stands behind the peer is as it is of a rule that there is.
        let rest = parts.next()?;
        let ranked = group.rules.iter().filter_map(|rule| known.rules[rule.index()].ranked.as_ref());
        let ranked = ranked.filter(|ranked| rest.ends_with(&ranked.to_string()));
        let ranked = ranked.max_by_key(|ranked| ranked.to_string().len());
        if ranked.is_none() && group.ecs.is_some() {
            return None;
        }
        let suffix = ranked.map(ToString::to_string).unwrap_or_default();
        let peer = match rest.strip_suffix(&suffix)? {
            group if group.starts_with("sg-") => Peer::Group(group.to_owned()),
            list if list.starts_with("pl-") => Peer::PrefixList(list.to_owned()),
            range => Peer::Cidr(parse_net(range)?),
        };
        let group_id = group_id.to_owned();
        Some(Rule { group_id, direction, protocol, from_port, to_port, peer, ranked: ranked.cloned() })
    };
    parsed().ok_or_else(|| {
        Error::Input(format!(
            "{place}: + {key}: expected the key of a rule to add (GROUP:DIRECTION:PROTOCOL:FROM-TO:PEER) to a group of the \
             newest state; on Alibaba Cloud with the priority and action of a rule of that group"
        ))
    })
}

/// `22-22`, `-1--1`.
fn ports_of(text: &str) -> Option<(Option<u16>, Option<u16>)> {
    let cut = text.get(1..)?.find('-')? + 1;
    let port = |text: &str| match text {
        "-1" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some((port(text.get(..cut)?)?, port(text.get(cut + 1..)?)?))
}

/// UTF-8, or UTF-16 with its mark, as `>` of `PowerShell` writes it. None: it is no text.
fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let number: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|pair| number(*pair)).collect::<Vec<_>>()).ok().map(Cow::Owned)
}

/// What of a report names rules to remove. A report is long, and nothing else of it is looked at.
#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    removal_set: Option<&'a RawValue>,
    #[serde(borrow)]
    rules: Option<&'a RawValue>,
}

/// The keys that a document lists. None: it is about something else.
fn listed(text: &str) -> Option<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let listing: Listing<'_> = serde_json::from_str(text).ok()?;
    if let Some(set) = listing.removal_set {
        let set: Listing<'_> = serde_json::from_str(set.get()).ok()?;
        return serde_json::from_str(set.rules?.get()).ok();
    }
    serde_json::from_str(listing.rules?.get()).ok()
}

/// The rules of the newest state that are named by key or id.
fn rules_named(now: &Timeline, named: &[(String, String)]) -> Result<BTreeSet<RuleIndex>, Error> {
    let groups = now.newest().into_iter().flat_map(|state| state.groups.values());
    let mut known: BTreeMap<String, RuleIndex> = BTreeMap::new();
    for index in groups.flat_map(|group| &group.rules) {
        known.insert(now.rules[index.index()].key(), *index);
        if let Some(id) = &now.labels[index.index()].rule_id {
            known.insert(id.clone(), *index);
        }
    }
    let find = |(name, place): &(String, String)| {
        known.get(name).copied().ok_or_else(|| {
            Error::Input(format!(
                "{place}: no rule {name} in the newest state; expected a rule key (GROUP:DIRECTION:PROTOCOL:FROM-TO:PEER) \
                 or a rule id (sgr-…), one per line"
            ))
        })
    };
    named.iter().map(find).collect()
}
