//! What carries items.

use serde_json::{Value, json};

use super::{group, group_configuration, item, told, with};
use crate::rules::aws_config::read;
use crate::rules::change::{Resource, Told};

#[test]
fn every_document_form_tells_the_same() {
    let item = group();
    let text = |value: &Value| Value::from(value.to_string());
    let in_text = with(item.clone(), &json!({"configuration": item["configuration"].to_string()}));
    let of_event = with(
        item.clone(),
        &json!({
            "accountId": null, "awsAccountId": "111122223333", "version": null, "configurationItemVersion": "1.3",
            "arn": null, "ARN": item["arn"], "configurationStateId": 7,
        }),
    );
    let message = json!({
        "configurationItemDiff": null, "configurationItem": of_event, "recordVersion": "1.3",
        "messageType": "ConfigurationItemChangeNotification",
    });
    let notification = json!({"Type": "Notification", "Message": message.to_string()});
    let documents = [
        in_text.clone(),
        of_event.clone(),
        json!([item]),
        json!([text(&item)]),
        json!({"fileVersion": "1.0", "configSnapshotId": "1", "configurationItems": [of_event]}),
        json!({"fileVersion": "1.0", "requestId": "1", "configurationItems": [item]}),
        json!({"configurationItems": [in_text], "nextToken": "x"}),
        json!({"baseConfigurationItems": [in_text], "unprocessedResourceKeys": []}),
        json!({"BaseConfigurationItems": [in_text], "UnprocessedResourceIdentifiers": null}),
        json!({"ConfigurationItem": in_text}),
        json!({"Results": [text(&item)], "QueryInfo": {"SelectFields": []}}),
        json!({"Results": [text(&item)]}),
        json!({"status_code": 200, "data": {"configurationItems": [in_text], "ResponseMetadata": {}}}),
        json!({"status_code": 200, "data": {"Results": [text(&item)], "QueryInfo": {}}}),
        json!({"configRuleName": "r", "invokingEvent": message.to_string(), "resultToken": "x"}),
        json!({"configRuleName": "r", "invokingEvent": message}),
        json!({"source": "aws.config", "detail-type": "Config Configuration Item Change", "detail": message}),
        notification.clone(),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": notification}]}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": notification.to_string()}]}),
        message,
    ];
    let expected = told(&group());
    assert_eq!(expected.changes.len(), 1);
    for document in documents {
        assert_eq!(told(&document), expected, "{document}");
    }
}

#[test]
fn other_documents_are_none() {
    let deep = (0..20).fold(group(), |inner, _| json!({ "detail": inner }));
    let documents = [
        json!(null),
        json!(1),
        json!("text"),
        json!("{broken"),
        json!([]),
        json!({}),
        json!([1, null, {}]),
        json!({"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": []}]}),
        json!({"data": {"SecurityGroups": []}}),
        json!({"Records": [{"eventVersion": "1.08", "eventName": "RunInstances"}]}),
        json!({"detail": {"eventName": "RunInstances"}}),
        json!({"Message": "hello"}),
        json!({"Message": "{\"AlarmName\":\"x\"}"}),
        json!({"Results": []}),
        json!({"Results": ["{\"a\":1}", 5]}),
        json!({"configuration": {"root_module": {}}, "format_version": "1.2"}),
        json!({"messageType": "DATA_MESSAGE", "logEvents": []}),
        deep,
    ];
    for document in documents {
        assert_eq!(read(&document), Ok(None), "{document}");
    }
}

#[test]
fn what_tells_of_no_change_is_counted() {
    let documents = [
        (json!({"configurationItems": []}), 0),
        (json!({"configurationItems": null}), 0),
        (json!({"Results": [], "QueryInfo": {}}), 0),
        (json!({"Results": ["{\"COUNT(*)\":5}"], "QueryInfo": {}}), 1),
        (item("AWS::EC2::Instance", "i-1", &json!("not read")), 1),
        (with(group(), &json!({"configurationItemStatus": "ResourceNotRecorded"})), 1),
        (json!({"invokingEvent": "{\"messageType\":\"ScheduledNotification\"}"}), 1),
        (json!({"invokingEvent": {}}), 1),
        (json!({"Message": "{\"messageType\":\"ConfigurationSnapshotDeliveryCompleted\"}"}), 1),
        (json!({"detail": {"messageType": "ComplianceChangeNotification"}}), 1),
        (json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": null}), 1),
        (json!({"unprocessedResourceKeys": [{"resourceType": "AWS::S3::Bucket", "resourceId": "b"}]}), 1),
    ];
    for (document, others) in documents {
        assert_eq!(told(&document), Told { others, ..Told::default() }, "{document}");
    }
}

#[test]
fn a_key_of_aws_config_with_another_value_is_an_error() {
    let cases = [
        (json!({"configurationItems": {}}), "configurationItems: expected a list, found an object"),
        (json!({"baseConfigurationItems": "x"}), "baseConfigurationItems: expected a list, found \"x\""),
        (json!({"unprocessedResourceKeys": 1}), "unprocessedResourceKeys: expected a list, found 1"),
        (json!({"invokingEvent": "x"}), "invokingEvent: expected a JSON object, found \"x\""),
        (json!({"invokingEvent": null}), "invokingEvent: expected a JSON object, found nothing"),
    ];
    for (document, message) in cases {
        assert_eq!(read(&document), Err(message.to_owned()), "{document}");
    }
}

#[test]
fn the_kind_of_a_row_without_type_is_told_by_its_ids() {
    let row = |row: &Value| json!({"Results": [row.to_string()], "QueryInfo": {}});
    let cases = [
        (json!({"resourceId": "eni-1"}), 1),
        (json!({"resourceId": "vpc-1", "configuration": {"groupId": "sg-1"}}), 0),
        (json!({"configuration": {"groupId": "sg-1"}}), 1),
        (json!({"configuration": {"networkAclId": "acl-1", "vpcId": "vpc-1"}}), 1),
        (json!({"configuration": {"PrefixListId": "pl-1"}}), 1),
        (json!({"configuration": {"subnetId": "subnet-1", "cidrBlock": "192.0.2.0/24"}}), 1),
        (json!({"configuration": {"subnetId": "subnet-1", "instanceId": "i-1"}}), 0),
        (json!({"configuration": {"groupId": "g"}}), 0),
    ];
    for (selected, odd) in cases {
        let told = told(&row(&selected));
        let taken_for_one = told.odd + told.undated.len() as u64;
        assert_eq!((taken_for_one, told.others), (odd, 1 - odd), "{selected}");
    }
}

#[test]
fn a_query_that_selects_no_time_answers_with_what_is_there_now() {
    let row = json!({"configuration": group_configuration(), "accountId": "111122223333"}).to_string();
    let told = told(&json!({"Results": [row], "QueryInfo": {}}));
    let [Resource::Group(group, rules)] = &told.undated[..] else { panic!("{told:?}") };
    assert_eq!((group.id.as_str(), group.owner_id.as_str()), ("sg-1", "111122223333"));
    assert!(!rules.is_empty());
    assert_eq!((told.changes.len(), told.odd, told.others), (0, 0, 0));
}
