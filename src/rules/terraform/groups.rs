//! Security groups and their rules, inline and of their own.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Attribute, Before, Block, GROUPS, Lack, Missing, Notes, PREFIX_LISTS, Reader, Texts, VPCS, Written,
};
use crate::flow::{Direction, ICMP, ICMPV6, TCP, UDP};
use crate::rules::aws::{GroupDocument, Objects, RuleDocument, ports};
use crate::rules::{Peer, Rule, RuleProtocol};

/// Rules by their content, with the resource that writes each.
type Rules = BTreeMap<Rule, (String, RuleDocument)>;

/// Groups and rules of one part of a document.
#[derive(Debug, Default)]
pub(super) struct Groups {
    documents: BTreeMap<String, (String, GroupDocument)>,
    inline: Rules,
    own: Rules,
}

/// What a rule says beside its peer.
struct Terms {
    group_id: String,
    direction: Direction,
    protocol: RuleProtocol,
    ports: (Option<u16>, Option<u16>),
}

impl Groups {
    /// Whether the resource is of a type read here.
    pub(super) fn add(
        &mut self,
        kind: &str,
        reader: Reader<'_, '_>,
        notes: &mut Notes,
    ) -> Result<bool, String> {
        match kind {
            "aws_security_group" | "aws_default_security_group" => self.add_group(reader, notes)?,
            "aws_security_group_rule" => self.add_rule(reader, notes)?,
            "aws_vpc_security_group_ingress_rule" => self.add_vpc_rule(Direction::Ingress, reader, notes)?,
            "aws_vpc_security_group_egress_rule" => self.add_vpc_rule(Direction::Egress, reader, notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_group(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let id = reader.resource.id();
        let (owner_id, region) = block.home()?;
        let document = GroupDocument {
            id: id.clone(),
            name: block.string("name")?,
            description: block.string("description")?,
            vpc_id: reader.id("vpc_id", &VPCS)?.value().unwrap_or_default(),
            owner_id,
            region,
            tags: block.tags(),
            ecs: None,
        };
        for (direction, key) in [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")] {
            match block.blocks(key)? {
                Attribute::Value(entries) => {
                    self.add_inline(reader, &id, (direction, key), &entries, notes)?;
                }
                Attribute::Null => {}
                Attribute::Unknown => reader.note(notes, key, Lack::Inline),
            }
        }
        self.documents.entry(id).or_insert_with(|| (block.address.to_owned(), document));
        Ok(())
    }

    fn add_inline<'a>(
        &mut self,
        reader: Reader<'_, 'a>,
        group_id: &str,
        (direction, key): (Direction, &str),
        entries: &[Block<'a>],
        notes: &mut Notes,
    ) -> Result<(), String> {
        let mut waiting = Vec::new();
        for entry in entries {
            waiting.push(entry.texts("security_groups")?.missing);
        }
        waiting.retain(|missing| *missing != Missing::Nothing);
        // The configuration has one expression for all entries: it says which entry refers to what only of one.
        let sources = match waiting.as_slice() {
            [missing] => reader.references.ids(reader.resource, key, &GROUPS, *missing),
            _ => None,
        };
        for entry in entries {
            let reader = reader.element(*entry);
            let Some(terms) = terms(reader, Some(group_id.to_owned()), direction, "protocol", notes)? else {
                continue;
            };
            let mut peers = range_peers(reader, notes)?;
            let Texts { known, missing } = entry.texts("security_groups")?;
            peers.extend(known.into_iter().map(group_peer));
            match (&sources, missing) {
                (_, Missing::Nothing) => {}
                (Some(ids), _) => peers.extend(ids.iter().cloned().map(Peer::Group)),
                (None, _) => reader.note(notes, "security_groups", Lack::Rule),
            }
            peers.extend(own_peer(reader, &terms.group_id, notes)?);
            let document = Label { description: description(entry)?, ..Label::default() };
            keep(&mut self.inline, entry.address, &terms, peers, document);
        }
        Ok(())
    }

    fn add_rule(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let Some(side) = reader.required(block.text("type")?, "type", Lack::Rule, notes) else {
            return Ok(());
        };
        let direction = match side {
            "ingress" => Direction::Ingress,
            "egress" => Direction::Egress,
            other => return Err(block.wrong("type", "ingress or egress", &other.into())),
        };
        let group_id = reader.required_id("security_group_id", &GROUPS, Lack::Rule, notes)?;
        let Some(terms) = terms(reader, group_id, direction, "protocol", notes)? else { return Ok(()) };
        let told = notes.0.len();
        let mut peers = range_peers(reader, notes)?;
        peers.extend(own_peer(reader, &terms.group_id, notes)?);
        match reader.id("source_security_group_id", &GROUPS)? {
            Attribute::Value(id) => peers.push(group_peer(&id)),
            Attribute::Null => {}
            Attribute::Unknown if names_no_group(reader, &peers) => {}
            Attribute::Unknown => reader.note(notes, "source_security_group_id", Lack::Rule),
        }
        if peers.is_empty() && notes.0.len() == told {
            peers.push(Peer::BadCidr(String::new()));
        }
        let label = Label {
            rule_id: block.text("security_group_rule_id")?.value().map(str::to_owned),
            description: description(&block)?,
            tags: Vec::new(),
            home: block.home()?,
        };
        keep(&mut self.own, block.address, &terms, peers, label);
        Ok(())
    }

    fn add_vpc_rule(
        &mut self,
        direction: Direction,
        reader: Reader<'_, '_>,
        notes: &mut Notes,
    ) -> Result<(), String> {
        let block = reader.block;
        let group_id = reader.required_id("security_group_id", &GROUPS, Lack::Rule, notes)?;
        let Some(terms) = terms(reader, group_id, direction, "ip_protocol", notes)? else { return Ok(()) };
        let cidr: fn(String) -> Peer = |text| Peer::cidr(&text);
        let group: fn(String) -> Peer = |id| group_peer(&id);
        let sides = [
            ("cidr_ipv4", block.text("cidr_ipv4")?.map(str::to_owned), cidr),
            ("cidr_ipv6", block.text("cidr_ipv6")?.map(str::to_owned), cidr),
            ("prefix_list_id", reader.id("prefix_list_id", &PREFIX_LISTS)?, Peer::PrefixList),
            ("referenced_security_group_id", reader.id("referenced_security_group_id", &GROUPS)?, group),
        ];
        let told = notes.0.len();
        let mut peers = Vec::new();
        for (key, side, peer) in sides {
            match side {
                Attribute::Value(text) => peers.push(peer(text)),
                Attribute::Null => {}
                Attribute::Unknown => reader.note(notes, key, Lack::Rule),
            }
        }
        if peers.is_empty() && notes.0.len() == told {
            peers.push(Peer::BadCidr(String::new()));
        }
        let rule_id = block.text("security_group_rule_id")?.value().or(block.text("id")?.value());
        let label = Label {
            rule_id: rule_id.map(str::to_owned),
            description: description(&block)?,
            tags: block.tags(),
            home: block.home()?,
        };
        keep(&mut self.own, block.address, &terms, peers, label);
        Ok(())
    }

    /// Puts groups and rules into the objects, and where they are written.
    pub(super) fn finish(
        mut self,
        before: Option<Before<'_>>,
        objects: &mut Objects,
        addresses: &mut Vec<Written>,
    ) {
        if let Some(Before { replaced, now }) = before {
            let was_repeated = |rule: &Rule| now.is_none_or(|now| now.groups.inline.contains_key(rule));
            let stale: BTreeSet<&Rule> =
                replaced.groups.own.keys().filter(|rule| was_repeated(rule)).collect();
            self.inline.retain(|rule, _| !stale.contains(rule));
        }
        let own = self.own.len();
        objects.rules_described = own > 0;
        let mut rules = self.inline;
        for (rule, (address, mut document)) in self.own {
            if let Some((_, repeated)) = rules.remove(&rule) {
                document.description = document.description.or(repeated.description);
            }
            rules.insert(rule, (address, document));
        }
        for (rule, (address, mut document)) in rules {
            if let Some((_, group)) = self.documents.get(&rule.group_id) {
                let fill = |own: &mut String, groups: &str| {
                    if own.is_empty() {
                        groups.clone_into(own);
                    }
                };
                fill(&mut document.owner_id, &group.owner_id);
                fill(&mut document.region, &group.region);
                fill(&mut document.vpc_id, &group.vpc_id);
            }
            addresses.push(Written { address, group_id: rule.group_id.clone(), rule: Some(rule) });
            objects.rules.push(document);
        }
        for (id, (address, document)) in self.documents {
            addresses.push(Written { address, group_id: id, rule: None });
            objects.groups.get_or_insert_default().push(document);
        }
    }
}

/// Whether an unknown `source_security_group_id` names none: it is computed, so a new rule that names another peer has it
/// unknown too. The provider takes it beside prefix lists only.
fn names_no_group(reader: Reader<'_, '_>, peers: &[Peer]) -> bool {
    match reader.references.writes(reader.resource, "source_security_group_id") {
        Some(writes) => !writes && !peers.is_empty(),
        None => peers.iter().any(|peer| !matches!(peer, Peer::PrefixList(_))),
    }
}

/// What labels the rules of one resource.
#[derive(Default)]
struct Label {
    rule_id: Option<String>,
    description: Option<String>,
    tags: Vec<(String, String)>,
    /// Account and region.
    home: (String, String),
}

/// One rule for each peer. An id labels the rule only where there is one.
fn keep(rules: &mut Rules, address: &str, terms: &Terms, peers: Vec<Peer>, label: Label) {
    let rule_id = label.rule_id.filter(|id| !id.is_empty() && peers.len() == 1);
    for peer in peers {
        let rule = Rule {
            group_id: terms.group_id.clone(),
            direction: terms.direction,
            protocol: terms.protocol.clone(),
            from_port: terms.ports.0,
            to_port: terms.ports.1,
            peer,
            ranked: None,
        };
        let document = RuleDocument {
            rule: rule.clone(),
            rule_id: rule_id.clone(),
            description: label.description.clone(),
            tags: label.tags.clone(),
            owner_id: label.home.0.clone(),
            region: label.home.1.clone(),
            vpc_id: String::new(),
            peering_status: None,
            peer_owner: None,
        };
        rules.entry(rule).or_insert_with(|| (address.to_owned(), document));
    }
}

/// What a rule says beside its peer; None, with a note, where something of it is not known.
fn terms(
    reader: Reader<'_, '_>,
    group_id: Option<String>,
    direction: Direction,
    protocol_key: &str,
    notes: &mut Notes,
) -> Result<Option<Terms>, String> {
    let block = reader.block;
    let word = reader.required(block.text(protocol_key)?, protocol_key, Lack::Rule, notes);
    let (Some(group_id), Some(word)) = (group_id, word) else { return Ok(None) };
    let protocol = RuleProtocol::parse(word);
    let (from, to) = if protocol == RuleProtocol::All {
        (Attribute::Null, Attribute::Null)
    } else {
        (block.integer("from_port")?, block.integer("to_port")?)
    };
    for (key, port) in [("from_port", from), ("to_port", to)] {
        if port == Attribute::Unknown {
            reader.note(notes, key, Lack::Rule);
        }
    }
    if from == Attribute::Unknown || to == Attribute::Unknown {
        return Ok(None);
    }
    let has_ports = matches!(protocol, RuleProtocol::Number(TCP | UDP | ICMP | ICMPV6));
    let (from, to) = match (from.value(), to.value()) {
        // The provider writes 0 where AWS writes nothing.
        (Some(0), Some(0)) if !has_ports => (None, None),
        written => written,
    };
    let ports = ports(block.address, &protocol, from, to)?;
    Ok(Some(Terms { group_id, direction, protocol, ports }))
}

/// Address ranges and prefix lists of a rule.
fn range_peers(reader: Reader<'_, '_>, notes: &mut Notes) -> Result<Vec<Peer>, String> {
    let mut peers = Vec::new();
    for key in ["cidr_blocks", "ipv6_cidr_blocks"] {
        let Texts { known, missing } = reader.block.texts(key)?;
        peers.extend(known.into_iter().map(Peer::cidr));
        if missing != Missing::Nothing {
            reader.note(notes, key, Lack::Rule);
        }
    }
    let (lists, missing) = reader.ids("prefix_list_ids", &PREFIX_LISTS)?;
    peers.extend(lists.into_iter().map(Peer::PrefixList));
    if missing != Missing::Nothing {
        reader.note(notes, "prefix_list_ids", Lack::Rule);
    }
    Ok(peers)
}

/// `self`: the group itself.
fn own_peer(reader: Reader<'_, '_>, group_id: &str, notes: &mut Notes) -> Result<Option<Peer>, String> {
    Ok(match reader.block.flag("self")? {
        Attribute::Value(true) => Some(Peer::Group(group_id.to_owned())),
        Attribute::Value(false) | Attribute::Null => None,
        Attribute::Unknown => {
            reader.note(notes, "self", Lack::Rule);
            None
        }
    })
}

/// A group of another account is written `ACCOUNT/sg-…`.
fn group_peer(written: &str) -> Peer {
    let id = written.rsplit_once('/').filter(|(_, id)| id.starts_with("sg-")).map_or(written, |(_, id)| id);
    Peer::Group(id.to_owned())
}

fn description(block: &Block<'_>) -> Result<Option<String>, String> {
    Ok(Some(block.string("description")?).filter(|text| !text.is_empty()))
}
