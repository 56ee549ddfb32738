//! Made-up items, and what the tests ask of them.

mod documents;
mod items;
mod odd;
mod resources;

use serde_json::{Value, json};

use super::read;
use crate::flow::Seconds;
use crate::rules::change::{Change, Told};

const NOON: &str = "2026-01-01T12:00:00.250Z";
const NOON_SECONDS: Seconds = 1_767_268_800;

fn group_configuration() -> Value {
    json!({
        "groupId": "sg-1", "groupName": "web", "description": "front", "vpcId": "vpc-1", "ownerId": "111122223333",
        "tags": [{"key": "app", "value": "blue"}],
        "ipPermissions": [{
            "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": ["192.0.2.0/24"],
            "ipv4Ranges": [{"cidrIp": "192.0.2.0/24", "description": "office"}],
            "ipv6Ranges": [{"cidrIpv6": "2001:db8::/32"}],
            "prefixListIds": [{"prefixListId": "pl-1"}],
            "userIdGroupPairs": [{"groupId": "sg-2", "userId": "111122223333"}],
        }],
        "ipPermissionsEgress": [{"ipProtocol": "-1", "fromPort": null, "toPort": null, "ipRanges": ["0.0.0.0/0"]}],
    })
}

/// An item as answers of the AWS CLI have it.
fn group() -> Value {
    json!({
        "version": "1.3", "accountId": "111122223333", "awsRegion": "eu-west-1", "tags": {"app": "blue"},
        "arn": "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-1",
        "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "configurationStateId": "7",
        "configurationItemStatus": "OK", "configurationItemCaptureTime": NOON,
        "configuration": group_configuration(), "supplementaryConfiguration": {}, "relationships": [],
    })
}

/// The item with other values; null takes a key away.
fn with(mut item: Value, changes: &Value) -> Value {
    let map = item.as_object_mut().expect("an object");
    for (key, value) in changes.as_object().expect("an object") {
        map.remove(key);
        if !value.is_null() {
            map.insert(key.clone(), value.clone());
        }
    }
    item
}

fn item(kind: &str, id: &str, configuration: &Value) -> Value {
    with(group(), &json!({"resourceType": kind, "resourceId": id, "configuration": configuration}))
}

fn told(document: &Value) -> Told {
    read(document).expect("readable").expect("recognised")
}

fn only_change(document: &Value) -> Change {
    let told = told(document);
    assert_eq!((told.oddities, told.odd, told.others), (vec![], 0, 0), "{document}");
    assert_eq!(told.changes.len(), 1, "{document}");
    told.changes.into_iter().next().expect("one")
}
