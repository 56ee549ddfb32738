//! `DescribeNetworkInterfaces` → interfaces.

use std::net::IpAddr;

use ipnet::IpNet;

use super::answer::Answer;
use super::zone_region;
use crate::rules::aws::Objects;
use crate::rules::parse_net;
use crate::rules::state::{Cloud, Interface};

/// Adds the interfaces of an answer. One without any does not say of which account and region it is: nothing follows.
pub(super) fn add(all: &[Answer<'_>], objects: &mut Objects) -> Result<(), String> {
    if all.is_empty() {
        return Ok(());
    }
    let interfaces = objects.interfaces.get_or_insert_default();
    for answer in all {
        interfaces.push(interface(*answer)?);
    }
    Ok(())
}

fn interface(answer: Answer<'_>) -> Result<Interface, String> {
    let id = answer.owned("NetworkInterfaceId");
    let address = |key: &str, text: &str| -> Result<IpAddr, String> {
        text.parse().map_err(|_| format!("{id}: {key}: expected an IP address, found \"{text}\""))
    };
    let sets = answer.items("PrivateIpSets", "PrivateIpSet");
    let v4 = sets.iter().map(|set| (*set, "PrivateIpAddress"));
    let v6 = answer.items("Ipv6Sets", "Ipv6Set").into_iter().map(|set| (set, "Ipv6Address"));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for (of, key) in std::iter::once((answer, "PrivateIpAddress")).chain(v4).chain(v6) {
        if let Some(text) = of.text(key) {
            push_new(&mut addresses, address(key, &text)?);
        }
    }
    let mut public_addresses: Vec<IpAddr> = Vec::new();
    for of in std::iter::once(answer).chain(sets) {
        if let Some(associated) = of.0.get("AssociatedPublicIp").map(Answer)
            && let Some(text) = associated.text("PublicIpAddress")
        {
            push_new(&mut public_addresses, address("PublicIpAddress", &text)?);
        }
    }
    let zone = answer.owned("ZoneId");
    let region = if zone.is_empty() { answer.owned("RegionId") } else { zone_region(&zone).to_owned() };
    let group_ids = answer.items("SecurityGroupIds", "SecurityGroupId");
    let alone = answer.text("SecurityGroupId").map(std::borrow::Cow::into_owned);
    let group_ids = group_ids.iter().filter_map(|id| id.as_text()).map(str::to_owned).chain(alone).collect();
    let instance = answer.text("InstanceId").map(std::borrow::Cow::into_owned);
    let attached = || Some(Answer(answer.0.get("Attachment")?).owned("InstanceId"));
    Ok(Interface {
        addresses,
        prefixes: prefixes(&id, answer)?,
        public_addresses,
        group_ids,
        subnet_id: answer.owned("VSwitchId"),
        vpc_id: answer.owned("VpcId"),
        owner_id: answer.owned("OwnerId"),
        region,
        interface_type: answer.owned("Type").to_ascii_lowercase(),
        description: answer
            .text("Description")
            .or(answer.text("NetworkInterfaceName"))
            .unwrap_or_default()
            .into(),
        requester_id: answer.owned("ServiceID"),
        requester_managed: answer.has("ServiceManaged").then(|| answer.is_true("ServiceManaged")),
        instance_id: instance.or_else(attached).unwrap_or_default(),
        cloud: Cloud::Alibaba,
        id,
    })
}

fn push_new(addresses: &mut Vec<IpAddr>, address: IpAddr) {
    if !addresses.contains(&address) {
        addresses.push(address);
    }
}

fn prefixes(id: &str, answer: Answer<'_>) -> Result<Vec<IpNet>, String> {
    let v4 = answer.items("Ipv4PrefixSets", "Ipv4PrefixSet").into_iter().map(|set| (set, "Ipv4Prefix"));
    let v6 = answer.items("Ipv6PrefixSets", "Ipv6PrefixSet").into_iter().map(|set| (set, "Ipv6Prefix"));
    let texts = v4.chain(v6).filter_map(|(set, key)| Some((key, set.text(key)?)));
    texts
        .map(|(key, text)| {
            parse_net(&text)
                .ok_or_else(|| format!("{id}: {key}: expected an address range, found \"{text}\""))
        })
        .collect()
}
