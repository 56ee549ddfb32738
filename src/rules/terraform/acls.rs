//! Network ACLs, their entries and the subnets they are associated with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ACLS, Attribute, Before, Block, Lack, Missing, Notes, Reader, SUBNETS, VPCS};
use crate::flow::{Direction, ICMP, ICMPV6, TCP, UDP};
use crate::rules::RuleProtocol;
use crate::rules::aws::Objects;
use crate::rules::state::{AclAction, AclEntry, NetworkAcl};

/// What makes an entry one: ACL, direction and number.
type Key = (String, Direction, u32);

/// ACLs of one part of a document.
#[derive(Debug, Default)]
pub(super) struct Acls {
    wholes: BTreeMap<String, NetworkAcl>,
    inline: BTreeMap<Key, AclEntry>,
    /// Entries that are resources, with their addresses.
    own: BTreeMap<Key, (String, AclEntry)>,
    /// (ACL, subnet) that are resources, with their addresses.
    associations: BTreeMap<(String, String), String>,
    /// ACLs of which not every entry is known.
    unsure: BTreeSet<String>,
}

/// The names of an entry's attributes: inline ones and resources differ.
struct Names {
    number: &'static str,
    action: &'static str,
}

const INLINE: Names = Names { number: "rule_no", action: "action" };
const OWN: Names = Names { number: "rule_number", action: "rule_action" };

