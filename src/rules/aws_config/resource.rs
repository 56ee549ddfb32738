//! The configuration of an item → one of our nouns, by way of the describe-* answer it was made from.
//!
//! A configuration has the keys of that answer in lower camel case, but for a few; those of the newer resource types have
//! them as they are. Keys: <https://github.com/awslabs/aws-config-resource-schema>.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{embedded, found};
use crate::rules::aws::{GroupDocument, Objects, RuleDocument};
use crate::rules::change::{Resource, ResourceKind};

/// Account and region of an item, for what its configuration does not tell.
pub(super) struct Home {
    pub(super) owner_id: String,
    pub(super) region: String,
}

impl Home {
    /// Takes what the resource itself tells and the item does not.
    pub(super) fn learn(&mut self, resource: &Resource) {
        let (owner_id, region) = match resource {
            Resource::Group(group, _) => (group.owner_id.as_str(), group.region.as_str()),
            Resource::Interface(interface) => (interface.owner_id.as_str(), interface.region.as_str()),
            Resource::Acl(acl) => (acl.owner_id.as_str(), ""),
            Resource::Subnet(subnet) => (subnet.owner_id.as_str(), ""),
            Resource::PrefixList(..) => ("", ""),
        };
        or(&mut self.owner_id, owner_id);
        or(&mut self.region, region);
    }
}

/// How AWS Config writes a kind of resource, and what the same is in a describe-* answer.
pub(super) struct Shape {
    pub(super) kind: ResourceKind,
    resource_type: &'static str,
    id_prefix: &'static str,
    id_key: &'static str,
    wrapper: &'static str,
    /// Without these the resource is not told in full: a query may have selected less.
    parts: &'static [&'static str],
}

const SHAPES: [Shape; 5] = [
    Shape {
        kind: ResourceKind::Interface,
        resource_type: "AWS::EC2::NetworkInterface",
        id_prefix: "eni-",
        id_key: "NetworkInterfaceId",
        wrapper: "NetworkInterfaces",
        parts: &["Groups", "PrivateIpAddresses"],
    },
    Shape {
        kind: ResourceKind::Group,
        resource_type: "AWS::EC2::SecurityGroup",
        id_prefix: "sg-",
        id_key: "GroupId",
        wrapper: "SecurityGroups",
        parts: &["IpPermissions", "IpPermissionsEgress"],
    },
    Shape {
        kind: ResourceKind::Acl,
        resource_type: "AWS::EC2::NetworkAcl",
        id_prefix: "acl-",
        id_key: "NetworkAclId",
        wrapper: "NetworkAcls",
        parts: &["Associations", "Entries"],
    },
    Shape {
        kind: ResourceKind::Subnet,
        resource_type: "AWS::EC2::Subnet",
        id_prefix: "subnet-",
        id_key: "SubnetId",
        wrapper: "Subnets",
        parts: &[],
    },
    Shape {
        kind: ResourceKind::PrefixList,
        resource_type: "AWS::EC2::PrefixList",
        id_prefix: "pl-",
        id_key: "PrefixListId",
        wrapper: "PrefixLists",
        parts: &["Entries"],
    },
];

impl Shape {
    /// By `resourceType`.
    pub(super) fn of_type(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.resource_type == name)
    }

    /// By the item's id, or by the id the configuration calls its own.
    pub(super) fn guess(id: Option<&str>, configuration: Option<&Configuration>) -> Option<&'static Self> {
        let own = |shape: &Shape| {
            // Much else lies in a subnet and tells its id.
            let keys = &configuration?.keys;
            let is_own = shape.kind != ResourceKind::Subnet || keys.contains_key("CidrBlock");
            if is_own { keys.get(shape.id_key)?.as_str() } else { None }
        };
        SHAPES
            .iter()
            .find(|shape| id.or_else(|| own(shape)).is_some_and(|text| text.starts_with(shape.id_prefix)))
    }
}

/// A configuration with the keys of a describe-* answer.
pub(super) struct Configuration {
    keys: Map<String, Value>,
    /// As they stood: their keys may be anything.
    tags: Option<Value>,
}

impl Configuration {
    /// Reads an object, or the JSON text of one that get-resource-config-history answers. None: nothing is there.
    pub(super) fn read(value: Option<&Value>) -> Result<Option<Self>, String> {
        let parsed = value.and_then(Value::as_str).and_then(embedded);
        match parsed.as_ref().or(value) {
            Some(Value::Object(map)) => Ok(Some(Self::of(map))),
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if matches!(text.trim(), "" | "null") => Ok(None),
            other => Err(format!("configuration: expected a JSON object, found {}", found(other))),
        }
    }

    fn of(map: &Map<String, Value>) -> Self {
        let mut map = map.clone();
        let tags = ["tags", "Tags", "tagSet", "TagSet"].iter().find_map(|key| map.remove(*key));
        Self { keys: describe_keys(map), tags }
    }

    /// The id it calls its own.
    pub(super) fn id(&self, shape: &Shape) -> Option<&str> {
        self.keys.get(shape.id_key).and_then(Value::as_str).filter(|id| !id.is_empty())
    }

