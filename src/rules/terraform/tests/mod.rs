#![expect(clippy::needless_pass_by_value, reason = "documents are written where they are passed")]

mod documents;
mod groups;
mod plan;
mod references;
mod state;

use serde_json::{Value, json};

use super::{Terraform, read};
use crate::rules::Rule;
use crate::rules::aws::Objects;

/// A resource of a state, or of planned values.
fn resource(address: &str, values: Value) -> Value {
    json!({ "address": address, "mode": "managed", "type": kind(address), "values": values })
}

fn kind(address: &str) -> &str {
    let own = address.rsplit_once("module.").map_or(address, |(_, own)| own.split_once('.').unwrap().1);
    own.split('.').next().unwrap()
}

fn state_document(resources: &[Value]) -> Value {
    json!({ "format_version": "1.0", "terraform_version": "1.9.5",
            "values": { "root_module": { "resources": resources } } })
}

fn read_well(document: &Value) -> Terraform {
    read(document).unwrap().unwrap()
}

/// The state of these resources.
fn state(resources: &[(&str, Value)]) -> Terraform {
    let resources: Vec<_> =
        resources.iter().map(|(address, values)| resource(address, values.clone())).collect();
    read_well(&state_document(&resources))
}

fn keys<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Vec<String> {
    rules.into_iter().map(Rule::key).collect()
}

fn rule_keys(objects: Option<&Objects>) -> Vec<String> {
    keys(objects.unwrap().rules.iter().map(|document| &document.rule))
}

/// `address attribute lack` of everything unknown.
fn unknown(terraform: &Terraform) -> Vec<String> {
    let line = |it: &super::Unknown| format!("{} {} {:?}", it.address, it.attribute, it.lack);
    terraform.unknown.iter().map(line).collect()
}

/// An inline rule of a group as a refreshed state has it.
fn inline(protocol: &str, from: i64, to: i64, peers: Value) -> Value {
    let mut rule = json!({
        "protocol": protocol, "from_port": from, "to_port": to, "cidr_blocks": [], "ipv6_cidr_blocks": [],
        "prefix_list_ids": [], "security_groups": [], "self": false, "description": "",
    });
    for (key, value) in peers.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}
