//! CloudTrail documents → changes.
//!
//! ```text
//! document ─▶ entries (records, however wrapped) ─▶ Event ─▶ permissions | group | interfaces | prefix_lists ─▶ What
//! ```
//!
//! Only calls of EC2 that succeeded tell of changes. A call that should have told of one and cannot be understood is
//! counted and described, never fatal: trails hold years of calls in the shapes of their day.
//!
//! What AWS does without a call of its own is not in a trail: default groups of new VPCs, interfaces that go with their
//! instance, addresses that `AllowReassignment` takes from another interface.
//!
//! A record is as in
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>, its
//! request and response as in <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/> but for how they are written,
//! which is the matter of `shape.rs`.

mod group;
mod interfaces;
mod permissions;
mod prefix_lists;
mod shape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use super::change::{Change, Told, What};
use crate::flow::{Direction, Seconds};
use crate::time;
use shape::{field, label_or_empty, needed, text};

/// Reads a document: `{"Records":[…]}`, records in an array or one alone, each bare, as the `detail` of an EventBridge
/// event, or as the `CloudTrailEvent` of an answer of lookup-events. None: it is none of these.
pub fn read(document: &Value) -> Option<Told> {
    let entries: Vec<Entry<'_>> = entries(document)?.iter().map(Entry::of).collect();
    if !entries.is_empty() && entries.iter().all(|entry| matches!(entry, Entry::Foreign)) {
        return None;
    }
    let mut told = Told::default();
    for (index, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Record(record) => add(&mut told, record),
            Entry::Broken(error) => told.note_odd(&format!("entry {index}: {error}")),
            Entry::Foreign => told.note_odd(&format!(
                "entry {index}: expected a record with eventSource, eventName and eventTime, found something else"
            )),
        }
    }
    Some(told)
}

/// The entries of a document, if it can be one. An array of nothing may be anything.
fn entries(document: &Value) -> Option<&[Value]> {
    match document {
        Value::Array(entries) => (!entries.is_empty()).then_some(entries),
        Value::Object(map) => match (map.get("Records"), map.get("Events")) {
            (Some(Value::Array(entries)), _) | (None, Some(Value::Array(entries))) => Some(entries),
            _ => Some(std::slice::from_ref(document)),
        },
        _ => None,
    }
}

/// One element of a document.
enum Entry<'a> {
    Record(Cow<'a, Value>),
    /// An entry of lookup-events whose record is no JSON.
    Broken(String),
    Foreign,
}

impl<'a> Entry<'a> {
    fn of(entry: &'a Value) -> Self {
        let record = match entry.get("CloudTrailEvent") {
            Some(Value::String(json)) => match serde_json::from_str(json) {
                Ok(record) => Cow::Owned(record),
                Err(error) => return Self::Broken(format!("CloudTrailEvent: expected JSON, found {error}")),
            },
            Some(record) => Cow::Borrowed(record),
            None => Cow::Borrowed(entry.get("detail").unwrap_or(entry)),
        };
        if is_record(&record) { Self::Record(record) } else { Self::Foreign }
    }
}

/// Notifications of S3 have the same three keys, and `aws:s3` for a source.
fn is_record(value: &Value) -> bool {
    let source = value.get("eventSource").and_then(Value::as_str).unwrap_or_default();
    source.ends_with(".amazonaws.com") && value.get("eventName").is_some() && value.get("eventTime").is_some()
}

/// One call of EC2 that succeeded.
struct Event<'a> {
    name: &'a str,
    /// `requestParameters`.
    request: &'a Value,
    /// `responseElements`.
    response: &'a Value,
    account: String,
    region: String,
}

fn add(told: &mut Told, record: &Value) {
    let name = record.get("eventName").and_then(Value::as_str).unwrap_or_default();
    let id = label_or_empty(record, "eventID");
    let odd = |error: String| format!("{id}: {name}: {error}");
    let at = match time_of(record) {
        Ok(at) => at,
        Err(error) => return told.note_odd(&odd(error)),
    };
    let event = Event::of(name, record);
    told.note(at, &event.account, &event.region);
    if record.get("eventSource").and_then(Value::as_str) != Some("ec2.amazonaws.com")
        || failed(record, &event)
    {
        told.others += 1;
        return;
    }
    match changes(&event) {
        Ok(changes) if changes.is_empty() => told.others += 1,
        Ok(changes) => told.changes.extend(changes.into_iter().map(|what| Change {
            at,
            what,
            owner_id: event.account.clone(),
            region: event.region.clone(),
            id: id.clone(),
        })),
        Err(error) => told.note_odd(&odd(error)),
    }
}

