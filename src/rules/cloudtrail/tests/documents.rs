//! Which documents are read, which entries count, whose they are.

use serde_json::{Value, json};

use super::super::read;
use super::record;
use crate::time;

fn deletion() -> Value {
    record("DeleteSecurityGroup", &json!({"groupId": "sg-1"}), &json!({"_return": true}))
}

fn with(key: &str, value: Value) -> Value {
    let mut record = deletion();
    record[key] = value;
    record
}

#[test]
fn every_wrapping_is_read() {
    let one = deletion();
    let bridged = json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": one});
    let looked_up = json!({"EventId": "e-1", "CloudTrailEvent": one.to_string()});
    let documents = [
        ("a trail's file", json!({"Records": [one]})),
        ("records", json!([one])),
        ("one record", one.clone()),
        ("an event", bridged.clone()),
        ("events", json!([bridged])),
        ("lookup-events", json!({"Events": [looked_up], "NextToken": "x"})),
        ("its entries", json!([looked_up])),
        ("its entries, parsed", json!([{"CloudTrailEvent": one}])),
    ];
    for (name, document) in documents {
        let told = read(&document).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((told.changes.len(), told.others, told.odd), (1, 0, 0), "{name}");
    }
}

#[test]
fn other_documents_are_left_to_others() {
    let documents = [
        json!(null),
        json!("Records"),
        json!(7),
        json!([]),
        json!({}),
        json!([1, "two", null, []]),
        json!({"SecurityGroups": []}),
        json!([{"GroupId": "sg-1", "IpPermissions": []}]),
        json!({"configurationItems": [{"resourceType": "AWS::EC2::SecurityGroup"}]}),
        json!({"Records": "none"}),
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-03-01T12:00:00Z"}]}),
        json!({"detail-type": "EC2 Instance State-change Notification", "detail": {"state": "running"}}),
        json!({"eventSource": "ec2.amazonaws.com", "eventName": "DeleteSecurityGroup"}),
    ];
    for document in documents {
        assert_eq!(read(&document), None, "{document}");
    }
    for empty in [json!({"Records": []}), json!({"Events": []})] {
        assert_eq!(read(&empty), Some(super::Told::default()), "{empty}");
    }
}

#[test]
fn calls_that_changed_nothing_count_as_others() {
    let others = [
        with("errorCode", json!("Client.DependencyViolation")),
        with("errorMessage", json!("resource sg-1 has a dependent object")),
        with("responseElements", json!({"_return": false})),
        with("eventSource", json!("s3.amazonaws.com")),
        with("eventName", json!("DescribeSecurityGroups")),
        with("eventName", json!("UpdateSecurityGroupRuleDescriptionsIngress")),
        with("eventName", json!("TerminateInstances")),
        with("eventName", json!(5)),
    ];
    for record in others {
        let told = read(&record).unwrap();
        assert_eq!((told.changes.len(), told.others, told.odd), (0, 1, 0), "{record}");
        let times: Vec<_> = told.watched.into_values().collect();
        assert_eq!(times, [(1_772_366_400, 1_772_366_400)], "{record}");
    }
    for fine in
        [with("errorCode", json!(null)), with("errorCode", json!("")), with("responseElements", json!(null))]
    {
        assert_eq!(read(&fine).unwrap().changes.len(), 1, "{fine}");
    }
}

#[test]
fn the_span_is_that_of_all_entries() {
    let times = ["2026-03-01T12:05:00Z", "2026-03-01T11:00:00+01:00", "2026-03-01T12:30:00Z"];
    let mut records: Vec<Value> = times.iter().map(|at| with("eventTime", json!(at))).collect();
    records[2]["eventSource"] = json!("iam.amazonaws.com");
    let told = read(&json!({"Records": records})).unwrap();
    let spans: Vec<_> =
        told.watched.into_values().map(|(first, last)| (time::format(first), time::format(last))).collect();
    assert_eq!(spans, [("2026-03-01T10:00:00Z".to_owned(), "2026-03-01T12:30:00Z".to_owned())]);
    assert_eq!((told.changes.len(), told.others), (2, 1));
    assert_eq!(time::format(told.changes[1].at), "2026-03-01T10:00:00Z");
}

#[test]
fn the_account_is_the_recipient_or_else_the_caller() {
    let cases = [
        (json!("111111111111"), json!({"accountId": "222222222222"}), "111111111111"),
        (json!(null), json!({"accountId": "222222222222"}), "222222222222"),
        (json!(""), json!({"accountId": 222_222_222_222_u64}), "222222222222"),
        (json!(null), json!(null), ""),
    ];
    for (recipient, caller, account) in cases {
        let mut record = with("recipientAccountId", recipient);
        record["userIdentity"] = caller;
        assert_eq!(read(&record).unwrap().changes[0].owner_id, account);
    }
    let unknown = read(&with("awsRegion", json!(null))).unwrap();
    assert_eq!(unknown.changes[0].region, "");
}

#[test]
fn odd_entries_are_counted_and_the_first_described() {
    let broken = [
        (
            with("eventTime", json!("noon")),
            "e-1: DeleteSecurityGroup: expected eventTime in RFC 3339, found \"noon\"",
        ),
        (with("eventTime", json!(7)), "e-1: DeleteSecurityGroup: expected eventTime, found a number"),
        (with("requestParameters", json!(null)), "e-1: DeleteSecurityGroup: expected groupId, found nothing"),
        (json!({"CloudTrailEvent": "{"}), "entry 3: CloudTrailEvent: expected JSON, found "),
        (
            json!("text"),
            "entry 4: expected a record with eventSource, eventName and eventTime, found something else",
        ),
    ];
    let records: Vec<&Value> = broken.iter().map(|(record, _)| record).collect();
    let told = read(&json!({"Records": records})).unwrap();
    assert_eq!((told.others, told.odd, told.oddities.len()), (0, 5, 5));
    for (oddity, (_, expected)) in told.oddities.iter().zip(&broken) {
        assert!(oddity.starts_with(expected), "{oddity}");
    }
    let long = record("DeleteSecurityGroup", &json!({"groupName": "é".repeat(5000)}), &json!(null));
    let told = read(&json!(vec![long; 100])).unwrap();
    assert_eq!((told.others, told.odd, told.oddities.len()), (0, 100, 20));
    assert!(told.oddities.iter().all(|oddity| oddity.chars().count() == 300));
}
