//! When, and what became of the resource.

use serde_json::{Value, json};

use super::{NOON_SECONDS, group, group_configuration, item, only_change, told, with};
use crate::rules::change::{Life, Resource, ResourceKind, What};

#[test]
fn a_deleted_resource_is_gone() {
    let kinds = [
        ("AWS::EC2::SecurityGroup", ResourceKind::Group),
        ("AWS::EC2::NetworkInterface", ResourceKind::Interface),
        ("AWS::EC2::NetworkAcl", ResourceKind::Acl),
        ("AWS::EC2::Subnet", ResourceKind::Subnet),
        ("AWS::EC2::PrefixList", ResourceKind::PrefixList),
    ];
    let configurations = [Value::Null, json!(""), json!("null"), json!({}), json!("{broken"), json!(5)];
    for (name, kind) in kinds {
        for status in ["ResourceDeleted", "ResourceDeletedNotRecorded"] {
            for configuration in &configurations {
                let item =
                    with(item(name, "x-1", configuration), &json!({"configurationItemStatus": status}));
                let change = only_change(&item);
                assert_eq!(
                    (change.at, change.what),
                    (NOON_SECONDS, What::Gone(kind, "x-1".to_owned())),
                    "{item}"
                );
            }
        }
    }
}

#[test]
fn only_the_first_item_soon_after_the_creation_begins_a_life() {
    let noon = json!("2026-01-01T12:00:00Z");
    let cases = [
        ("ResourceDiscovered", &noon, "2026-01-01T12:00:00Z", true),
        ("ResourceDiscovered", &noon, "2026-01-01T12:15:00Z", true),
        ("ResourceDiscovered", &noon, "2026-01-01T12:15:00.001Z", false),
        ("ResourceDiscovered", &noon, "2026-01-01T11:59:59Z", false),
        ("OK", &noon, "2026-01-01T12:01:00Z", false),
        ("ResourceDiscovered", &json!("soon"), "2026-01-01T12:01:00Z", false),
        ("ResourceDiscovered", &Value::Null, "2026-01-01T12:01:00Z", false),
    ];
    for (status, created, captured, begins) in cases {
        let item = with(
            group(),
            &json!({
                "configurationItemStatus": status, "resourceCreationTime": created,
                "configurationItemCaptureTime": captured,
            }),
        );
        let change = only_change(&item);
        let began = matches!(change.what, What::Is(Life::Begins, _));
        assert_eq!(began, begins, "{status} {created} {captured}");
        let at = if begins { NOON_SECONDS } else { crate::time::parse(captured).unwrap() };
        assert_eq!(change.at, at, "{status} {created} {captured}");
    }
    let discovered = |captured: &str| {
        let changes = json!({
            "configurationItemStatus": "ResourceDiscovered", "resourceCreationTime": noon,
            "configurationItemCaptureTime": captured,
        });
        with(group(), &changes)
    };
    let items = ["2026-01-01T12:02:00Z", "2026-01-01T12:01:00.9Z", "2026-01-01T12:01:00.1Z"].map(discovered);
    let told = told(&json!(items));
    let lives: Vec<_> = told
        .changes
        .iter()
        .map(|change| match change.what {
            What::Is(life, _) => (life, change.at - NOON_SECONDS),
            _ => panic!("{change:?}"),
        })
        .collect();
    assert_eq!(lives, [(Life::Begins, 0), (Life::GoesOn, 120)]);
    assert_eq!(told.others, 1);
}