fn time_of(record: &Value) -> Result<Seconds, String> {
    let written = needed(record, "eventTime")?;
    time::parse(&written).ok_or_else(|| format!("expected eventTime in RFC 3339, found \"{written}\""))
}

/// A call that changed nothing says so by an error, or by `false`.
fn failed(record: &Value, event: &Event<'_>) -> bool {
    let says = |key: &str| field(record, key).is_some_and(|value| value.as_str() != Some(""));
    let returned = field(event.response, "_return").or_else(|| field(event.response, "return"));
    says("errorCode") || says("errorMessage") || returned.and_then(text).is_some_and(|word| word == "false")
}

impl<'a> Event<'a> {
    fn of(name: &'a str, record: &'a Value) -> Self {
        let account = match label_or_empty(record, "recipientAccountId") {
            none if none.is_empty() => {
                field(record, "userIdentity").map_or(none, |who| label_or_empty(who, "accountId"))
            }
            account => account,
        };
        Self {
            name,
            request: unwrapped(record, "requestParameters", &format!("{name}Request")),
            response: unwrapped(record, "responseElements", &format!("{name}Response")),
            account,
            region: label_or_empty(record, "awsRegion"),
        }
    }
}

/// Newer calls wrap what they hold once more: `{"ModifyManagedPrefixListRequest": {…}}`.
fn unwrapped<'a>(record: &'a Value, key: &str, wrapper: &str) -> &'a Value {
    static NOTHING: Value = Value::Null;
    let value = field(record, key).unwrap_or(&NOTHING);
    field(value, wrapper).unwrap_or(value)
}

/// What the call changed; nothing, where it is not about what we know of.
fn changes(event: &Event<'_>) -> Result<Vec<What>, String> {
    match event.name {
        "AuthorizeSecurityGroupIngress" => permissions::authorized(event, Direction::Ingress),
        "AuthorizeSecurityGroupEgress" => permissions::authorized(event, Direction::Egress),
        "RevokeSecurityGroupIngress" => permissions::revoked(event, Direction::Ingress),
        "RevokeSecurityGroupEgress" => permissions::revoked(event, Direction::Egress),
        "ModifySecurityGroupRules" => permissions::modified(event),
        "CreateSecurityGroup" => group::created(event),
        "DeleteSecurityGroup" => group::deleted(event),
        "CreateNetworkInterface" => interfaces::created(event),
        "DeleteNetworkInterface" => interfaces::deleted(event),
        "RunInstances" => interfaces::launched(event),
        "ModifyNetworkInterfaceAttribute" => interfaces::interface_groups(event),
        "ModifyInstanceAttribute" => interfaces::instance_groups(event),
        "AssignPrivateIpAddresses" | "AssignIpv6Addresses" => interfaces::assigned(event),
        "UnassignPrivateIpAddresses" | "UnassignIpv6Addresses" => interfaces::unassigned(event),
        "CreateManagedPrefixList" => prefix_lists::created(event),
        "ModifyManagedPrefixList" => prefix_lists::modified(event),
        "DeleteManagedPrefixList" => prefix_lists::deleted(event),
        "CreateNetworkAclEntry" | "ReplaceNetworkAclEntry" | "DeleteNetworkAclEntry" => {
            Ok(vec![What::AclChanged(needed(event.request, "networkAclId")?)])
        }
        // It names the association, and whose subnet that is only an older description of the ACL would say.
        "ReplaceNetworkAclAssociation" => {
            Err("expected a subnet, found only the id of an association".to_owned())
        }
        "RestoreManagedPrefixListVersion" => {
            Err("expected entries, found only the number of a version".to_owned())
        }
        _ => Ok(Vec::new()),
    }
}