    /// The resource.
    ///
    /// # Errors
    /// A part that is missing, or a value that cannot be: begins with the id.
    pub(super) fn resource(
        &self,
        shape: &Shape,
        id: &str,
        item_tags: Option<&Value>,
        home: &Home,
    ) -> Result<Resource, String> {
        let mut keys = self.keys.clone();
        if let Some(part) = shape.parts.iter().find(|part| !keys.contains_key(**part)) {
            return Err(format!(
                "{id}: configuration: {part}: expected a list, found nothing; a query has to select it"
            ));
        }
        match keys.get(shape.id_key) {
            None | Some(Value::Null) => {}
            Some(Value::String(own)) if own == id => {}
            other => {
                let key = shape.id_key;
                return Err(format!("{id}: configuration: {key}: expected {id}, found {}", found(other)));
            }
        }
        keys.insert(shape.id_key.to_owned(), Value::from(id));
        let mut objects = Objects::default();
        objects.add(&json!({ shape.wrapper: [keys] }), None)?;
        let resource = match shape.kind {
            ResourceKind::Group => {
                objects.groups.and_then(|groups| groups.into_vec().pop()).map(|mut group| {
                    group.tags = tags(self.tags.as_ref(), item_tags);
                    whole_group(group, objects.rules.into_vec(), home)
                })
            }
            ResourceKind::Interface => {
                objects.interfaces.and_then(|them| them.into_vec().pop()).map(|mut interface| {
                    or(&mut interface.owner_id, &home.owner_id);
                    or(&mut interface.region, &home.region);
                    Resource::Interface(interface)
                })
            }
            ResourceKind::Acl => objects.acls.and_then(|acls| acls.into_vec().pop()).map(|mut acl| {
                or(&mut acl.owner_id, &home.owner_id);
                Resource::Acl(acl)
            }),
            ResourceKind::Subnet => {
                objects.subnets.and_then(|subnets| subnets.into_vec().pop()).and_then(|mut subnet| {
                    or(&mut subnet.owner_id, &home.owner_id);
                    (!subnet.ranges.is_empty()).then_some(Resource::Subnet(subnet))
                })
            }
            ResourceKind::PrefixList => objects.prefix_lists.pop().map(|(id, mut nets)| {
                nets.sort_unstable();
                nets.dedup();
                Resource::PrefixList(id, nets)
            }),
        };
        let content = shape.parts.first().unwrap_or(&"CidrBlock or Ipv6CidrBlockAssociationSet");
        resource.ok_or_else(|| format!("{id}: configuration: expected {content}, found nothing"))
    }
}

/// A group with its rules: in an order of their own, each once however often it is told.
fn whole_group(mut group: GroupDocument, mut rules: Vec<RuleDocument>, home: &Home) -> Resource {
    or(&mut group.owner_id, &home.owner_id);
    or(&mut group.region, &home.region);
    for rule in &mut rules {
        rule.owner_id.clone_from(&group.owner_id);
        rule.region.clone_from(&group.region);
    }
    // Of two that differ in their description only, the one that has any comes last.
    rules.sort_by(|a, b| b.cmp(a));
    rules.dedup_by(|next, kept| next.rule == kept.rule);
    rules.reverse();
    Resource::Group(group, rules)
}

fn or(told: &mut String, known: &str) {
    if told.is_empty() {
        known.clone_into(told);
    }
}

/// Keys as describe-* answers have them.
fn describe_keys(map: Map<String, Value>) -> Map<String, Value> {
    let mut map: Map<_, _> =
        map.into_iter().map(|(key, value)| (upper_first(&key), describe(value))).collect();
    // `ipRanges` are bare texts, and all there was until 2017; `ipv4Ranges` repeat them with their descriptions.
    if let Some(mut ranges) = map.remove("Ipv4Ranges").filter(|ranges| !ranges.is_null()) {
        match (&mut ranges, map.get_mut("IpRanges")) {
            (Value::Array(ranges), Some(Value::Array(bare))) => ranges.append(bare),
            // Neither a list nor nothing: left for the reader of answers to refuse.
            (Value::Array(_), Some(other)) if !other.is_null() => ranges = other.take(),
            _ => {}
        }
        map.insert("IpRanges".to_owned(), ranges);
    }
    for (list, key) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId")]
    {
        for element in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if element.is_string() {
                *element = json!({ key: element.take() });
            }
        }
    }
    map
}

fn describe(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(describe_keys(map)),
        Value::Array(elements) => elements.into_iter().map(describe).collect(),
        other => other,
    }
}

fn upper_first(key: &str) -> String {
    let mut characters = key.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// The tags of the configuration, or else those of the item: a map, or a list of keys and values. What is no tag labels
/// nothing.
fn tags(own: Option<&Value>, of_item: Option<&Value>) -> Vec<(String, String)> {
    let read = |tags: &Value| -> BTreeSet<(String, String)> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        match tags {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), text(Some(value)))).collect(),
            Value::Array(list) => list
                .iter()
                .filter_map(|tag| {
                    let key = tag.get("key").or_else(|| tag.get("Key"))?.as_str()?;
                    Some((key.to_owned(), text(tag.get("value").or_else(|| tag.get("Value")))))
                })
                .collect(),
            _ => BTreeSet::new(),
        }
    };
    let own = own.map(read).unwrap_or_default();
    let tags = if own.is_empty() { of_item.map(read).unwrap_or_default() } else { own };
    tags.into_iter().collect()
}
