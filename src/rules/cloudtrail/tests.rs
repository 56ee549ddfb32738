//! Events made up in every form, and what they tell in one line each.

mod documents;
mod hostile;
mod resources;
mod rules;

use serde_json::{Value, json};

use super::read;
use crate::rules::aws::RuleDocument;
use crate::rules::change::{Life, Resource, Told, What};

/// A record of a call that succeeded.
fn record(name: &str, request: &Value, response: &Value) -> Value {
    json!({
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "accountId": "222222222222"},
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "requestParameters": request,
        "responseElements": response,
        "eventID": "e-1",
        "recipientAccountId": "111111111111",
    })
}

fn told(name: &str, request: &Value, response: &Value) -> Told {
    read(&record(name, request, response)).unwrap()
}

/// What a call tells: changes one after the other, `other`, or `odd: …`.
fn line(name: &str, request: &Value, response: &Value) -> String {
    let told = told(name, request, response);
    assert_eq!(told.others + told.odd, u64::from(told.changes.is_empty()), "{name}");
    assert_eq!(told.odd, told.oddities.len() as u64, "{name}");
    if let Some(oddity) = told.oddities.first() {
        return format!("odd: {}", oddity.strip_prefix(&format!("e-1: {name}: ")).unwrap());
    }
    if told.changes.is_empty() {
        return "other".to_owned();
    }
    for change in &told.changes {
        assert_eq!((change.at, change.id.as_str()), (1_772_366_400, "e-1"));
        assert_eq!((change.owner_id.as_str(), change.region.as_str()), ("111111111111", "eu-west-1"));
    }
    told.changes.iter().map(|change| brief(&change.what)).collect::<Vec<_>>().join("; ")
}

fn brief(what: &What) -> String {
    let rules = |rules: &[RuleDocument]| {
        let one = |document: &RuleDocument| match &document.rule_id {
            Some(id) => format!("{}={id}", document.rule.key()),
            None => document.rule.key(),
        };
        rules.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    match what {
        What::Is(life, resource) => {
            let life = if *life == Life::Begins { "new" } else { "now" };
            match &**resource {
                Resource::Group(group, held) => format!("{life} {} {} {}", group.id, group.name, rules(held)),
                Resource::Interface(it) => {
                    let addresses: Vec<_> = it.addresses.iter().map(ToString::to_string).collect();
                    format!(
                        "{life} {} {} in {} of {}",
                        it.id,
                        addresses.join(" "),
                        it.group_ids.join(" "),
                        it.instance_id
                    )
                }
                Resource::PrefixList(id, nets) => format!("{life} {id} {nets:?}"),
                other => format!("{life} {other:?}"),
            }
        }
        What::RulesRevoked { group_id, rules: revoked, rule_ids } => {
            format!("{group_id} - {} {}", rules(revoked), rule_ids.join(" ")).trim_end().to_owned()
        }
        What::RulesAuthorized { group_id, rules: authorized } => {
            format!("{group_id} + {}", rules(authorized))
        }
        What::InterfaceGroups { interface_id: id, group_ids }
        | What::InstanceGroups { instance_id: id, group_ids } => {
            format!("{id} in {}", group_ids.join(" "))
        }
        What::InterfaceAddresses { interface_id: id, added, removed }
        | What::PrefixListEntries { prefix_list_id: id, added, removed } => {
            format!("{id} +{added:?} -{removed:?}")
        }
        other => format!("{other:?}"),
    }
}
