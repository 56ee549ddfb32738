//! Network interfaces, those of instances, and the groups attached to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attribute, Before, Block, GROUPS, INTERFACES, Lack, Missing, Notes, Reader, SUBNETS};
use crate::rules::aws::Objects;
use crate::rules::state::Interface;

/// Interfaces of one part of a document.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// Those that are resources.
    own: BTreeMap<String, Interface>,
    /// The primary ones of instances.
    primary: BTreeMap<String, Interface>,
    /// Groups attached by resources of their own: (interface, group) and the address.
    attached: BTreeMap<(String, String), String>,
    /// Those that exist and whose groups are not known.
    unsure: BTreeSet<String>,
}

impl Interfaces {
    /// Whether the resource is of a type read here.
    pub(super) fn add(
        &mut self,
        kind: &str,
        reader: Reader<'_, '_>,
        notes: &mut Notes,
    ) -> Result<bool, String> {
        match kind {
            "aws_network_interface" => self.add_interface(reader, notes)?,
            "aws_instance" => self.add_instance(reader, notes)?,
            "aws_network_interface_sg_attachment" => self.add_attachment(reader, notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_interface(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let Some(mut interface) = located(reader, "security_groups", notes)? else {
            self.unsure.extend(block.text("id")?.value().map(str::to_owned));
            return Ok(());
        };
        interface.id = reader.resource.id();
        add_addresses(&mut interface, &block, &["private_ip"], &["private_ips", "private_ip_list"])?;
        add_addresses(&mut interface, &block, &[], &["ipv6_addresses", "ipv6_address_list"])?;
        for key in ["ipv4_prefixes", "ipv6_prefixes"] {
            for text in block.texts(key)?.known {
                interface.prefixes.push(block.net(key, text)?);
            }
        }
        interface.description = block.string("description")?;
        interface.interface_type = match block.string("interface_type")?.as_str() {
            // The SDK's list of types has natGateway, the API answers nat_gateway.
            "natGateway" => "nat_gateway".to_owned(),
            "" => "interface".to_owned(),
            other => other.to_owned(),
        };
        if let Attribute::Value(attachments) = block.blocks("attachment")? {
            for attachment in attachments {
                interface.instance_id = attachment.string("instance")?;
            }
        }
        self.own.entry(interface.id.clone()).or_insert(interface);
        Ok(())
    }

    fn add_instance(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let id = match block.text("primary_network_interface_id")? {
            Attribute::Value("") | Attribute::Null => return Ok(()),
            Attribute::Value(id) => id.to_owned(),
            Attribute::Unknown => {
                reader.note(notes, "primary_network_interface_id", Lack::Interface);
                return Ok(());
            }
        };
        let Some(mut interface) = located(reader, "vpc_security_group_ids", notes)? else {
            self.unsure.insert(id);
            return Ok(());
        };
        interface.id = id;
        add_addresses(&mut interface, &block, &["private_ip"], &["secondary_private_ips", "ipv6_addresses"])?;
        if let Attribute::Value(text) = block.text("public_ip")? {
            interface.public_addresses = block.addresses("public_ip", &[text])?;
        }
        "interface".clone_into(&mut interface.interface_type);
        interface.instance_id = reader.resource.id();
        self.primary.entry(interface.id.clone()).or_insert(interface);
        Ok(())
    }

    fn add_attachment(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let ends = [("network_interface_id", &INTERFACES[..]), ("security_group_id", &GROUPS[..])];
        let mut ids = Vec::new();
        for (key, kinds) in ends {
            ids.extend(reader.required_id(key, kinds, Lack::Interface, notes)?);
        }
        if let Ok([interface, group]) = <[String; 2]>::try_from(ids) {
            self.attached.insert((interface, group), reader.block.address.to_owned());
        }
        Ok(())
    }

    /// Puts the interfaces into the objects. Subnets and groups have to be there: they say which VPC it is.
    pub(super) fn finish(self, before: Option<Before<'_>>, objects: &mut Objects, notes: &mut Notes) {
        let Self { own: mut interfaces, primary, attached, unsure } = self;
        for (id, primary) in primary {
            match interfaces.get_mut(&id) {
                Some(own) => complete(own, primary),
                // The instance repeats what the resource was.
                None if unsure.contains(&id) => {}
                None => {
                    interfaces.insert(id, primary);
                }
            }
        }
        if let Some(before) = before {
            let gone = before.replaced.interfaces.attached.keys().filter(|end| !attached.contains_key(*end));
            for (id, group) in gone {
                let was_repeated = before.now.is_none_or(|now| now.interfaces.holds(id, group));
                if let Some(interface) = interfaces.get_mut(id).filter(|_| was_repeated) {
                    interface.group_ids.retain(|held| held != group);
                }
            }
        }
        for ((id, group), address) in attached {
            match interfaces.get_mut(&id) {
                Some(interface) if interface.group_ids.contains(&group) => {}
                Some(interface) => interface.group_ids.push(group),
                None if unsure.contains(&id) => {}
                None => notes.add(&address, "network_interface_id", Lack::Interface),
            }
        }
        let vpcs = vpcs(objects);
        for interface in interfaces.values_mut() {
            let mut homes = std::iter::once(&interface.subnet_id).chain(&interface.group_ids);
            interface.vpc_id = homes.find_map(|id| vpcs.get(id).cloned()).unwrap_or_default();
        }
        // One that is left out must not stay as it was either.
        let are_described = !unsure.is_empty() || !interfaces.is_empty();
        objects.interfaces = are_described.then(|| interfaces.into_values().collect());
    }

    fn holds(&self, id: &str, group: &String) -> bool {
        let both = [self.own.get(id), self.primary.get(id)];
        both.into_iter().flatten().any(|interface| interface.group_ids.contains(group))
    }
}

/// An interface with its groups and where it lies; None, with a note, where not all groups are known: without one of
/// them, traffic that it lets through would seem refused.
fn located(reader: Reader<'_, '_>, groups: &str, notes: &mut Notes) -> Result<Option<Interface>, String> {
    let (group_ids, missing) = reader.ids(groups, &GROUPS)?;
    if missing != Missing::Nothing {
        reader.note(notes, groups, Lack::Interface);
        return Ok(None);
    }
    let (owner_id, region) = reader.block.home()?;
    let subnet_id = reader.id("subnet_id", &SUBNETS)?.value().unwrap_or_default();
    Ok(Some(Interface { group_ids, subnet_id, owner_id, region, ..Interface::default() }))
}

/// Adds addresses once each, in the order given.
fn add_addresses(
    interface: &mut Interface,
    block: &Block<'_>,
    single: &[&str],
    lists: &[&str],
) -> Result<(), String> {
    let mut found = Vec::new();
    for key in single {
        if let Attribute::Value(text) = block.text(key)? {
            found.extend(block.addresses(key, &[text])?);
        }
    }
    for key in lists {
        found.extend(block.addresses(key, &block.texts(key)?.known)?);
    }
    for address in found {
        if !interface.addresses.contains(&address) {
            interface.addresses.push(address);
        }
    }
    Ok(())
}

/// What the instance says of an interface that is a resource too. Its groups are the resource's own matter.
fn complete(own: &mut Interface, primary: Interface) {
    for (into, from) in
        [(&mut own.addresses, primary.addresses), (&mut own.public_addresses, primary.public_addresses)]
    {
        for address in from {
            if !into.contains(&address) {
                into.push(address);
            }
        }
    }
    if own.instance_id.is_empty() {
        own.instance_id = primary.instance_id;
    }
}

/// The VPC of each subnet and group.
fn vpcs(objects: &Objects) -> BTreeMap<String, String> {
    let subnets = objects.subnets.iter().flatten().map(|subnet| (&subnet.id, &subnet.vpc_id));
    let groups = objects.groups.iter().flatten().map(|group| (&group.id, &group.vpc_id));
    let known = subnets.chain(groups).filter(|(_, vpc)| !vpc.is_empty());
    known.map(|(id, vpc)| (id.clone(), vpc.clone())).collect()
}
