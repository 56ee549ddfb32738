//! Items that cannot be read, and hostile ones.

use serde_json::{Value, json};

use super::{group, group_configuration, item, told, with};
use crate::rules::aws_config::read;
use crate::rules::change::Told;

fn only_odd(document: &Value) -> String {
    let told = told(document);
    assert_eq!((told.changes, told.odd, told.oddities.len()), (vec![], 1, 1), "{document}");
    told.oddities.into_iter().next().expect("one")
}

#[test]
fn odd_items_say_what_was_expected_and_found() {
    let configured =
        |changes: &Value| with(group(), &json!({"configuration": with(group_configuration(), changes)}));
    let permission = |permission: &Value| configured(&json!({"ipPermissions": [permission]}));
    let select = "; a query has to select it";
    let cases = [
        (
            with(group(), &json!({"configurationItemCaptureTime": null})),
            format!("sg-1: configurationItemCaptureTime: expected a time, found nothing{select}"),
        ),
        (
            with(group(), &json!({"configurationItemCaptureTime": "noon"})),
            "sg-1: configurationItemCaptureTime: expected a time, found \"noon\"".to_owned(),
        ),
        (
            with(group(), &json!({"resourceId": null, "configuration": {}})),
            format!("item without resourceId: resourceId: expected an id, found nothing{select}"),
        ),
        (
            with(group(), &json!({"resourceId": 5, "configuration": {}})),
            "item without resourceId: resourceId: expected an id, found 5".to_owned(),
        ),
        (
            with(group(), &json!({"configuration": null})),
            format!("sg-1: configuration: expected a JSON object, found nothing{select}"),
        ),
        (
            with(group(), &json!({"configuration": "{broken"})),
            "sg-1: configuration: expected a JSON object, found \"{broken\"".to_owned(),
        ),
        (
            with(group(), &json!({"configuration": []})),
            "sg-1: configuration: expected a JSON object, found a list".to_owned(),
        ),
        (
            with(group(), &json!({"configurationItemStatus": "Lost"})),
            "sg-1: configurationItemStatus: expected OK, ResourceDiscovered or ResourceDeleted, found \"Lost\""
                .to_owned(),
        ),
        (
            configured(&json!({"ipPermissionsEgress": null})),
            format!("sg-1: configuration: IpPermissionsEgress: expected a list, found nothing{select}"),
        ),
        (
            configured(&json!({"groupId": "sg-2"})),
            "sg-1: configuration: GroupId: expected sg-1, found \"sg-2\"".to_owned(),
        ),
        (
            permission(&json!({"ipProtocol": "tcp", "fromPort": 70000, "ipRanges": ["192.0.2.0/24"]})),
            "sg-1: FromPort: expected -1 to 65535, found 70000".to_owned(),
        ),
        (
            permission(&json!({"ipProtocol": "tcp", "ipRanges": "192.0.2.0/24", "ipv4Ranges": []})),
            "sg-1: invalid type: string \"192.0.2.0/24\", expected a sequence".to_owned(),
        ),
        (
            item("AWS::EC2::Subnet", "subnet-1", &json!({"subnetId": "subnet-1"})),
            "subnet-1: configuration: expected CidrBlock or Ipv6CidrBlockAssociationSet, found nothing".to_owned(),
        ),
        (
            item("AWS::EC2::PrefixList", "pl-1", &json!({"Entries": null})),
            "pl-1: configuration: expected Entries, found nothing".to_owned(),
        ),
        (
            item("AWS::EC2::PrefixList", "pl-1", &json!({"Entries": [{"Cidr": "x"}]})),
            "pl-1: Cidr: expected an address range, found \"x\"".to_owned(),
        ),
        (
            item("AWS::EC2::NetworkInterface", "eni-1", &json!({"groups": []})),
            format!("eni-1: configuration: PrivateIpAddresses: expected a list, found nothing{select}"),
        ),
        (
            json!({"configurationItems": ["sg-1"]}),
            "expected a configuration item, found \"sg-1\"".to_owned(),
        ),
        (
            json!({"configurationItemSummary": with(group(), &json!({"configuration": null}))}),
            format!("sg-1: configuration: expected a JSON object, found nothing{select}"),
        ),
        (
            json!({"baseConfigurationItems": [], "unprocessedResourceKeys": [
                {"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-9"}]}),
            "sg-9: expected its configuration item, found it in unprocessedResourceKeys; ask again for it".to_owned(),
        ),
        (
            json!({"Results": ["not JSON"], "QueryInfo": {}}),
            "expected a configuration item, found \"not JSON\"".to_owned(),
        ),
    ];
    for (document, message) in cases {
        assert_eq!(only_odd(&document), message, "{document}");
    }
}

#[test]
fn one_odd_item_leaves_the_others() {
    let document = json!([group(), with(group(), &json!({"configuration": 5})), 7]);
    let told = told(&document);
    assert_eq!((told.changes.len(), told.odd, told.others), (1, 2, 0));
    assert_eq!(told.oddities[1], "expected a configuration item, found 7");
}

#[test]
fn odd_items_are_counted_and_the_first_are_kept() {
    let items: Vec<_> = (0..100)
        .map(|index| {
            with(group(), &json!({"resourceId": format!("sg-{index}"), "configuration": "é".repeat(1000)}))
        })
        .collect();
    let told = told(&json!({ "configurationItems": items }));
    assert_eq!((told.odd, told.oddities.len()), (100, Told::MOST_ODDITIES));
    assert!(told.oddities[0].starts_with("sg-0: "));
    assert!(told.oddities.iter().all(|message| message.chars().count() < 200));
}

/// Every value of an item replaced by each of these, one at a time and at any depth, is read, odd or refused.
#[test]
fn no_value_in_no_place_panics() {
    fn paths(value: &Value, path: &str, into: &mut Vec<String>) {
        into.push(path.to_owned());
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| paths(value, &format!("{path}/{key}"), into));
            }
            Value::Array(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(index, value)| paths(value, &format!("{path}/{index}"), into));
            }
            _ => {}
        }
    }
    let values = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(""),
        json!("é"),
        json!([null]),
        json!({"": 1}),
    ];
    for document in
        [group(), json!({"configurationItems": [group()]}), json!({"detail": {"configurationItem": group()}})]
    {
        let mut places = Vec::new();
        paths(&document, "", &mut places);
        assert!(places.len() > 40);
        for place in &places {
            for value in &values {
                let mut hostile = document.clone();
                *hostile.pointer_mut(place).expect("a place") = value.clone();
                if let Ok(Some(told)) = read(&hostile) {
                    let entries = told.changes.len() as u64 + told.others + told.odd;
                    let none = place == "/configurationItems" && value.is_null();
                    assert_eq!(entries, u64::from(!none), "{place} {value}: {told:?}");
                }
            }
        }
    }
}
