//! `terraform show -json` (`tofu show -json` alike) → snapshot objects.
//!
//! ```text
//! values, prior_state ──────────────────────▶ resource ─▶ groups, interfaces, acls, networks ─▶ Objects
//! planned_values + resource_changes ─────────▶    ▲             ▲
//! configuration ─▶ references (which id an unknown one will be) ┘
//! ```
//!
//! A refreshed `aws_security_group` repeats in `ingress` and `egress` every rule of the group, also those that resources
//! of their own write (so do ACLs, prefix lists and interfaces). What a plan takes away from such a resource is therefore
//! taken from the repetition too.
//!
//! What the plan does not know yet is never guessed: it is listed, and what would be wrong without it is left out.
//! Source: <https://developer.hashicorp.com/terraform/internals/json-format>.

mod acls;
mod block;
mod groups;
mod interfaces;
mod networks;
mod references;
mod resource;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use super::Rule;
use super::aws::Objects;
use acls::Acls;
use block::{Attribute, Block, Missing, Texts, short};
use groups::Groups;
use interfaces::Interfaces;
use networks::Networks;
use references::References;
use resource::{Change, Resource, Resources};

/// What a document of Terraform says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terraform {
    /// What is there now: a state's `values`, a plan's `prior_state`. None: the plan has none, as nothing was applied yet.
    pub state: Option<Objects>,
    /// What will be there when the plan was applied. None: the document is a state. What is not created yet goes by its
    /// resource address in place of its id.
    pub proposed: Option<Objects>,
    /// Resources that say nothing about what is read here, and data sources.
    pub others: u64,
    /// What the document does not tell, sorted.
    pub unknown: Vec<Unknown>,
    /// Which resource writes a group or a rule, sorted.
    pub addresses: Vec<Written>,
}

/// Something that the plan does not know yet, or that depends on a resource the document does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// The resource, such as `module.a.aws_security_group.web["x"]`.
    pub address: String,
    /// Its attribute, such as `ingress[0].security_groups`.
    pub attribute: String,
    /// What the objects lack because of it.
    pub lack: Lack,
}

/// What the objects lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// At least one rule.
    Rule,
    /// What the group, ACL or prefix list writes inline, as a whole. Terraform says so of every new one that writes
    /// nothing inline: then nothing is lacking.
    Inline,
    /// An interface whose groups are not known, or a group of an interface that is not in the document.
    Interface,
    /// An ACL (left out as a whole: its first match decides), or the subnets it is associated with.
    Acl,
    /// A prefix list (left out as a whole).
    PrefixList,
    /// A subnet, or a range of a VPC.
    Range,
}

/// Where a group or a rule is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// The resource address.
    pub address: String,
    /// The group, or the group that holds the rule.
    pub group_id: String,
    /// The rule; None: the group itself.
    pub rule: Option<Rule>,
}

/// Reads a document; None: it is no state and no plan as `terraform show -json` writes them.
///
/// # Errors
/// A `format_version` this does not read, or an attribute that cannot be: says which resource, attribute and value.
pub fn read(document: &Value) -> Result<Option<Terraform>, String> {
    let Some(version) = document.get("format_version").and_then(Value::as_str) else { return Ok(None) };
    let has = |key: &str| document.get(key).is_some_and(|value| !value.is_null());
    let is_plan = has("planned_values") || has("resource_changes");
    // Where nothing was ever applied, the state is its versions and nothing else.
    let is_bare = document.as_object().is_some_and(|keys| {
        keys.keys().all(|key| matches!(key.as_str(), "format_version" | "terraform_version"))
    });
    if !is_plan && !has("values") && !is_bare {
        return Ok(None);
    }
    check_version(version)?;
    if is_plan { read_plan(document) } else { read_state(document) }.map(Some)
}

/// Minor versions add keys; major ones change what they mean.
fn check_version(version: &str) -> Result<(), String> {
    match version.split('.').next() {
        Some("0" | "1") => Ok(()),
        _ => Err(format!("format_version: expected 0.x or 1.x, found {}", short(&Value::from(version)))),
    }
}

fn read_state(document: &Value) -> Result<Terraform, String> {
    let resources = Resources::of_values(document.get("values").unwrap_or(&Value::Null))?;
    let state = Draft::of(&resources, &References::default())?;
    let mut terraform = Terraform { others: state.others(&resources), ..Terraform::default() };
    terraform.state = Some(state.finish(None, &mut terraform.addresses, &mut terraform.unknown));
    terraform.tidy();
    Ok(terraform)
}

fn read_plan(document: &Value) -> Result<Terraform, String> {
    let part = |key: &str| document.get(key).unwrap_or(&Value::Null);
    let prior = Resources::of_values(part("prior_state").get("values").unwrap_or(&Value::Null))?;
    let changes = Change::all(document)?;
    let proposed = Resources::proposed(Resources::of_values(part("planned_values"))?, &prior, &changes);
    let references = References::of(part("configuration"), &proposed);

    let now = match part("prior_state") {
        Value::Null => None,
        _ => Some(Draft::of(&prior, &References::default())?),
    };
    let replaced = Draft::of(&Resources::replaced(&changes), &References::default())?;
    let then = Draft::of(&proposed, &references)?;

    let mut terraform = Terraform { others: then.others(&proposed), ..Terraform::default() };
    let before = Before { replaced: &replaced, now: now.as_ref() };
    terraform.proposed = Some(then.finish(Some(before), &mut terraform.addresses, &mut terraform.unknown));
    // The prior state is known in full: what it lacks is no matter of the plan.
    terraform.state = now.map(|now| now.finish(None, &mut terraform.addresses, &mut Vec::new()));
    terraform.tidy();
    Ok(terraform)
}

