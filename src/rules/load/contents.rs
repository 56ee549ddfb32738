//! What one file says: the objects of a snapshot, changes, or nothing that is understood.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::manifest::Manifest;
use crate::error::Error;
use crate::rules::alibaba::ListIds;
use crate::rules::aws::{Extent, Objects, Recognised};
use crate::rules::change::{Change, Resource, Told, Watched, watch};
use crate::rules::terraform::{Lack, Terraform, Unknown, Written};
use crate::rules::{alibaba, aws_config, cloudtrail, terraform};

/// Where a document is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An answer of a describe-* call.
    Describe,
    /// Configuration items of AWS Config.
    Config,
    /// Events of CloudTrail.
    CloudTrail,
    /// `terraform show -json`.
    Terraform,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Describe => "describe-*",
            Self::Config => "AWS Config",
            Self::CloudTrail => "CloudTrail",
            Self::Terraform => "Terraform",
        })
    }
}

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Where its documents are from; none were understood where it is empty.
    pub origins: BTreeSet<Origin>,
    /// What is in force at the time of the snapshot.
    pub objects: Objects,
    /// What is proposed: the end that a Terraform plan comes to.
    pub proposed: Option<Objects>,
    /// Which Terraform resource writes a group or a rule.
    pub written: Vec<Written>,
    /// What a Terraform plan does not know yet.
    pub unplanned: Vec<Unknown>,
    /// What changed when.
    pub changes: BTreeSet<Change>,
    /// The first and last event of a trail, by account and region.
    pub watched: Watched,
    /// Entries that say nothing of the rules: other events, other resources, failed calls.
    pub others: u64,
    /// Entries that should say something of the rules, and were not understood.
    pub odd: u64,
    /// What is odd about the first of them.
    pub oddities: Vec<String>,
    /// Why the file as a whole was left aside.
    pub left_aside: Option<String>,
}

impl Contents {
    /// A file that was not read.
    pub(super) fn left_aside(why: &str) -> Self {
        Self { left_aside: Some(why.to_owned()), ..Self::default() }
    }

    /// What a single answer of describe-* says.
    pub(super) fn described(objects: Objects) -> Self {
        Self { origins: BTreeSet::from([Origin::Describe]), objects, ..Self::default() }
    }