#[test]
fn the_last_item_of_a_second_counts_in_whatever_order_they_stand() {
    let named = |name: &str, time: &str| {
        let configuration = with(group_configuration(), &json!({ "groupName": name }));
        with(group(), &json!({"configuration": configuration, "configurationItemCaptureTime": time}))
    };
    let gone = json!({"configurationItemStatus": "ResourceDeleted", "configurationItemCaptureTime": "2026-01-01T12:00:01Z"});
    let items = [
        named("b", "2026-01-01T12:00:00.8Z"),
        named("a", "2026-01-01T12:00:00.2Z"),
        named("c", "2026-01-01T12:00:01Z"),
        with(group(), &gone),
    ];
    let mut reversed = items.clone();
    reversed.reverse();
    let read = told(&json!(items));
    assert_eq!(read, told(&json!(reversed)));
    assert_eq!(read.others, 2);
    let [first, second] = read.changes.as_slice() else { panic!("{:?}", read.changes) };
    let What::Is(_, resource) = &first.what else { panic!("{first:?}") };
    assert!(matches!(&**resource, Resource::Group(group, _) if group.name == "b"));
    assert_eq!(second.what, What::Gone(ResourceKind::Group, "sg-1".to_owned()));
}

#[test]
fn times_are_read_in_every_shape() {
    let python = json!({
        "__class__": "datetime", "year": 2026, "month": 1, "day": 1, "hour": 12, "minute": 0, "second": 0,
        "microsecond": 250_000,
    });
    let cases = [
        (json!("2026-01-01T12:00:00Z"), Some(0)),
        (json!("2026-01-01T12:00:00.999Z"), Some(0)),
        (json!("2026-01-01T13:00:00.25+01:00"), Some(0)),
        (json!("2026-01-01 12:00:00.250000+00:00"), Some(0)),
        (json!(1_767_268_800), Some(0)),
        (json!(1_767_268_800.9), Some(0)),
        (json!(1_767_268_799.999_999), Some(-1)),
        (json!(1_767_268_800_250_i64), Some(0)),
        (json!(1_767_268_800_250.7), Some(0)),
        (python.clone(), Some(0)),
        (json!({"__class__": "datetime", "year": 2026, "month": 1, "day": 1}), Some(-12 * 3600)),
        (with(python.clone(), &json!({"month": 13})), None),
        (with(python.clone(), &json!({"day": null})), None),
        (with(python.clone(), &json!({"hour": -1})), None),
        (with(python.clone(), &json!({"minute": "0"})), None),
        (with(python, &json!({"year": u64::MAX})), None),
        (json!({}), None),
        (json!("yesterday"), None),
        (json!(""), None),
        (json!(-1), None),
        (json!(i64::MIN), None),
        (json!(i64::MAX), None),
        (json!(u64::MAX), None),
        (json!(1e300), None),
        (json!(-0.5), None),
        (json!(true), None),
        (json!([]), None),
        (Value::Null, None),
    ];
    for (time, offset) in cases {
        let mut item = group();
        item["configurationItemCaptureTime"] = time.clone();
        let told = told(&item);
        let at = told.changes.first().map(|change| change.at - NOON_SECONDS);
        assert_eq!((at, told.odd), (offset, u64::from(offset.is_none())), "{time}");
    }
}

#[test]
fn the_zone_of_a_recording_is_learnt_from_the_state_id() {
    let local = json!({"__class__": "datetime", "year": 2026, "month": 1, "day": 1, "hour": 7, "microsecond": 250_999});
    let (seven, noon) = (NOON_SECONDS - 5 * 3600, NOON_SECONDS);
    let cases = [
        (&local, json!("1767268800250"), noon),
        (&local, json!(1_767_268_800_250_i64), noon),
        (&local, json!("1767268800251"), seven),
        (&local, json!("1767441600250"), seven),
        (&local, json!("9"), seven),
        (&local, json!(i64::MAX), seven),
        (&local, Value::Null, seven),
        (&json!("2026-01-01T07:00:00.250Z"), json!("1767268800250"), seven),
    ];
    for (time, state_id, at) in cases {
        let item =
            with(group(), &json!({"configurationItemCaptureTime": time, "configurationStateId": state_id}));
        assert_eq!(only_change(&item).at, at, "{time} {state_id}");
    }
    let born = with(local.clone(), &json!({"hour": 6, "minute": 50}));
    let item = json!({
        "configurationItemStatus": "ResourceDiscovered", "configurationItemCaptureTime": local,
        "configurationStateId": "1767268800250", "resourceCreationTime": born,
    });
    assert_eq!(only_change(&with(group(), &item)).at, noon - 600);
}
