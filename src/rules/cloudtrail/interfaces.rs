//! Interfaces, alone and with the instances they were launched with: groups and addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::Event;
use super::shape::{element, field, first_list, group_ids, label, label_or_empty, list, needed, string};
use crate::rules::aws::net;
use crate::rules::change::{Life, Resource, ResourceKind, What};
use crate::rules::state::{Cloud, Interface};

pub(super) fn created(event: &Event<'_>) -> Result<Vec<What>, String> {
    let Some(told) = field(event.response, "networkInterface") else {
        return Err("expected networkInterface, found nothing".to_owned());
    };
    let interface = interface(event, told)?;
    Ok(vec![What::Is(Life::Begins, Box::new(Resource::Interface(interface)))])
}

pub(super) fn deleted(event: &Event<'_>) -> Result<Vec<What>, String> {
    Ok(vec![What::Gone(ResourceKind::Interface, needed(event.request, "networkInterfaceId")?)])
}

/// `RunInstances`: the instances bring new interfaces with them, or take those that the request names.
pub(super) fn launched(event: &Event<'_>) -> Result<Vec<What>, String> {
    let taken: BTreeSet<String> = list(field(event.request, "networkInterfaceSet"))
        .into_iter()
        .filter_map(|asked| label(asked, "networkInterfaceId"))
        .collect();
    let instances = list(field(event.response, "instancesSet"));
    if instances.is_empty() {
        return Err("expected instancesSet, found nothing".to_owned());
    }
    let mut whats = Vec::new();
    for instance in instances {
        let instance_id = needed(instance, "instanceId")?;
        for told in list(field(instance, "networkInterfaceSet")) {
            let mut interface = interface(event, told)?;
            interface.instance_id.clone_from(&instance_id);
            let life = if taken.contains(&interface.id) { Life::GoesOn } else { Life::Begins };
            whats.push(What::Is(life, Box::new(Resource::Interface(interface))));
        }
    }
    Ok(whats)
}

/// One attribute a call, mostly another one than the groups. An interface is never without a group.
pub(super) fn interface_groups(event: &Event<'_>) -> Result<Vec<What>, String> {
    let groups = asked_groups(event);
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![What::InterfaceGroups {
        interface_id: needed(event.request, "networkInterfaceId")?,
        group_ids: group_ids(&groups)?,
    }])
}

pub(super) fn instance_groups(event: &Event<'_>) -> Result<Vec<What>, String> {
    let groups = asked_groups(event);
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![What::InstanceGroups {
        instance_id: needed(event.request, "instanceId")?,
        group_ids: group_ids(&groups)?,
    }])
}

fn asked_groups<'a>(event: &Event<'a>) -> Vec<&'a Value> {
    first_list(event.request, &["groupSet", "groupId", "groups"])
}

/// What was asked for by number only the response tells.
pub(super) fn assigned(event: &Event<'_>) -> Result<Vec<What>, String> {
    let (interface_id, added) = addresses(event)?;
    Ok(vec![What::InterfaceAddresses { interface_id, added, removed: Vec::new() }])
}

pub(super) fn unassigned(event: &Event<'_>) -> Result<Vec<What>, String> {
    let (interface_id, removed) = addresses(event)?;
    Ok(vec![What::InterfaceAddresses { interface_id, added: Vec::new(), removed }])
}

/// Where addresses and prefixes stand, in requests and in responses, and what an element of each calls them.
const ADDRESS_LISTS: [(&str, &str); 16] = [
    ("privateIpAddressesSet", "privateIpAddress"),
    ("privateIpAddresses", "privateIpAddress"),
    ("privateIpAddress", "privateIpAddress"),
    ("assignedPrivateIpAddressesSet", "privateIpAddress"),
    ("ipv6Addresses", "ipv6Address"),
    ("ipv6AddressesSet", "ipv6Address"),
    ("assignedIpv6Addresses", "ipv6Address"),
    ("unassignedIpv6Addresses", "ipv6Address"),
    ("ipv4Prefixes", "ipv4Prefix"),
    ("ipv4Prefix", "ipv4Prefix"),
    ("assignedIpv4PrefixSet", "ipv4Prefix"),
    ("ipv6Prefixes", "ipv6Prefix"),
    ("ipv6Prefix", "ipv6Prefix"),
    ("assignedIpv6PrefixSet", "ipv6Prefix"),
    ("unassignedIpv6PrefixSet", "ipv6Prefix"),
    ("unassignedIpv4PrefixSet", "ipv4Prefix"),
];

fn addresses(event: &Event<'_>) -> Result<(String, Vec<IpNet>), String> {
    let id = needed(event.request, "networkInterfaceId")?;
    let mut nets = BTreeSet::new();
    for of in [event.request, event.response] {
        for (list_name, name) in ADDRESS_LISTS {
            for told in list(field(of, list_name)) {
                nets.insert(net(&id, name, &element(told, name)?)?);
            }
        }
    }
    if nets.is_empty() {
        return Err("expected addresses, found nothing".to_owned());
    }
    Ok((id, nets.into_iter().collect()))
}

/// An interface as `CreateNetworkInterface` and `RunInstances` answer it.
fn interface(event: &Event<'_>, told: &Value) -> Result<Interface, String> {
    let id = needed(told, "networkInterfaceId")?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut public: Vec<IpAddr> = Vec::new();
    let mut written = Vec::new();
    for key in ["privateIpAddress", "ipv6Address"] {
        written.extend(string(told, key)?.map(|text| (key, text)));
    }
    let secondary = list(field(told, "privateIpAddressesSet"));
    for of in &secondary {
        written.push(("privateIpAddress", element(of, "privateIpAddress")?));
    }
    for of in list(field(told, "ipv6AddressesSet")) {
        written.push(("ipv6Address", element(of, "ipv6Address")?));
    }
    for (key, text) in &written {
        push(&mut addresses, &id, key, text)?;
    }
    for of in std::iter::once(told).chain(secondary) {
        if let Some(text) = field(of, "association").and_then(|association| label(association, "publicIp")) {
            push(&mut public, &id, "publicIp", &text)?;
        }
    }
    let v4 = first_list(told, &["ipv4PrefixSet", "ipv4Prefixes"]).into_iter().map(|of| (of, "ipv4Prefix"));
    let v6 = first_list(told, &["ipv6PrefixSet", "ipv6Prefixes"]).into_iter().map(|of| (of, "ipv6Prefix"));
    let prefixes =
        v4.chain(v6).map(|(of, name)| net(&id, name, &element(of, name)?)).collect::<Result<_, _>>()?;
    Ok(Interface {
        addresses,
        prefixes,
        public_addresses: public,
        group_ids: group_ids(&list(field(told, "groupSet")))?,
        subnet_id: label_or_empty(told, "subnetId"),
        vpc_id: label_or_empty(told, "vpcId"),
        owner_id: label(told, "ownerId").unwrap_or_else(|| event.account.clone()),
        region: event.region.clone(),
        interface_type: label_or_empty(told, "interfaceType"),
        description: label_or_empty(told, "description"),
        requester_id: label_or_empty(told, "requesterId"),
        requester_managed: field(told, "requesterManaged").and_then(serde_json::Value::as_bool),
        instance_id: String::new(),
        id,
        cloud: Cloud::Aws,
    })
}

/// The primary address is told twice.
fn push(into: &mut Vec<IpAddr>, id: &str, name: &str, text: &str) -> Result<(), String> {
    let address =
        text.parse().map_err(|_| format!("{id}: {name}: expected an IP address, found \"{text}\""))?;
    if !into.contains(&address) {
        into.push(address);
    }
    Ok(())
}
