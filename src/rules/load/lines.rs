//! Where in their documents rules, groups and interfaces stand: what reviewers see beside the line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use memchr::memmem;
use serde_json::value::RawValue;

use super::document::{Buffer, Document, text_of, without_mark};
use crate::rules::aws::Objects;

/// A line of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The document, as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// By rule key, group id or interface id: where it stands.
pub type Lines = BTreeMap<String, Line>;

/// Lists of the far sides of a permission.
const PEERS: [&str; 4] = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];

/// Looks for rules (by key), groups and interfaces (by id) in documents, the first document first: a rule where its far side
/// is named, or else, in documents of other shapes, where its group is. Documents that cannot be read say nothing.
pub fn find(files: &[String], names: &BTreeSet<String>) -> Lines {
    let mut lines = Lines::new();
    for look in [exactly, roughly] {
        let mut buffer = Buffer::default();
        for file in files {
            let open: BTreeSet<&str> =
                names.iter().map(String::as_str).filter(|name| !lines.contains_key(*name)).collect();
            if open.is_empty() {
                return lines;
            }
            let Ok(Document::Json) = Document::read(Path::new(file), &mut buffer, &[]) else { continue };
            let text = text_of(without_mark(buffer.bytes()));
            let found = look(&text, &open);
            lines.extend(
                found
                    .into_iter()
                    .map(|(name, place)| (name, Line { file: file.clone(), line: line_of(&text, place) })),
            );
        }
    }
    lines
}

/// The line of a byte, from 1.
fn line_of(text: &str, place: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..place.min(text.len())]).count()
}

/// By name: the byte at which it stands.
type Places = BTreeMap<String, usize>;

type Object<'a> = BTreeMap<&'a str, &'a RawValue>;

/// A document, and what is looked for in it.
struct Search<'a> {
    text: &'a str,
    open: &'a BTreeSet<&'a str>,
    places: Places,
}

/// In the answers of describe-* calls.
fn exactly(text: &str, open: &BTreeSet<&str>) -> Places {
    let mut search = Search { text, open, places: Places::new() };
    let Ok(document) = serde_json::from_str::<Object<'_>>(text) else { return search.places };
    for (wrapper, list) in &document {
        let items: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
        for item in items {
            match *wrapper {
                "SecurityGroups" => search.group(item),
                "SecurityGroupRules" => search.rules(wrapper, item.get(), item),
                "NetworkInterfaces" => search.id_of(item, "NetworkInterfaceId"),
                _ => {}
            }
        }
    }
    search.places
}

impl Search<'_> {
    /// `at` is a part of the text.
    fn put(&mut self, name: &str, at: &RawValue) {
        if self.open.contains(name) {
            let place = at.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
            self.places.entry(name.to_owned()).or_insert(place);
        }
    }

    fn id_of(&mut self, item: &RawValue, key: &str) {
        let object: Object<'_> = serde_json::from_str(item.get()).unwrap_or_default();
        if let Some(value) = object.get(key)
            && let Ok(id) = serde_json::from_str::<String>(value.get())
        {
            self.put(&id, value);
        }
    }

    /// The rules that a text says of an answer's item, which stands at `at`.
    fn rules(&mut self, wrapper: &str, text: &str, at: &RawValue) {
        let Some(objects) = Objects::of_item(wrapper, text) else { return };
        for document in &objects.rules {
            self.put(&document.rule.key(), at);
        }
    }

    fn group(&mut self, item: &RawValue) {
        self.id_of(item, "GroupId");
        let group: Object<'_> = serde_json::from_str(item.get()).unwrap_or_default();
        let Some(id) = group.get("GroupId") else { return };
        let name = serde_json::from_str::<String>(id.get()).unwrap_or_default();
        let own = |key: &&str| key.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':'));
        if name.is_empty() || !self.open.iter().any(own) {
            return;
        }
        for side in ["IpPermissions", "IpPermissionsEgress"] {
            let list = group.get(side).map_or("[]", |list| list.get());
            let permissions: Vec<Object<'_>> = serde_json::from_str(list).unwrap_or_default();
            for permission in &permissions {
                for (peers, peer) in peers(permission) {
                    // The group as if it had no other rule than this.
                    let alone = alone(id, side, permission, peers, peer);
                    self.rules("SecurityGroups", &alone, peer);
                }
            }
        }
    }
}

