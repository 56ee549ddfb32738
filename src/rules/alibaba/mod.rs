//! Answers of Alibaba Cloud's ECS API → our nouns, once. Nothing outside this folder knows one of its keys.
//!
//! ```text
//! DescribeSecurityGroupAttribute ─▶ groups (a group and its rules, page by page)  ─┐
//! DescribeSecurityGroups ─────────▶ listed (which type a group is of)             ─┼▶ Objects, settled when all are in
//! DescribePortRangeListEntries ───▶ port lists                                    ─┤
//! DescribeNetworkInterfaces, DescribePrefixListAttributes ─────────────────────────┘
//! ```
//!
//! An answer is told by its keys. Lists come wrapped twice (`{"Permissions": {"Permission": […]}}`) or once; an empty
//! string is an absent value; numbers may be strings.
//! Shapes: <https://www.alibabacloud.com/help/en/ecs/developer-reference/api-overview>.

mod answer;
pub mod defaults;
mod groups;
mod interfaces;
mod settle;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::aws::Objects;
use super::parse_net;
use answer::Answer;
pub use groups::GroupListing;

/// Reads a document; None: it is none of these answers. `list_id` is the `prl-…` id in the name of its file: the entries of
/// a port list do not say whose they are.
///
/// # Errors
/// A value that cannot be: says which object, key and value.
pub fn read(document: &Value, list_id: Option<&str>) -> Result<Option<Objects>, String> {
    let answer = Answer(document);
    if let Value::Array(items) = document {
        let mut sum: Option<Objects> = None;
        for item in items {
            if let Some(objects) = read(item, list_id)? {
                sum.get_or_insert_default().add_up(objects);
            }
        }
        return Ok(sum);
    }
    // As SDKs print an answer.
    if let Some(body @ Value::Object(_)) = document.get("body") {
        return read(body, list_id);
    }
    let mut objects = Objects::default();
    if answer.has("SecurityGroupId") && answer.has("Permissions") {
        groups::add(answer, &mut objects)?;
    } else if answer.has("SecurityGroupId") && answer.has("SecurityGroupType") {
        groups::list(&[answer], &mut objects)?;
    } else if let Some(groups) = answer.list("SecurityGroups", "SecurityGroup") {
        if !groups.is_empty() && groups.iter().all(|group| !group.has("SecurityGroupId")) {
            return Ok(None);
        }
        if groups.is_empty() && !document["SecurityGroups"].is_object() {
            return Ok(None);
        }
        let (described, listed): (Vec<_>, Vec<_>) = groups.into_iter().partition(|it| it.has("Permissions"));
        described.into_iter().try_for_each(|group| groups::add(group, &mut objects))?;
        groups::list(&listed, &mut objects)?;
    } else if let Some(all) = answer.list("NetworkInterfaceSets", "NetworkInterfaceSet") {
        interfaces::add(&all, &mut objects)?;
    } else if answer.has("NetworkInterfaceId") && (answer.has("SecurityGroupIds") || answer.has("VSwitchId"))
    {
        interfaces::add(&[answer], &mut objects)?;
    } else if let Some(entries) = answer.list("Entries", "Entry") {
        return add_entries(answer, &entries, list_id, objects);
    } else {
        return Ok(None);
    }
    Ok(Some(objects))
}

/// Entries of a prefix list or of a list of port ranges.
fn add_entries(
    answer: Answer<'_>,
    entries: &[Answer<'_>],
    list_id: Option<&str>,
    mut objects: Objects,
) -> Result<Option<Objects>, String> {
    let port_list = answer.text("PortRangeListId").or(list_id.map(Into::into));
    if let Some(id) = port_list.filter(|_| entries.iter().all(|entry| entry.has("PortRange"))) {
        let range = |entry: &Answer<'_>| {
            let text = entry.text("PortRange").unwrap_or_default();
            groups::ports(&text).map_err(|expected| format!("{id}: PortRange: {expected}, found \"{text}\""))
        };
        let ranges = entries.iter().map(range).collect::<Result<Vec<_>, _>>()?;
        let ranges = ranges.into_iter().map(|range| range.unwrap_or((0, u16::MAX))).collect();
        objects.port_lists.push((id.into_owned(), ranges));
        return Ok(Some(objects));
    }
    // Entries without an inner list are those of AWS, whose reader knows them.
    let Some(id) = answer.text("PrefixListId").filter(|_| answer.0["Entries"].is_object()) else {
        return Ok(None);
    };
    let net = |entry: &Answer<'_>| {
        let text = entry.text("Cidr").unwrap_or_default();
        parse_net(&text).ok_or_else(|| format!("{id}: Cidr: expected an address range, found \"{text}\""))
    };
    let nets = entries.iter().map(net).collect::<Result<Vec<_>, _>>()?;
    objects.prefix_lists.push((id.into_owned(), nets));
    Ok(Some(objects))
}

/// The region of a zone: `cn-hangzhou-h`, `ap-southeast-1a`, `cn-shanghai-finance-1b`.
fn zone_region(zone: &str) -> &str {
    let without = zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    match without.strip_suffix('-') {
        _ if zone.len() != without.len() + 1 => "",
        Some(region) => region,
        None => without,
    }
}
