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
pub(super) mod settle;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::aws::Objects;
use super::parse_net;
use answer::Answer;
pub use groups::GroupListing;

/// Ids in the name of a file: entries do not say of which list they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListIds<'a> {
    /// `pl-…`
    pub prefix: Option<&'a str>,
    /// `prl-…`
    pub ports: Option<&'a str>,
}

impl<'a> ListIds<'a> {
    /// Those in the name of a file.
    pub fn of(name: &'a str) -> Self {
        Self { prefix: id_in(name, "pl-"), ports: id_in(name, "prl-") }
    }
}

/// The id of this kind in a file name.
fn id_in<'a>(name: &'a str, kind: &str) -> Option<&'a str> {
    let before = |at: usize| at.checked_sub(1).map(|at| name.as_bytes()[at]);
    let start = name.find(kind).filter(|at| !before(*at).is_some_and(|byte| byte.is_ascii_alphanumeric()))?;
    let rest = &name[start + kind.len()..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (end > 0).then(|| &name[start..start + kind.len() + end])
}

/// Reads a document; None: it is none of these answers.
///
/// # Errors
/// A value that cannot be: says which object, key and value.
pub fn read(document: &Value, ids: ListIds<'_>) -> Result<Option<Objects>, String> {
    let answer = Answer(document);
    if let Value::Array(items) = document {
        let mut sum: Option<Objects> = None;
        for item in items {
            if let Some(objects) = read(item, ids)? {
                sum.get_or_insert_default().add_up(objects);
            }
        }
        return Ok(sum);
    }
    // As SDKs print an answer.
    if let Some(body @ Value::Object(_)) = document.get("body") {
        return read(body, ids);
    }
    let mut objects = Objects::default();
    let mut known = read_groups(answer, &mut objects)?;
    if let Some(all) = answer.list("NetworkInterfaceSets", "NetworkInterfaceSet") {
        interfaces::add(&all, &mut objects)?;
        known = true;
    } else if answer.has("NetworkInterfaceId") && (answer.has("SecurityGroupIds") || answer.has("VSwitchId"))
    {
        interfaces::add(&[answer], &mut objects)?;
        known = true;
    }
    if let Some(entries) = answer.list("Entries", "Entry") {
        known |= add_entries(answer, &entries, ids, &mut objects)?;
    }
    Ok(known.then_some(objects))
}

/// Groups, with their rules or without.
fn read_groups(answer: Answer<'_>, objects: &mut Objects) -> Result<bool, String> {
    if answer.has("SecurityGroupId") && answer.has("Permissions") {
        groups::add(answer, objects)?;
        return Ok(true);
    }
    if answer.has("SecurityGroupId") && answer.has("SecurityGroupType") {
        groups::list(&[answer], objects)?;
        return Ok(true);
    }
    // Those of AWS are a list without an inner one, of groups that have another id.
    let Some(groups) = answer.list("SecurityGroups", "SecurityGroup") else { return Ok(false) };
    let wrapped = answer.0["SecurityGroups"].is_object();
    if !wrapped && !groups.iter().any(|group| group.has("SecurityGroupId")) {
        return Ok(false);
    }
    let (described, listed): (Vec<_>, Vec<_>) = groups.into_iter().partition(|it| it.has("Permissions"));
    described.into_iter().try_for_each(|group| groups::add(group, objects))?;
    groups::list(&listed, objects)?;
    Ok(true)
}

/// Entries of a prefix list or of a list of port ranges. False: they are none that this reads.
fn add_entries(
    answer: Answer<'_>,
    entries: &[Answer<'_>],
    ids: ListIds<'_>,
    objects: &mut Objects,
) -> Result<bool, String> {
    let port_list = answer.text("PortRangeListId").or(ids.ports.map(Into::into));
    if let Some(id) = port_list.filter(|_| entries.iter().all(|entry| entry.has("PortRange"))) {
        let range = |entry: &Answer<'_>| {
            let text = entry.text("PortRange").unwrap_or_default();
            groups::ports(&text).map_err(|expected| format!("{id}: PortRange: {expected}, found \"{text}\""))
        };
        let ranges = entries.iter().map(range).collect::<Result<Vec<_>, _>>()?;
        let ranges = ranges.into_iter().map(|range| range.unwrap_or((0, u16::MAX))).collect();
        objects.port_lists.push((id.into_owned(), ranges));
        return Ok(true);
    }
    // Entries without an inner list are those of AWS, whose reader knows them.
    let id = answer.text("PrefixListId").or(ids.prefix.map(Into::into));
    let Some(id) = id.filter(|_| answer.0["Entries"].is_object()) else { return Ok(false) };
    let net = |entry: &Answer<'_>| {
        let text = entry.text("Cidr").unwrap_or_default();
        parse_net(&text).ok_or_else(|| format!("{id}: Cidr: expected an address range, found \"{text}\""))
    };
    let nets = entries.iter().map(net).collect::<Result<Vec<_>, _>>()?;
    objects.prefix_lists.push((id.into_owned(), nets));
    Ok(true)
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
