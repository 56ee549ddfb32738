//! Managed prefix lists.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::Event;
use super::shape::{element, field, first_list, needed};
use crate::rules::aws::net;
use crate::rules::change::{Life, Resource, ResourceKind, What};

pub(super) fn created(event: &Event<'_>) -> Result<Vec<What>, String> {
    let id = needed(field(event.response, "prefixList").unwrap_or(event.response), "prefixListId")?;
    let entries = entries(&id, event.request, &["entry", "entries"])?;
    Ok(vec![What::Is(Life::Begins, Box::new(Resource::PrefixList(id, entries)))])
}

/// A call may only change the name or the size.
pub(super) fn modified(event: &Event<'_>) -> Result<Vec<What>, String> {
    let id = needed(event.request, "prefixListId")?;
    let added = entries(&id, event.request, &["addEntry", "addEntries"])?;
    let removed = entries(&id, event.request, &["removeEntry", "removeEntries"])?;
    if added.is_empty() && removed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![What::PrefixListEntries { prefix_list_id: id, added, removed }])
}

pub(super) fn deleted(event: &Event<'_>) -> Result<Vec<What>, String> {
    Ok(vec![What::Gone(ResourceKind::PrefixList, needed(event.request, "prefixListId")?)])
}

fn entries(id: &str, request: &Value, names: &[&str]) -> Result<Vec<IpNet>, String> {
    let read = |entry: &Value| net(id, "Cidr", &element(entry, "cidr")?);
    let nets: BTreeSet<IpNet> = first_list(request, names).into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(nets.into_iter().collect())
}
