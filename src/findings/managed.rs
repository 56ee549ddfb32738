//! Groups that an AWS service needs as they are: they are never advised for removal.
//!
//! Patterns: <https://docs.aws.amazon.com/vpc/latest/userguide/using-eni.html> and the services' own pages.

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

/// The service that requires the rule, if one is known to.
pub fn requires(rule: &Rule, group: Option<&Group>, interfaces: &[&Interface]) -> Option<&'static str> {
    let by_name =
        group.and_then(|group| BY_GROUP_NAME.iter().find(|(start, _)| group.name.starts_with(start)));
    if let Some((_, service)) = by_name {
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
