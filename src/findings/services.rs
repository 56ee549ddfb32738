//! Which AWS service runs an interface: told by `InterfaceType` first, then by `RequesterId`, then by `Description`.
//!
//! A description is free text on interfaces that people make, so it tells something only where other signs say that a
//! service made the interface.
//! Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html>.

use crate::rules::state::Interface;

/// A service that runs interfaces in a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Client VPN endpoints.
    ClientVpn,
    /// Directories: domain controllers and connectors.
    DirectoryService,
    /// Mount targets.
    Efs,
    /// Load balancers of all kinds.
    ElasticLoadBalancing,
    /// Functions.
    Lambda,
    /// NAT gateways.
    NatGateway,
    /// Databases and proxies.
    Rds,
    /// Interface and Gateway Load Balancer endpoints.
    VpcEndpoint,
}

/// What an interface of a service need let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbound {
    /// What its clients open: rules are judged as any.
    ByClients,
    /// Nothing: nobody opens connections to it.
    Nothing {
        /// Why.
        why: &'static str,
        /// Where AWS says so.
        source: &'static str,
    },
    /// Nothing for clients that come through servers of the service; what others need is named.
    NothingBut {
        /// Why.
        why: &'static str,
        /// Who needs which ports all the same.
        exception: &'static str,
        /// Where AWS says so.
        source: &'static str,
    },
}

impl Inbound {
    /// Why nothing is needed.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::ByClients => None,
            Self::Nothing { why, .. } | Self::NothingBut { why, .. } => Some(why),
        }
    }

    /// Who needs something all the same.
    pub fn exception(self) -> Option<&'static str> {
        match self {
            Self::ByClients | Self::Nothing { .. } => None,
            Self::NothingBut { exception, .. } => Some(exception),
        }
    }

    /// Where AWS says so.
    pub fn source(self) -> Option<&'static str> {
        match self {
            Self::ByClients => None,
            Self::Nothing { source, .. } | Self::NothingBut { source, .. } => Some(source),
        }
    }
}

impl Service {
    /// As AWS calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientVpn => "Client VPN",
            Self::DirectoryService => "Directory Service",
            Self::Efs => "EFS",
            Self::ElasticLoadBalancing => "Elastic Load Balancing",
            Self::Lambda => "Lambda",
            Self::NatGateway => "NAT gateway",
            Self::Rds => "RDS",
            Self::VpcEndpoint => "VPC endpoint",
        }
    }

    /// What its interfaces need let in.
    pub fn inbound(self) -> Inbound {
        match self {
            Self::ClientVpn => Inbound::Nothing {
                why: "clients connect to the service and go out through these interfaces, which stand in for their \
                      addresses; replies pass by connection tracking",
                source: "https://repost.aws/knowledge-center/client-vpn-give-users-resource-access",
            },
            Self::Lambda => Inbound::Nothing {
                why: "functions are invoked through the Lambda API and have no inbound network access; replies pass by \
                      connection tracking",
                source: "https://docs.aws.amazon.com/whitepapers/latest/serverless-architectures-lambda/network-configuration.html",
            },
            Self::DirectoryService => Inbound::NothingBut {
                why: "AWS applications, Client VPN among them, reach the directory through servers of the service",
                exception: "domain members, trusts and other clients that speak to the controllers directly need 53, 88, \
                            135, 389, 445, 464, 636, 3268 and 1024-65535",
                source: "https://docs.aws.amazon.com/directoryservice/latest/admin-guide/ms_ad_network_security.html",
            },
            Self::Efs | Self::ElasticLoadBalancing | Self::NatGateway | Self::Rds | Self::VpcEndpoint => {
                Inbound::ByClients
            }
        }
    }
}

/// `InterfaceType`, which only AWS sets.
const BY_TYPE: [(&str, Service); 9] = [
    ("efs", Service::Efs),
    ("gateway_load_balancer", Service::ElasticLoadBalancing),
    ("gateway_load_balancer_endpoint", Service::VpcEndpoint),
    ("lambda", Service::Lambda),
    ("load_balancer", Service::ElasticLoadBalancing),
    ("natGateway", Service::NatGateway),
    ("nat_gateway", Service::NatGateway),
    ("network_load_balancer", Service::ElasticLoadBalancing),
    ("vpc_endpoint", Service::VpcEndpoint),
];

/// `RequesterId` of services that ask under a name.
const BY_REQUESTER: [(&str, Service); 2] =
    [("amazon-elb", Service::ElasticLoadBalancing), ("amazon-rds", Service::Rds)];