impl Terraform {
    fn tidy(&mut self) {
        for objects in [&mut self.state, &mut self.proposed].into_iter().flatten() {
            objects.sort();
        }
        self.unknown.sort();
        self.unknown.dedup();
        self.addresses.sort();
        self.addresses.dedup();
    }
}

/// What was there before a plan, to tell which repetitions of a replaced resource are stale.
#[derive(Debug, Clone, Copy)]
struct Before<'d> {
    /// What the plan takes away or writes anew.
    replaced: &'d Draft,
    /// The prior state, where the plan has it.
    now: Option<&'d Draft>,
}

/// What the resources say, kind by kind.
#[derive(Debug, Default)]
struct Draft {
    groups: Groups,
    interfaces: Interfaces,
    acls: Acls,
    networks: Networks,
    unknown: Notes,
    read: usize,
}

impl Draft {
    fn of<'a>(resources: &Resources<'a>, references: &References<'a>) -> Result<Self, String> {
        let mut draft = Self::default();
        for resource in resources.managed.values() {
            let reader = Reader { resource, references, block: resource.block };
            let (unknown, kind) = (&mut draft.unknown, resource.kind);
            let is_read = draft.groups.add(kind, reader, unknown)?
                || draft.interfaces.add(kind, reader, unknown)?
                || draft.acls.add(kind, reader, unknown)?
                || draft.networks.add(kind, reader, unknown)?;
            draft.read += usize::from(is_read);
        }
        Ok(draft)
    }

    fn others(&self, resources: &Resources<'_>) -> u64 {
        let others = resources.managed.len() - self.read + resources.data.len();
        u64::try_from(others).unwrap_or(u64::MAX)
    }

    fn finish(
        self,
        before: Option<Before<'_>>,
        addresses: &mut Vec<Written>,
        unknown: &mut Vec<Unknown>,
    ) -> Objects {
        let Self { groups, interfaces, acls, networks, unknown: mut notes, .. } = self;
        let mut objects = Objects::default();
        networks.finish(before, &mut objects, &mut notes);
        groups.finish(before, &mut objects, addresses);
        interfaces.finish(before, &mut objects, &mut notes);
        acls.finish(before, &mut objects, &mut notes);
        unknown.extend(notes.0);
        objects
    }
}

/// What was found unknown.
#[derive(Debug, Default)]
struct Notes(BTreeSet<Unknown>);

impl Notes {
    fn add(&mut self, address: &str, attribute: &str, lack: Lack) {
        self.0.insert(Unknown { address: address.to_owned(), attribute: attribute.to_owned(), lack });
    }
}

/// A resource, or an element of a list in it, with what tells its unknown ids.
#[derive(Debug, Clone, Copy)]
struct Reader<'r, 'a> {
    resource: &'r Resource<'a>,
    references: &'r References<'a>,
    block: Block<'a>,
}

impl<'a> Reader<'_, 'a> {
    fn note(&self, notes: &mut Notes, key: &str, lack: Lack) {
        notes.add(self.block.address, &self.block.label(key), lack);
    }

    /// The value of an attribute without which the resource means nothing; None, with a note, where it is not known.
    fn required<T>(&self, read: Attribute<T>, key: &str, lack: Lack, notes: &mut Notes) -> Option<T> {
        let value = read.value();
        if value.is_none() {
            self.note(notes, key, lack);
        }
        value
    }

    /// An id, or the address of the resource that will have it.
    fn id(&self, key: &str, kinds: &[&str]) -> Result<Attribute<String>, String> {
        Ok(match self.block.text(key)? {
            Attribute::Value("") | Attribute::Null => Attribute::Null,
            Attribute::Value(id) => Attribute::Value(id.to_owned()),
            Attribute::Unknown => {
                self.references.id(self.resource, key, kinds).map_or(Attribute::Unknown, Attribute::Value)
            }
        })
    }

    /// An id without which the resource means nothing. Plans without `resource_changes` only leave it out.
    fn required_id(
        &self,
        key: &str,
        kinds: &[&str],
        lack: Lack,
        notes: &mut Notes,
    ) -> Result<Option<String>, String> {
        let id = match self.id(key, kinds)? {
            Attribute::Value(id) => Some(id),
            _ => self.references.id(self.resource, key, kinds),
        };
        if id.is_none() {
            self.note(notes, key, lack);
        }
        Ok(id)
    }

    /// The ids of a list, those of resources that are not created yet with them, and what is missing still.
    fn ids(&self, key: &str, kinds: &[&str]) -> Result<(Vec<String>, Missing), String> {
        let Texts { known, missing } = self.block.texts(key)?;
        let mut ids: Vec<String> = known.into_iter().map(str::to_owned).collect();
        Ok(match self.references.ids(self.resource, key, kinds, missing) {
            Some(more) => {
                ids.extend(more);
                (ids, Missing::Nothing)
            }
            None => (ids, missing),
        })
    }

    fn element(&self, block: Block<'a>) -> Self {
        Self { block, ..*self }
    }
}

const GROUPS: [&str; 2] = ["aws_security_group", "aws_default_security_group"];
const VPCS: [&str; 2] = ["aws_vpc", "aws_default_vpc"];
const SUBNETS: [&str; 2] = ["aws_subnet", "aws_default_subnet"];
const ACLS: [&str; 2] = ["aws_network_acl", "aws_default_network_acl"];
const INTERFACES: [&str; 1] = ["aws_network_interface"];
const PREFIX_LISTS: [&str; 1] = ["aws_ec2_managed_prefix_list"];