impl Acls {
    /// Whether the resource is of a type read here.
    pub(super) fn add(
        &mut self,
        kind: &str,
        reader: Reader<'_, '_>,
        notes: &mut Notes,
    ) -> Result<bool, String> {
        match kind {
            "aws_network_acl" | "aws_default_network_acl" => self.add_acl(reader, notes)?,
            "aws_network_acl_rule" => self.add_entry(reader, notes)?,
            "aws_network_acl_association" => self.add_association(reader, notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_acl(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let id = reader.resource.id();
        for (direction, key) in [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")] {
            match block.blocks(key)? {
                Attribute::Value(entries) => {
                    for block in entries {
                        match entry(reader.element(block), direction, &INLINE, notes)? {
                            Some(entry) => {
                                self.inline.insert((id.clone(), direction, entry.number), entry);
                            }
                            None => {
                                self.unsure.insert(id.clone());
                            }
                        }
                    }
                }
                Attribute::Null => {}
                Attribute::Unknown => reader.note(notes, key, Lack::Inline),
            }
        }
        let (subnet_ids, missing) = reader.ids("subnet_ids", &SUBNETS)?;
        if missing != Missing::Nothing {
            reader.note(notes, "subnet_ids", Lack::Acl);
        }
        let vpc_id = reader.id("vpc_id", &VPCS)?.value().unwrap_or_default();
        let (owner_id, _) = block.home()?;
        let acl = NetworkAcl { id: id.clone(), vpc_id, owner_id, subnet_ids, entries: Vec::new() };
        self.wholes.entry(id).or_insert(acl);
        Ok(())
    }

    fn add_entry(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let Some(acl) = reader.required_id("network_acl_id", &ACLS, Lack::Acl, notes)? else { return Ok(()) };
        let direction = match reader.block.flag("egress")? {
            Attribute::Value(true) => Some(Direction::Egress),
            Attribute::Value(false) | Attribute::Null => Some(Direction::Ingress),
            Attribute::Unknown => {
                reader.note(notes, "egress", Lack::Acl);
                None
            }
        };
        let read = match direction {
            Some(direction) => entry(reader, direction, &OWN, notes)?,
            None => None,
        };
        match read {
            Some(entry) => {
                let key = (acl, entry.direction, entry.number);
                self.own.insert(key, (reader.block.address.to_owned(), entry));
            }
            None => {
                self.unsure.insert(acl);
            }
        }
        Ok(())
    }

    fn add_association(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let mut ids = Vec::new();
        for (key, kinds) in [("network_acl_id", &ACLS), ("subnet_id", &SUBNETS)] {
            ids.extend(reader.required_id(key, kinds, Lack::Acl, notes)?);
        }
        if let Ok([acl, subnet]) = <[String; 2]>::try_from(ids) {
            self.associations.insert((acl, subnet), reader.block.address.to_owned());
        }
        Ok(())
    }

    /// Puts the ACLs into the objects.
    pub(super) fn finish(mut self, before: Option<Before<'_>>, objects: &mut Objects, notes: &mut Notes) {
        if let Some(Before { replaced, now }) = before {
            let was_repeated = |key: &Key| now.is_none_or(|now| now.acls.inline.contains_key(key));
            for key in replaced.acls.own.keys().filter(|key| was_repeated(key)) {
                self.inline.remove(key);
            }
            for (acl, subnet) in replaced.acls.associations.keys() {
                if let Some(acl) = self.wholes.get_mut(acl) {
                    acl.subnet_ids.retain(|held| held != subnet);
                }
            }
        }
        // A subnet has one ACL; what another one lists was there before.
        let mut homes: BTreeMap<String, String> = BTreeMap::new();
        for ((id, subnet), address) in self.associations {
            if !self.wholes.contains_key(&id) {
                notes.add(&address, "network_acl_id", Lack::Acl);
            }
            homes.insert(subnet, id);
        }
        for acl in self.wholes.values_mut() {
            acl.subnet_ids.retain(|subnet| !homes.contains_key(subnet));
        }
        for (subnet, id) in homes {
            if let Some(acl) = self.wholes.get_mut(&id) {
                acl.subnet_ids.push(subnet);
            }
        }
        let mut entries = self.inline;
        for (key, (address, entry)) in self.own {
            if !self.wholes.contains_key(&key.0) {
                notes.add(&address, "network_acl_id", Lack::Acl);
            }
            entries.insert(key, entry);
        }
        for ((id, ..), entry) in entries {
            if let Some(acl) = self.wholes.get_mut(&id) {
                acl.entries.push(entry);
            }
        }
        let described = !self.wholes.is_empty();
        let sure = self.wholes.into_values().filter(|acl| !self.unsure.contains(&acl.id));
        let sorted = sure.map(|mut acl| {
            acl.entries.sort_by_key(|entry| entry.number);
            acl
        });
        objects.acls = described.then_some(sorted.collect());
    }
}

/// One entry; None, with a note, where something of it is not known.
fn entry(
    reader: Reader<'_, '_>,
    direction: Direction,
    names: &Names,
    notes: &mut Notes,
) -> Result<Option<AclEntry>, String> {
    let block = reader.block;
    let mut known = |attribute: Attribute<i64>, key: &str| match attribute {
        Attribute::Unknown => reader.required(Attribute::<i64>::Unknown, key, Lack::Acl, notes).map(Some),
        other => Some(other.value()),
    };
    let number = known(block.integer(names.number)?, names.number);
    let from = known(block.integer("from_port")?, "from_port");
    let to = known(block.integer("to_port")?, "to_port");
    let icmp_type = known(block.integer("icmp_type")?, "icmp_type");
    let icmp_code = known(block.integer("icmp_code")?, "icmp_code");
    let action = reader.required(block.text(names.action)?, names.action, Lack::Acl, notes);
    let word = reader.required(block.text("protocol")?, "protocol", Lack::Acl, notes);
    // Inline entries hold both, one of them empty.
    let (key, range) = match block.text("cidr_block")? {
        Attribute::Value("") | Attribute::Null => ("ipv6_cidr_block", block.text("ipv6_cidr_block")?),
        v4 => ("cidr_block", v4),
    };
    let range = reader.required(range, key, Lack::Acl, notes);
    let icmp = icmp_type.zip(icmp_code);
    let (Some(number), Some(from), Some(to), Some((icmp_type, icmp_code))) = (number, from, to, icmp) else {
        return Ok(None);
    };
    let (Some(action), Some(word), Some(range)) = (action, word, range) else { return Ok(None) };

    let number = number.unwrap_or_default();
    let number =
        u32::try_from(number).map_err(|_| block.wrong(names.number, "1 to 32766", &Value::from(number)))?;
    let protocol = protocol(&block, word)?;
    let is = |protocols: [u8; 2]| protocol.is_some_and(|own| protocols.contains(&own));
    Ok(Some(AclEntry {
        number,
        direction,
        action: match action.to_ascii_lowercase().as_str() {
            "allow" => AclAction::Allow,
            "deny" => AclAction::Deny,
            _ => return Err(block.wrong(names.action, "allow or deny", &action.into())),
        },
        protocol,
        net: block.net(key, range)?,
        ports: if is([TCP, UDP]) { ports(&block, from, to)? } else { None },
        icmp: icmp_type
            .filter(|kind| *kind != -1 && is([ICMP, ICMPV6]))
            .map(|kind| (kind, icmp_code.unwrap_or(-1))),
    }))
}

/// None is every protocol. The provider takes IANA names too; those of the protocols that ACLs are written for.
fn protocol(block: &Block<'_>, word: &str) -> Result<Option<u8>, String> {
    match RuleProtocol::parse(word) {
        RuleProtocol::All => Ok(None),
        RuleProtocol::Number(number) => Ok(Some(number)),
        RuleProtocol::Unknown(word) => match word.to_ascii_lowercase().as_str() {
            "igmp" => Ok(Some(2)),
            "gre" => Ok(Some(47)),
            "esp" => Ok(Some(50)),
            "ah" => Ok(Some(51)),
            "ipv6-icmp" => Ok(Some(ICMPV6)),
            "sctp" => Ok(Some(132)),
            _ => {
                Err(block.wrong("protocol", "-1, a number or the name of a protocol", &word.as_str().into()))
            }
        },
    }
}

/// The range of a tcp or udp entry; None is every port.
fn ports(block: &Block<'_>, from: Option<i64>, to: Option<i64>) -> Result<Option<(u16, u16)>, String> {
    let (Some(from), Some(to)) = (from, to) else { return Ok(None) };
    if from == -1 {
        return Ok(None);
    }
    let port = |key: &str, port: i64| {
        u16::try_from(port).map_err(|_| block.wrong(key, "0 to 65535", &Value::from(port)))
    };
    Ok(Some((port("from_port", from)?, port("to_port", to)?)))
}