/// The start of `Description`.
const BY_DESCRIPTION: [(&str, Service); 9] = [
    ("AWS Lambda VPC ENI", Service::Lambda),
    ("AWS created network interface for directory ", Service::DirectoryService),
    ("ClientVPN Endpoint ", Service::ClientVpn),
    ("EFS mount target for ", Service::Efs),
    ("ELB ", Service::ElasticLoadBalancing),
    ("Interface for NAT Gateway ", Service::NatGateway),
    ("Network interface for DBProxy", Service::Rds),
    ("RDSNetworkInterface", Service::Rds),
    ("VPC Endpoint Interface ", Service::VpcEndpoint),
];

/// The service that runs an interface. None: nobody's, or nobody's that can be told.
pub fn service_of(interface: &Interface) -> Option<Service> {
    let told = |table: &[(&str, Service)], word: &str| {
        table.iter().find(|(known, _)| *known == word).map(|(_, service)| *service)
    };
    let by_description = || {
        let mut starts = BY_DESCRIPTION.iter();
        starts.find(|(start, _)| interface.description.starts_with(start)).map(|(_, service)| *service)
    };
    told(&BY_TYPE, &interface.interface_type)
        .or_else(|| told(&BY_REQUESTER, &interface.requester_id))
        .or_else(|| is_made_by_service(interface).then(by_description).flatten())
}

/// Whether a service asked for the interface. Where the document does not say so outright, the requester tells: services
/// ask under a name or from an account of their own, people under the id of a user or role.
fn is_made_by_service(interface: &Interface) -> bool {
    let requester = interface.requester_id.as_str();
    let of_account = requester.len() == 12 && requester.bytes().all(|byte| byte.is_ascii_digit());
    let foreign = of_account && !interface.owner_id.is_empty() && requester != interface.owner_id;
    interface.requester_managed.unwrap_or(requester.starts_with("amazon-") || foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(words: [&str; 4], requester_managed: Option<bool>) -> Interface {
        let [interface_type, requester_id, owner_id, description] = words.map(str::to_owned);
        Interface {
            owner_id,
            interface_type,
            description,
            requester_id,
            requester_managed,
            ..Interface::default()
        }
    }

    #[test]
    fn type_comes_before_requester_and_requester_before_description() {
        let own = "111111111111";
        let vpn = "ClientVPN Endpoint resource";
        let directory = "AWS created network interface for directory d-1234567890";
        let cases = [
            ("lambda", "AROAEXAMPLE:1", "made by hand", Some(false), Some(Service::Lambda)),
            ("lambda", "amazon-elb", "ELB app/a/1", None, Some(Service::Lambda)),
            ("efs", own, "", None, Some(Service::Efs)),
            ("nat_gateway", own, "", Some(true), Some(Service::NatGateway)),
            ("vpc_endpoint", "222222222222", "", Some(true), Some(Service::VpcEndpoint)),
            ("network_load_balancer", own, "ELB net/a/1", Some(true), Some(Service::ElasticLoadBalancing)),
            ("interface", "amazon-elb", "ELB app/a/1", None, Some(Service::ElasticLoadBalancing)),
            ("interface", "amazon-rds", vpn, None, Some(Service::Rds)),
            ("interface", own, vpn, Some(true), Some(Service::ClientVpn)),
            ("interface", "222222222222", vpn, None, Some(Service::ClientVpn)),
            ("interface", "amazon-aws", directory, None, Some(Service::DirectoryService)),
            ("interface", own, directory, Some(true), Some(Service::DirectoryService)),
            ("interface", own, "RDSNetworkInterface", Some(true), Some(Service::Rds)),
            ("", own, "ELB classic", Some(true), Some(Service::ElasticLoadBalancing)),
            // What anybody can write proves nothing.
            ("interface", own, vpn, Some(false), None),
            ("interface", "222222222222", vpn, Some(false), None),
            ("interface", own, vpn, None, None),
            ("interface", "AIDAEXAMPLE", directory, None, None),
            ("interface", "", directory, None, None),
            ("interface", own, "my ClientVPN Endpoint resource", Some(true), None),
            ("interface", own, "", Some(true), None),
        ];
        for (kind, requester, description, managed, expected) in cases {
            let found = service_of(&interface([kind, requester, own, description], managed));
            assert_eq!(found, expected, "{kind} {requester} {description} {managed:?}");
        }
    }

    #[test]
    fn only_three_services_need_nothing_inbound() {
        let all = BY_TYPE.iter().chain(&BY_REQUESTER).chain(&BY_DESCRIPTION).map(|(_, service)| *service);
        let quiet = all.filter(|service| service.inbound() != Inbound::ByClients);
        let quiet: std::collections::BTreeSet<Service> = quiet.collect();
        let expected = [Service::ClientVpn, Service::DirectoryService, Service::Lambda];
        assert_eq!(quiet.into_iter().collect::<Vec<_>>(), expected);
    }
}
