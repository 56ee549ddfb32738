//! Resources of the parts of a document, by address.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::block::{Attribute, Block, short};

/// One step of an address: `web["x"]` is a name and an index, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) index: Option<&'a str>,
}

/// The steps of an address or a reference. Dots in an index do not part steps.
pub(super) fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, mut after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        let mut index = None;
        while let Some((inner, behind)) = after.strip_prefix('[').and_then(bracketed) {
            index = index.or(Some(inner));
            after = behind;
        }
        steps.push(Step { name, index });
        let Some(next) = after.strip_prefix('.') else { break };
        rest = next;
    }
    steps
}

/// What lies before the closing bracket, and behind it. Brackets in quotes close nothing.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return text.get(..at).zip(text.get(at + 1..)),
            _ => {}
        }
    }
    None
}

/// One managed resource instance.
#[derive(Debug, Clone)]
pub(super) struct Resource<'a> {
    /// `type`.
    pub(super) kind: &'a str,
    /// `name`.
    pub(super) name: &'a str,
    /// The key that `for_each` or `count` gave it, as written in its address.
    pub(super) index: Option<&'a str>,
    /// The module instance it lies in, outermost first.
    pub(super) module: Vec<Step<'a>>,
    /// Its attributes.
    pub(super) block: Block<'a>,
}

impl<'a> Resource<'a> {
    fn new(address: &'a str, values: &'a Value, unknown: Option<&'a Value>) -> Self {
        let steps = steps(address);
        let mut rest = steps.as_slice();
        let mut module = Vec::new();
        while let [Step { name: "module", .. }, call, inner @ ..] = rest {
            module.push(*call);
            rest = inner;
        }
        let (kind, name, index) = match rest {
            [kind, own, ..] => (kind.name, own.name, own.index),
            _ => ("", "", None),
        };
        Self { kind, name, index, module, block: Block::new(address, values, unknown) }
    }

    /// The id AWS gave it. What is not created yet goes by its address.
    pub(super) fn id(&self) -> String {
        match self.block.text("id") {
            Ok(Attribute::Value(id)) if !id.is_empty() => id.to_owned(),
            _ => self.block.address.to_owned(),
        }
    }
}

/// The resources of one part of a document.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources<'a> {
    /// By address and, for what waits to be destroyed after its replacement, `deposed_key`.
    pub(super) managed: BTreeMap<(&'a str, &'a str), Resource<'a>>,
    /// Addresses of data sources.
    pub(super) data: BTreeSet<&'a str>,
}

impl<'a> Resources<'a> {
    /// Those of a values representation: `{"root_module": …}`.
    pub(super) fn of_values(values: &'a Value) -> Result<Self, String> {
        let mut resources = Self::default();
        if let Some(root) = values.get("root_module") {
            resources.add_module(root)?;
        }
        Ok(resources)
    }

    fn add_module(&mut self, module: &'a Value) -> Result<(), String> {
        for resource in list(module, "resources")? {
            let address = address(resource)?;
            if is_data(resource) {
                self.data.insert(address);
                continue;
            }
            let deposed = resource.get("deposed_key").and_then(Value::as_str).unwrap_or_default();
            let values = resource.get("values").unwrap_or(&Value::Null);
            self.managed.insert((address, deposed), Resource::new(address, values, None));
        }
        list(module, "child_modules")?.iter().try_for_each(|child| self.add_module(child))
    }

    /// What a plan leaves behind: the planned values, completed by what the changes say and by what they leave alone.
    pub(super) fn proposed(planned: Self, prior: &Self, changes: &[Change<'a>]) -> Self {
        let mut resources = planned;
        let mut named = BTreeSet::new();
        for change in changes.iter().filter(|change| change.deposed.is_empty()) {
            if !change.forgets() {
                named.insert(change.address);
                named.extend(change.previous_address);
            }
            if let Some(after) = change.after {
                let resource = Resource::new(change.address, after, change.after_unknown);
                resources.managed.insert((change.address, ""), resource);
            }
        }
        for (&(address, deposed), resource) in &prior.managed {
            if deposed.is_empty() && !named.contains(address) {
                resources.managed.entry((address, "")).or_insert_with(|| resource.clone());
            }
        }
        resources.data.extend(&prior.data);
        resources
    }

    /// What the changes take away or write anew, as it was.
    pub(super) fn replaced(changes: &[Change<'a>]) -> Self {
        let mut resources = Self::default();
        for change in changes.iter().filter(|change| change.replaces()) {
            if let Some(before) = change.before {
                let resource = Resource::new(change.address, before, None);
                resources.managed.insert((change.address, change.deposed), resource);
            }
        }
        resources
    }
}

/// One entry of `resource_changes` about a managed resource.
#[derive(Debug)]
pub(super) struct Change<'a> {
    address: &'a str,
    /// The key of an object that was replaced earlier and waits to be destroyed: it is not the resource itself.
    deposed: &'a str,
    previous_address: Option<&'a str>,
    actions: Vec<&'a str>,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    after_unknown: Option<&'a Value>,
}

impl<'a> Change<'a> {
    /// Those of a plan.
    pub(super) fn all(plan: &'a Value) -> Result<Vec<Self>, String> {
        let mut changes = Vec::new();
        for entry in list(plan, "resource_changes")? {
            let address = address(entry)?;
            if is_data(entry) {
                continue;
            }
            let change = entry.get("change").unwrap_or(&Value::Null);
            let object = |key: &str| change.get(key).filter(|value| value.is_object());
            changes.push(Self {
                address,
                deposed: entry.get("deposed").and_then(Value::as_str).unwrap_or_default(),
                previous_address: entry.get("previous_address").and_then(Value::as_str),
                actions: list(change, "actions")?.iter().filter_map(Value::as_str).collect(),
                before: object("before"),
                after: object("after"),
                after_unknown: change.get("after_unknown"),
            });
        }
        Ok(changes)
    }

    /// Terraform lets go of the resource, which stays as it is.
    fn forgets(&self) -> bool {
        self.actions == ["forget"]
    }

    fn replaces(&self) -> bool {
        self.actions.iter().any(|action| matches!(*action, "delete" | "update"))
    }
}

fn is_data(resource: &Value) -> bool {
    resource.get("mode").and_then(Value::as_str).is_some_and(|mode| mode != "managed")
}

fn address(resource: &Value) -> Result<&str, String> {
    match resource.get("address") {
        Some(Value::String(address)) => Ok(address),
        found => Err(format!(
            "resource: address: expected a string, found {}",
            found.map_or_else(|| "none".to_owned(), short)
        )),
    }
}

/// The elements of a list; none where it is null or not there.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> Result<&'a [Value], String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(found) => Err(format!("{key}: expected a list, found {}", short(found))),
    }
}
