//! A small account as it truly is, and what is to be known of it: groups with their rules, interfaces with addresses and
//! memberships, prefix lists.

use std::collections::{BTreeMap, BTreeSet};

use flowaudit::rules::state::State;
use flowaudit::rules::timeline::{Placement, Timeline};
use serde_json::{Value, json};

use crate::events::{REGION, Traffic};
use crate::fixture::{ACCOUNT, Object, group, interface, prefix_list};

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    pub(crate) egress: bool,
    pub(crate) protocol: &'static str,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) peer: String,
}

impl Content {
    /// What every new group has.
    pub(crate) fn everything_out() -> Self {
        Self { egress: true, protocol: "-1", from: -1, to: -1, peer: "0.0.0.0/0".to_owned() }
    }

    pub(crate) fn traffic(&self) -> Traffic<'_> {
        let Self { egress, protocol, from, to, peer } = self;
        Traffic { egress: *egress, protocol, from: *from, to: *to, peer }
    }

    fn key(&self, group: &str) -> String {
        let direction = if self.egress { "egress" } else { "ingress" };
        format!("{group}:{direction}:{}:{}-{}:{}", self.protocol, self.from, self.to, self.peer)
    }
}

/// A rule that a group holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) content: Content,
    /// Whether somebody has told its id before it can be called by it.
    pub(crate) labelled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Eni {
    /// The primary one first.
    pub(crate) addresses: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) instance: Option<String>,
}

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) groups: BTreeMap<String, Vec<Held>>,
    pub(crate) interfaces: BTreeMap<String, Eni>,
    pub(crate) lists: BTreeMap<String, BTreeSet<String>>,
}

impl World {
    /// As the describe-* calls answer, rules with their ids.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        for (id, rules) in &self.groups {
            let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{id}");
            let mut described = group(id).with("SecurityGroupArn", arn);
            for Held { content: Content { egress, protocol, from, to, peer }, .. } in rules {
                described = if *egress {
                    described.egress(protocol, *from, *to, peer)
                } else {
                    described.ingress(protocol, *from, *to, peer)
                };
            }
            objects.push(described);
            objects.extend(rules.iter().map(|rule| with_id(id, rule)));
        }
        for (id, eni) in &self.interfaces {
            let groups: Vec<&str> = eni.groups.iter().map(String::as_str).collect();
            let addresses = eni.addresses.iter().map(|it| json!({ "PrivateIpAddress": it }));
            let mut described = interface(id, &eni.addresses[0], &groups)
                .with("PrivateIpAddresses", addresses.collect::<Vec<_>>())
                .with("AvailabilityZone", format!("{REGION}a"));
            if let Some(instance) = &eni.instance {
                described = described.with("Attachment", json!({ "InstanceId": instance }));
            }
            objects.push(described);
        }
        for (id, nets) in &self.lists {
            objects.push(prefix_list(id, &nets.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        objects
    }

    pub(crate) fn view(&self) -> View {
        let rules = |(id, rules): (&String, &Vec<Held>)| {
            (id.clone(), rules.iter().map(|rule| rule.content.key(id)).collect())
        };
        let interface = |(id, eni): (&String, &Eni)| {
            (id.clone(), (eni.addresses.iter().cloned().collect(), eni.groups.iter().cloned().collect()))
        };
        View {
            groups: self.groups.iter().map(rules).collect(),
            interfaces: self.interfaces.iter().map(interface).collect(),
            lists: self.lists.clone(),
        }
    }
}

fn with_id(group: &str, Held { id, content, .. }: &Held) -> Object {
    let mut value = json!({
        "SecurityGroupRuleId": id, "GroupId": group, "GroupOwnerId": ACCOUNT, "IsEgress": content.egress,
        "IpProtocol": content.protocol, "FromPort": content.from, "ToPort": content.to,
        "SecurityGroupRuleArn": format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group-rule/{id}"),
    });
    let (key, peer): (_, Value) = match content.peer.as_str() {
        peer if peer.starts_with("sg-") => ("ReferencedGroupInfo", json!({ "GroupId": peer })),
        peer if peer.starts_with("pl-") => ("PrefixListId", peer.into()),
        peer if peer.contains(':') => ("CidrIpv6", peer.into()),
        peer => ("CidrIpv4", peer.into()),
    };
    value[key] = peer;
    Object { kind: "SecurityGroupRules", value }
}

type Set = BTreeSet<String>;

/// What a state says, or what is true: rules by content, addresses and groups of interfaces, entries of lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) groups: BTreeMap<String, Set>,
    pub(crate) interfaces: BTreeMap<String, (Set, Set)>,
    pub(crate) lists: BTreeMap<String, Set>,
}

impl View {
    /// What is said of a time; None: nothing.
    pub(crate) fn at(timeline: &Timeline, at: i64) -> Option<Self> {
        match timeline.at(Some(at)) {
            Some((state, Placement::InForce)) => Some(Self::of(timeline, &timeline.states[state])),
            _ => None,
        }
    }

    fn of(timeline: &Timeline, state: &State) -> Self {
        let rules = state.groups.iter().map(|(id, group)| {
            (id.clone(), group.rules.iter().map(|rule| timeline.rules[rule.index()].key()).collect())
        });
        let interfaces = state.interfaces.iter().map(|(id, interface)| {
            let addresses = interface.addresses.iter().map(ToString::to_string).collect();
            (id.clone(), (addresses, interface.group_ids.iter().cloned().collect()))
        });
        let lists = state
            .prefix_lists
            .iter()
            .map(|(id, nets)| (id.clone(), nets.iter().map(ToString::to_string).collect()));
        Self { groups: rules.collect(), interfaces: interfaces.collect(), lists: lists.collect() }
    }

    /// Whether everything it says is true, though it may not say all.
    pub(crate) fn is_part_of(&self, truth: &Self) -> Result<(), String> {
        fn each<T: PartialEq + std::fmt::Debug>(
            said: &BTreeMap<String, T>,
            truth: &BTreeMap<String, T>,
        ) -> Result<(), String> {
            match said.iter().find(|(id, said)| truth.get(*id) != Some(said)) {
                Some((id, said)) => Err(format!("{id} is said to be {said:?} and is {:?}", truth.get(id))),
                None => Ok(()),
            }
        }
        each(&self.groups, &truth.groups)?;
        each(&self.interfaces, &truth.interfaces)?;
        each(&self.lists, &truth.lists)
    }
}