    /// Reads what a file holds.
    pub(super) fn read(path: &Path, text: &str) -> Result<Self, Error> {
        let name = path.file_name().and_then(|name| name.to_str());
        let ids = name.map(ListIds::of).unwrap_or_default();
        let list_id = name.and_then(prefix_list_id);
        let mut contents = Self::default();
        // Pages written one after the other into one file are a stream of documents.
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let document = document.map_err(|error| broken(path, &error))?;
            contents
                .add(&document, list_id, ids)
                .map_err(|message| Error::Snapshot { path: path.display().to_string(), message })?;
        }
        if contents.origins.is_empty() && contents.left_aside.is_none() {
            contents.left_aside = Some("JSON of no kind this reads".to_owned());
        }
        contents.objects.sort();
        Ok(contents)
    }

    fn add(&mut self, document: &Value, list_id: Option<&str>, ids: ListIds<'_>) -> Result<(), String> {
        if document.get(MANIFEST).is_some() {
            self.left_aside = Some(of_manifest(document));
            return Ok(());
        }
        // Answers of both clouds may stand in one list.
        if let Value::Array(items) = document
            && items.len() > 1
            && alibaba::read(document, ids)?.is_some()
        {
            return items.iter().try_for_each(|item| self.add(item, list_id, ids));
        }
        if let Some(objects) = alibaba::read(document, ids)? {
            self.origins.insert(Origin::Describe);
            self.objects.add_up(objects);
        } else if self.objects.add(document, list_id)? == Recognised::Yes {
            self.origins.insert(Origin::Describe);
        } else if let Some(told) = aws_config::read(document)? {
            self.add_told(Origin::Config, told);
        } else if let Some(told) = cloudtrail::read(document) {
            self.add_told(Origin::CloudTrail, told);
        } else if let Some(read) = terraform::read(document)? {
            self.add_terraform(read);
        }
        Ok(())
    }

    fn add_terraform(&mut self, read: Terraform) {
        self.origins.insert(Origin::Terraform);
        self.others += read.others;
        self.written.extend(read.addresses);
        // Every new group without inline rules says that they are not known yet: nothing is lacking there.
        // What a plan does not know yet is a matter of what it proposes.
        let missed = |unknown: &&Unknown| unknown.lack != Lack::Inline && read.proposed.is_none();
        for unknown in read.unknown.iter().filter(missed) {
            self.note_odd(&format!("{}: {} is not in the document", unknown.address, unknown.attribute));
        }
        if let Some(state) = read.state {
            self.objects.add_up(Objects { extent: Extent::Part, ..state });
        }
        if let Some(proposed) = read.proposed {
            self.unplanned.extend(read.unknown);
            let proposed = Objects { extent: Extent::Part, ..proposed };
            self.proposed.get_or_insert_default().add_up(proposed);
        }
    }

    /// What is there now, of one resource: nothing is said of others.
    fn add_resource(&mut self, resource: Resource) {
        let mut objects = Objects { extent: Extent::Part, ..Objects::default() };
        match resource {
            Resource::Group(group, rules) => {
                objects.groups = Some(vec![group].into());
                objects.rules = rules.into();
            }
            Resource::Interface(interface) => objects.interfaces = Some(vec![interface].into()),
            Resource::Acl(acl) => objects.acls = Some(vec![acl].into()),
            Resource::Subnet(subnet) => objects.subnets = Some(vec![subnet].into()),
            Resource::PrefixList(id, nets) => objects.prefix_lists.push((id, nets)),
        }
        self.objects.add_up(objects);
    }

    fn note_odd(&mut self, oddity: &str) {
        self.odd += 1;
        if self.oddities.len() < Told::MOST_ODDITIES {
            self.oddities.push(oddity.to_owned());
        }
    }

    fn add_told(&mut self, origin: Origin, told: Told) {
        self.origins.insert(origin);
        told.undated.into_iter().for_each(|resource| self.add_resource(resource));
        self.changes.extend(told.changes);
        self.others += told.others;
        self.odd += told.odd;
        self.oddities.extend(told.oddities);
        self.oddities.truncate(Told::MOST_ODDITIES);
        // Only a trail knows of every change between two times.
        if origin == Origin::CloudTrail {
            for (place, range) in told.watched {
                watch(&mut self.watched, place, range);
            }
        }
    }
}

fn broken(path: &Path, error: &serde_json::Error) -> Error {
    Error::BrokenJson {
        path: path.display().to_string(),
        line: error.line(),
        column: error.column(),
        message: without_position(&error.to_string()),
    }
}

/// Depths that no document comes to could exhaust the stack.
const TOO_DEEP: &str = "recursion limit exceeded";

/// The parser appends " at line L column C"; the error says that in front.
fn without_position(message: &str) -> String {
    match message.split(" at line ").next().unwrap_or(message) {
        TOO_DEEP => "nested too deeply".to_owned(),
        message => message.to_owned(),
    }
}

/// The `pl-…` id in a file name.
fn prefix_list_id(name: &str) -> Option<&str> {
    let start = name.find("pl-").filter(|&at| at == 0 || !name.as_bytes()[at - 1].is_ascii_alphanumeric())?;
    let rest = &name[start + 3..];
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    (end > 0).then(|| &name[start..start + 3 + end])
}

/// What the manifest of a capture is known by.
const MANIFEST: &str = "flowaudit_manifest";

/// What a capture lacks, which its answers do not say.
fn of_manifest(document: &Value) -> String {
    let Ok(manifest) = Manifest::deserialize(document) else {
        return "a manifest of a capture, but not as this version writes it".to_owned();
    };
    let missing: Vec<String> = manifest
        .missing()
        .map(|(account, region, missing)| {
            format!("{} {} {}", account.account_id, region.region, missing.action)
        })
        .collect();
    if missing.is_empty() {
        "the manifest of a capture, with nothing missing".to_owned()
    } else {
        format!("the manifest of a capture, which lacks {}", missing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_list_ids_are_found_in_file_names() {
        let cases = [
            ("pl-0aee530c6c63c686f.json", Some("pl-0aee530c6c63c686f")),
            ("entries-pl-0a1b.json", Some("pl-0a1b")),
            ("sample-entries.json", None),
            ("pl-.json", None),
        ];
        for (name, id) in cases {
            assert_eq!(prefix_list_id(name), id, "{name}");
        }
    }
}
