//! Groups that an AWS service needs as they are: they are never advised for removal.
//!
//! Patterns: <https://docs.aws.amazon.com/vpc/latest/userguide/using-eni.html> and the services' own pages.

use super::services::{self, Service};
use crate::rules::state::{Group, Interface};
use crate::rules::{Peer, Rule};

/// Services that need rules of theirs, by the start of an interface's description.
const BY_DESCRIPTION: [(&str, &str); 5] = [
    ("AWS ElasticMapReduce", "EMR"),
    ("Amazon EKS ", "EKS"),
    ("Attached to Glue", "Glue"),
    ("AWS created network interface for directory", "Directory Service"),
    ("MWAA", "MWAA"),
];

/// The same, by the start of a group's name.
const BY_GROUP_NAME: [(&str, &str); 5] = [
    ("ElasticMapReduce-", "EMR"),
    ("eks-cluster-sg-", "EKS"),
    ("k8s-elb-", "EKS load balancer"),
    ("k8s-traffic-", "EKS load balancer"),
    ("awseb-", "Elastic Beanstalk"),
];

/// The service that made a group, as its name tells or its description.
pub fn made_by_service(group: &Group) -> Option<&'static str> {
    let named = BY_GROUP_NAME.iter().find(|(start, _)| group.name.starts_with(start));
    let managed = || group.is_service_managed().then_some("a service of Alibaba Cloud");
    named.map(|(_, service)| *service).or_else(managed)
}

/// Whether a rule is never part of a set of rules to remove, however unused it looks: a service needs it, or may need it
/// in ways that the logs of a quiet time do not show.
pub fn is_never_removed(rule: &Rule, group: Option<&Group>, interfaces: &[&Interface]) -> bool {
    let directory = |it: &&Interface| services::service_of(it) == Some(Service::DirectoryService);
    requires(rule, group, interfaces).is_some() || interfaces.iter().any(directory)
}

/// The service that requires the rule, if one is known to.
pub fn requires(rule: &Rule, group: Option<&Group>, interfaces: &[&Interface]) -> Option<&'static str> {
    if let Some(service) = group.and_then(made_by_service) {
        return Some(service);
    }
    let described = |interface: &&Interface| {
        BY_DESCRIPTION
            .iter()
            .find(|(start, _)| interface.description.starts_with(start))
            .map(|(_, service)| *service)
    };
    let service = interfaces.iter().find_map(described)?;
    let to_itself = matches!(&rule.peer, Peer::Group(peer) if *peer == rule.group_id);
    (service != "Glue" || to_itself).then_some(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Direction;
    use crate::rules::RuleProtocol;

    fn rule(peer: Peer) -> Rule {
        Rule {
            group_id: "sg-1".to_owned(),
            direction: Direction::Ingress,
            protocol: RuleProtocol::Number(crate::flow::TCP),
            from_port: Some(53),
            to_port: Some(53),
            peer,
            ranked: None,
        }
    }

    #[test]
    fn what_a_service_needs_is_never_removed() {
        let world = || rule(Peer::cidr("0.0.0.0/0"));
        let itself = || rule(Peer::Group("sg-1".to_owned()));
        let named = |name: &str| Group { name: name.to_owned(), ..Group::default() };
        let directory = "AWS created network interface for directory d-1234567890";
        let cases = [
            (world(), "web", "", false),
            (world(), "web", "ClientVPN Endpoint resource", false),
            (world(), "web", directory, true),
            (world(), "eks-cluster-sg-shop-1", "", true),
            (world(), "web", "Attached to Glue using role: made-up", false),
            (itself(), "web", "Attached to Glue using role: made-up", true),
        ];
        for (rule, name, description, expected) in cases {
            let interface = Interface {
                description: description.to_owned(),
                requester_managed: Some(true),
                ..Interface::default()
            };
            let kept = is_never_removed(&rule, Some(&named(name)), &[&interface]);
            assert_eq!(kept, expected, "{name} {description}");
        }
        assert!(!is_never_removed(&world(), None, &[]));
    }
}
