//! VPCs, subnets and prefix lists.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::{Attribute, Before, Lack, Notes, PREFIX_LISTS, Reader, VPCS};
use crate::rules::aws::Objects;
use crate::rules::state::Subnet;

/// VPCs, subnets and prefix lists of one part of a document.
#[derive(Debug, Default)]
pub(super) struct Networks {
    vpcs: BTreeMap<String, BTreeSet<IpNet>>,
    subnets: Option<BTreeMap<String, Subnet>>,
    /// Prefix lists with their inline entries.
    lists: BTreeMap<String, BTreeSet<IpNet>>,
    /// Entries that are resources, with their addresses.
    own: BTreeMap<(String, IpNet), String>,
    /// Prefix lists of which not every entry is known.
    unsure: BTreeSet<String>,
}

impl Networks {
    /// Whether the resource is of a type read here.
    pub(super) fn add(
        &mut self,
        kind: &str,
        reader: Reader<'_, '_>,
        notes: &mut Notes,
    ) -> Result<bool, String> {
        match kind {
            "aws_vpc" | "aws_default_vpc" => self.add_vpc(reader.resource.id(), reader, notes)?,
            "aws_vpc_ipv4_cidr_block_association" => {
                if let Some(vpc) = reader.required_id("vpc_id", &VPCS, Lack::Range, notes)? {
                    self.add_vpc(vpc, reader, notes)?;
                }
            }
            "aws_subnet" | "aws_default_subnet" => self.add_subnet(reader, notes)?,
            "aws_ec2_managed_prefix_list" => self.add_list(reader, notes)?,
            "aws_ec2_managed_prefix_list_entry" => self.add_entry(reader, notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_vpc(&mut self, id: String, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        if let Some(text) =
            reader.required(reader.block.text("cidr_block")?, "cidr_block", Lack::Range, notes)
        {
            self.vpcs.entry(id).or_default().insert(reader.block.net("cidr_block", text)?);
        }
        Ok(())
    }

    fn add_subnet(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let subnets = self.subnets.get_or_insert_default();
        let mut ranges = Vec::new();
        for key in ["cidr_block", "ipv6_cidr_block"] {
            match block.text(key)? {
                Attribute::Value("") | Attribute::Null => {}
                Attribute::Value(text) => ranges.push(block.net(key, text)?),
                Attribute::Unknown => {
                    reader.note(notes, key, Lack::Range);
                    return Ok(());
                }
            }
        }
        let id = reader.resource.id();
        let vpc_id = reader.id("vpc_id", &VPCS)?.value().unwrap_or_default();
        let (owner_id, _) = block.home()?;
        subnets.entry(id.clone()).or_insert(Subnet { id, vpc_id, owner_id, ranges });
        Ok(())
    }

    fn add_list(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let id = reader.resource.id();
        let mut nets = BTreeSet::new();
        match reader.block.blocks("entry")? {
            Attribute::Value(entries) => {
                for block in entries {
                    let reader = reader.element(block);
                    match reader.required(block.text("cidr")?, "cidr", Lack::PrefixList, notes) {
                        Some(text) => {
                            nets.insert(block.net("cidr", text)?);
                        }
                        None => {
                            self.unsure.insert(id.clone());
                        }
                    }
                }
            }
            Attribute::Null => {}
            Attribute::Unknown => reader.note(notes, "entry", Lack::Inline),
        }
        self.lists.entry(id).or_default().extend(nets);
        Ok(())
    }

    fn add_entry(&mut self, reader: Reader<'_, '_>, notes: &mut Notes) -> Result<(), String> {
        let block = reader.block;
        let list = reader.required_id("prefix_list_id", &PREFIX_LISTS, Lack::PrefixList, notes)?;
        let cidr = reader.required(block.text("cidr")?, "cidr", Lack::PrefixList, notes);
        match (list, cidr) {
            (Some(list), Some(cidr)) => {
                self.own.insert((list, block.net("cidr", cidr)?), block.address.to_owned());
            }
            (Some(list), None) => {
                self.unsure.insert(list);
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Puts networks into the objects.
    pub(super) fn finish(mut self, before: Option<Before<'_>>, objects: &mut Objects, notes: &mut Notes) {
        if let Some(Before { replaced, now }) = before {
            for (list, net) in replaced.networks.own.keys() {
                let holds = |networks: &Self| networks.lists.get(list).is_some_and(|nets| nets.contains(net));
                let was_repeated = now.is_none_or(|now| holds(&now.networks));
                if let Some(nets) = self.lists.get_mut(list).filter(|_| was_repeated) {
                    nets.remove(net);
                }
            }
        }
        for ((list, net), address) in self.own {
            match self.lists.get_mut(&list) {
                Some(nets) => {
                    nets.insert(net);
                }
                // One entry of a list is not the list.
                None => notes.add(&address, "prefix_list_id", Lack::PrefixList),
            }
        }
        let known = |nets: BTreeSet<IpNet>| nets.into_iter().collect();
        let lists = self.lists.into_iter().filter(|(id, _)| !self.unsure.contains(id));
        objects.prefix_lists = lists.map(|(id, nets)| (id, known(nets))).collect();
        objects.vpcs = self.vpcs.into_iter().map(|(id, nets)| (id, known(nets))).collect();
        objects.subnets = self.subnets.map(|subnets| subnets.into_values().collect());
    }
}