/// The far sides of a permission, each with the list that names it.
fn peers<'a>(permission: &Object<'a>) -> impl Iterator<Item = (&'static str, &'a RawValue)> {
    PEERS.into_iter().flat_map(move |peers| {
        let list = permission.get(peers).map_or("[]", |list| list.get());
        let list: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
        list.into_iter().map(move |peer| (peers, peer))
    })
}

fn alone(id: &RawValue, side: &str, permission: &Object<'_>, peers: &str, peer: &RawValue) -> String {
    let mut scalars = String::new();
    for (key, value) in permission.iter().filter(|(key, _)| !PEERS.contains(key)) {
        // Writing to a string cannot fail.
        let _ = write!(scalars, "{}:{},", serde_json::Value::from(*key), value.get());
    }
    format!("{{\"GroupId\":{},\"{side}\":[{{{scalars}\"{peers}\":[{}]}}]}}", id.get(), peer.get())
}

/// In documents of any shape: where the id is first written.
fn roughly(text: &str, open: &BTreeSet<&str>) -> Places {
    let place = |name: &&str| {
        let id = name.split(':').next().filter(|id| !id.is_empty())?;
        let quoted = serde_json::Value::from(id).to_string();
        Some(((*name).to_owned(), memmem::find(text.as_bytes(), quoted.as_bytes())?))
    };
    open.iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = r#"{
 "SecurityGroups": [
  {
   "GroupName": "sg-b",
   "GroupId": "sg-a",
   "IpPermissions": [
    {
     "IpProtocol": "tcp",
     "FromPort": 22,
     "ToPort": 22,
     "IpRanges": [
      {"CidrIp": "10.0.0.0/8"},
      {"CidrIp": "0.0.0.0/0"}
     ],
     "Ipv6Ranges": [
      {"CidrIpv6": "::/0"}
     ],
     "UserIdGroupPairs": [{"GroupId": "sg-b"}]
    }
   ],
   "IpPermissionsEgress": [
    {"IpProtocol": "-1",
     "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
   ]
  },
  {"GroupId": "sg-b", "IpPermissions": []}
 ]
}"#;

    #[test]
    fn rules_stand_where_their_far_side_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let rules = "{\"SecurityGroupRules\": [\n{\"SecurityGroupRuleId\": \"sgr-1\", \"GroupId\": \"sg-c\", \"IsEgress\": false,\n\
                     \"IpProtocol\": \"udp\", \"FromPort\": 53, \"ToPort\": 53, \"CidrIpv4\": \"10.0.0.0/8\"}]}";
        let plan = "{\n\"resource\": {\n\"id\": \"sg-d\"}}";
        let files =
            [path("a.json", GROUPS), path("b.json", rules), path("c.json", plan), "none.json".to_owned()];
        let cases = [
            ("sg-a", Some(("a.json", 5))),
            ("sg-a:ingress:tcp:22-22:10.0.0.0/8", Some(("a.json", 12))),
            ("sg-a:ingress:tcp:22-22:0.0.0.0/0", Some(("a.json", 13))),
            ("sg-a:ingress:tcp:22-22:::/0", Some(("a.json", 16))),
            ("sg-a:ingress:tcp:22-22:sg-b", Some(("a.json", 18))),
            ("sg-a:egress:-1:-1--1:0.0.0.0/0", Some(("a.json", 23))),
            ("sg-b", Some(("a.json", 26))),
            ("sg-c:ingress:udp:53-53:10.0.0.0/8", Some(("b.json", 2))),
            // In other shapes, and of rules that no document has any more, where the group is.
            ("sg-d:ingress:tcp:1-1:10.0.0.0/8", Some(("c.json", 3))),
            ("sg-a:ingress:tcp:23-23:0.0.0.0/0", Some(("a.json", 5))),
            ("sg-e", None),
        ];
        let names = cases.iter().map(|(name, _)| (*name).to_owned()).collect();
        let lines = find(&files, &names);
        for (name, expected) in cases {
            let found =
                lines.get(name).map(|Line { file, line }| (Path::new(file).file_name().unwrap(), *line));
            assert_eq!(found, expected.map(|(file, line)| (file.as_ref(), line)), "{name}");
        }
    }
}
