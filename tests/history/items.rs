//! AWS Config items, made of the same objects as snapshots.

use serde_json::{Map, Value, json};

use crate::events::REGION;
use crate::fixture::{ACCOUNT, Object};

const KINDS: [(&str, &str, &str); 5] = [
    ("SecurityGroups", "AWS::EC2::SecurityGroup", "GroupId"),
    ("NetworkInterfaces", "AWS::EC2::NetworkInterface", "NetworkInterfaceId"),
    ("NetworkAcls", "AWS::EC2::NetworkAcl", "NetworkAclId"),
    ("Subnets", "AWS::EC2::Subnet", "SubnetId"),
    ("PrefixLists", "AWS::EC2::PrefixList", "PrefixListId"),
];

/// Type and id of a resource.
fn named(object: &Object) -> (&'static str, String) {
    let (_, kind, id) = KINDS.iter().find(|(kind, ..)| *kind == object.kind).unwrap();
    (kind, object.value[id].as_str().unwrap().to_owned())
}

fn item(at: i64, status: &str, (kind, id): &(&str, String)) -> Value {
    json!({
        "version": "1.3", "accountId": ACCOUNT, "awsRegion": REGION, "resourceType": kind, "resourceId": id,
        "configurationItemCaptureTime": flowaudit::time::format(at), "configurationItemStatus": status,
        "configurationStateId": at.to_string(),
    })
}

/// What a resource is from a time on.
pub(crate) fn told(at: i64, status: &str, object: &Object) -> Value {
    let mut told = item(at, status, &named(object));
    told["configuration"] = configuration(&object.value);
    told
}

/// Those that AWS Config has items of.
pub(crate) fn resources(objects: &[Object]) -> Vec<Object> {
    let known = |object: &&Object| KINDS.iter().any(|(kind, ..)| *kind == object.kind);
    objects.iter().filter(known).cloned().collect()
}

/// The items of a change: what is new, what is different, what is gone.
pub(crate) fn changed(at: i64, before: &[Object], after: &[Object]) -> Vec<Value> {
    let mut items = Vec::new();
    for object in after {
        match before.iter().find(|old| named(old) == named(object)) {
            Some(old) if old.value == object.value => {}
            Some(_) => items.push(told(at, "OK", object)),
            None => items.push(told(at, "ResourceDiscovered", object)),
        }
    }
    let gone = |old: &&Object| after.iter().all(|new| named(new) != named(old));
    items.extend(before.iter().filter(gone).map(|old| item(at, "ResourceDeleted", &named(old))));
    items
}

/// A history file.
pub(crate) fn file(items: &[Value]) -> String {
    json!({ "fileVersion": "1.0", "configSnapshotId": "c-1", "configurationItems": items }).to_string()
}

/// A describe-* object with the keys of a configuration; ranges stand in it twice.
fn configuration(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys = Map::new();
            for (key, value) in map {
                let mut letters = key.chars();
                let first = letters.next().unwrap().to_ascii_lowercase();
                let key = format!("{first}{}", letters.as_str());
                if key == "ipRanges" {
                    let ranges = value.as_array().unwrap().iter().map(|range| range["CidrIp"].clone());
                    keys.insert("ipv4Ranges".to_owned(), configuration(value));
                    keys.insert(key, ranges.collect());
                } else if key == "cidrs" {
                    let entries = value.as_array().unwrap().iter().map(|net| json!({ "Cidr": net }));
                    keys.insert("entries".to_owned(), entries.collect());
                } else {
                    keys.insert(key, configuration(value));
                }
            }
            Value::Object(keys)
        }
        Value::Array(elements) => elements.iter().map(configuration).collect(),
        other => other.clone(),
    }
}
