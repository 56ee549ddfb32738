//! The account as AWS answers it: the JSON of the describe calls of the AWS command line.
//!
//! Shapes and key names: botocore, EC2 API 2016-11-15.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::account::{
    ACCOUNT_ID, Account, DELETED_GROUP, Group, Interface, Owner, Peer, REGION, Rule, Subnet,
};
use super::write::FORMAT;

/// When the parts of the account were made: any day before the sample starts.
const CREATED: &str = "2025-11-03T09:12:44.000Z";

/// Every answer and the name of its file.
pub(crate) fn documents(account: &Account) -> Vec<(PathBuf, Value)> {
    let list = format!("{}.json", account.office_list);
    let groups = all(&account.groups, |group| security_group(account, group));
    let interfaces = all(&account.interfaces, |interface| network_interface(account, interface));
    let subnets = all(&account.subnets, |one| subnet(account, one));
    [
        ("security-groups.json", json!({ "SecurityGroups": groups })),
        ("security-group-rules.json", security_group_rules(account)),
        ("network-interfaces.json", json!({ "NetworkInterfaces": interfaces })),
        ("managed-prefix-lists.json", prefix_lists(account)),
        (list.as_str(), office_entries()),
        ("subnets.json", json!({ "Subnets": subnets })),
        ("network-acls.json", json!({ "NetworkAcls": [acl(account, true), acl(account, false)] })),
        ("flow-logs.json", flow_logs(account)),
    ]
    .map(|(name, value)| (PathBuf::from("snapshot").join(name), value))
    .into()
}

fn all<T>(items: &[T], one: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(one).collect()
}

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT_ID}:{kind}/{id}")
}

fn security_group(account: &Account, group: &Group) -> Value {
    json!({
        "GroupId": group.id,
        "IpPermissionsEgress": permissions(account, group, true),
        "VpcId": account.vpc_id,
        "SecurityGroupArn": arn("security-group", &group.id),
        "OwnerId": ACCOUNT_ID,
        "GroupName": group.name,
        "Description": group.description,
        "IpPermissions": permissions(account, group, false),
    })
}

/// AWS gathers the rules of one protocol and port range into one permission.
fn permissions(account: &Account, group: &Group, egress: bool) -> Vec<Value> {
    let mut ranges: Vec<(&str, Option<(i32, i32)>)> = Vec::new();
    for rule in group.rules.iter().filter(|rule| rule.egress == egress) {
        if !ranges.contains(&(rule.protocol, rule.ports)) {
            ranges.push((rule.protocol, rule.ports));
        }
    }
    ranges
        .into_iter()
        .map(|(protocol, ports)| {
            let of_range: Vec<&Rule> = group
                .rules
                .iter()
                .filter(|rule| rule.egress == egress && rule.protocol == protocol && rule.ports == ports)
                .collect();
            permission(account, protocol, ports, &of_range)
        })
        .collect()
}

fn permission(account: &Account, protocol: &str, ports: Option<(i32, i32)>, rules: &[&Rule]) -> Value {
    let (mut v4, mut v6, mut lists, mut pairs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for rule in rules {
        let (target, mut entry) = match rule.peer {
            Peer::V4(cidr) => (&mut v4, json!({ "CidrIp": cidr })),
            Peer::V6(cidr) => (&mut v6, json!({ "CidrIpv6": cidr })),
            Peer::Office => (&mut lists, json!({ "PrefixListId": account.office_list })),
            Peer::Group(_) | Peer::DeletedGroup => (&mut pairs, group_pair(account, rule.peer)),
        };
        describe(&mut entry, rule);
        target.push(entry);
    }
    let mut permission = json!({ "IpProtocol": protocol });
    if let Some((from, to)) = ports {
        permission["FromPort"] = json!(from);
        permission["ToPort"] = json!(to);
    }
    permission["UserIdGroupPairs"] = json!(pairs);
    permission["IpRanges"] = json!(v4);
    permission["Ipv6Ranges"] = json!(v6);
    permission["PrefixListIds"] = json!(lists);
    permission
}

fn describe(entry: &mut Value, rule: &Rule) {
    if !rule.description.is_empty() {
        entry["Description"] = json!(rule.description);
    }
}

fn group_pair(account: &Account, peer: Peer) -> Value {
    match peer {
        Peer::Group(name) => json!({ "UserId": ACCOUNT_ID, "GroupId": account.group(name).id }),
        _ => json!({
            "UserId": ACCOUNT_ID,
            "GroupId": DELETED_GROUP,
            "VpcId": account.peer_vpc_id,
            "VpcPeeringConnectionId": account.peering_id,
            "PeeringStatus": "deleted",
        }),
    }
}

fn security_group_rules(account: &Account) -> Value {
    let mut rows = Vec::new();
    for group in &account.groups {
        for rule in &group.rules {
            let (from, to) = rule.ports.unwrap_or((-1, -1));
            let mut row = json!({
                "SecurityGroupRuleId": rule.id,
                "GroupId": group.id,
                "GroupOwnerId": ACCOUNT_ID,
                "IsEgress": rule.egress,
                "IpProtocol": rule.protocol,
                "FromPort": from,
                "ToPort": to,
            });
            match rule.peer {
                Peer::V4(cidr) => row["CidrIpv4"] = json!(cidr),
                Peer::V6(cidr) => row["CidrIpv6"] = json!(cidr),
                Peer::Office => row["PrefixListId"] = json!(account.office_list),
                Peer::Group(_) | Peer::DeletedGroup => {
                    row["ReferencedGroupInfo"] = group_pair(account, rule.peer);
                }
            }
            describe(&mut row, rule);
            row["Tags"] = json!([]);
            row["SecurityGroupRuleArn"] = json!(arn("security-group-rule", &rule.id));
            rows.push(row);
        }
    }
    json!({ "SecurityGroupRules": rows })
}

fn network_interface(account: &Account, interface: &Interface) -> Value {
    let subnet = &account.subnets[interface.subnet];
    let (kind, description, requester) = made_by(account, interface);
    let addresses_v6: Vec<Value> =
        interface.address_v6.iter().map(|address| json!({ "Ipv6Address": address })).collect();
    let groups = all(interface.groups, |name| {
        let group = account.group(*name);
        json!({ "GroupId": group.id, "GroupName": group.name })
    });
    let private_name =
        format!("ip-{}.{REGION}.compute.internal", interface.address.to_string().replace('.', "-"));
    let mut address = json!({
        "Primary": true,
        "PrivateDnsName": private_name,
        "PrivateIpAddress": interface.address,
    });
    let mut value = json!({
        "Attachment": attachment(interface),
        "AvailabilityZone": subnet.zone,
        "Description": description,
        "Groups": groups,
        "InterfaceType": kind,
        "Ipv6Addresses": addresses_v6,
        "MacAddress": interface.mac,
        "NetworkInterfaceId": interface.id,
        "OwnerId": ACCOUNT_ID,
        "PrivateDnsName": private_name,
        "PrivateIpAddress": interface.address,
        "RequesterManaged": requester.is_some(),
        "SourceDestCheck": interface.owner != Owner::Nat,
        "Status": "in-use",
        "SubnetId": subnet.id,
        "TagSet": [],
        "VpcId": account.vpc_id,
    });
    if let Some(requester) = requester {
        value["RequesterId"] = json!(requester);
    }
    if let Some(public) = interface.public {
        let association = json!({ "IpOwnerId": ACCOUNT_ID, "PublicIp": public });
        value["Association"] = association.clone();
        address["Association"] = association;
    }
    value["PrivateIpAddresses"] = json!([address]);
    if !interface.name.is_empty() {
        value["TagSet"] = json!([{ "Key": "Name", "Value": interface.name }]);
    }
    value
}

/// Interface type, description and requester, as the service that makes the interface writes them.
fn made_by(account: &Account, interface: &Interface) -> (&'static str, String, Option<&'static str>) {
    match interface.owner {
        Owner::Instance => ("interface", String::new(), None),
        Owner::Alb => ("interface", format!("ELB {}", account.load_balancer), Some("amazon-elb")),
        Owner::Rds => ("interface", "RDSNetworkInterface".to_owned(), Some("amazon-rds")),
        Owner::ClientVpn => ("interface", "ClientVPN Endpoint resource".to_owned(), Some(ACCOUNT_ID)),
        Owner::Nat => {
            ("nat_gateway", format!("Interface for NAT Gateway {}", account.nat_id), Some(ACCOUNT_ID))
        }
        Owner::Endpoint => {
            ("vpc_endpoint", format!("VPC Endpoint Interface {}", account.endpoint_id), Some("727180483921"))
        }
    }
}

fn attachment(interface: &Interface) -> Value {
    let owner = match interface.owner {
        Owner::Instance => ACCOUNT_ID,
        Owner::Alb => "amazon-elb",
        Owner::Rds => "amazon-rds",
        Owner::ClientVpn | Owner::Nat | Owner::Endpoint => "amazon-aws",
    };
    let mut value = json!({
        "AttachTime": CREATED,
        "AttachmentId": interface.attachment_id,
        "DeleteOnTermination": interface.owner == Owner::Instance,
        "DeviceIndex": i32::from(interface.owner != Owner::Instance),
        "InstanceOwnerId": owner,
        "Status": "attached",
    });
    if let Some(id) = &interface.instance_id {
        value["InstanceId"] = json!(id);
    }
    value
}

fn prefix_lists(account: &Account) -> Value {
    json!({ "PrefixLists": [{
        "PrefixListId": account.office_list,
        "AddressFamily": "IPv4",
        "State": "create-complete",
        "PrefixListArn": arn("prefix-list", &account.office_list),
        "PrefixListName": "shop-offices",
        "MaxEntries": 5,
        "Version": 1,
        "Tags": [],
        "OwnerId": ACCOUNT_ID,
    }] })
}

fn office_entries() -> Value {
    json!({ "Entries": [
        { "Cidr": "203.0.113.16/28", "Description": "Dublin office" },
        { "Cidr": "203.0.113.64/28", "Description": "Cork office" },
    ] })
}

fn subnet(account: &Account, subnet: &Subnet) -> Value {
    let v6 = subnet
        .cidr_v6
        .map(|cidr| json!({ "Ipv6CidrBlock": cidr, "Ipv6CidrBlockState": { "State": "associated" } }));
    json!({
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "CidrBlock": subnet.cidr,
        "DefaultForAz": false,
        "Ipv6CidrBlockAssociationSet": v6.into_iter().collect::<Vec<_>>(),
        "MapPublicIpOnLaunch": false,
        "OwnerId": ACCOUNT_ID,
        "State": "available",
        "SubnetArn": arn("subnet", &subnet.id),
        "SubnetId": subnet.id,
        "Tags": [{ "Key": "Name", "Value": subnet.name }],
        "VpcId": account.vpc_id,
    })
}

/// The ACL of the public subnets refuses a network that abused the shop; the private one lets everything through.
fn acl(account: &Account, public: bool) -> Value {
    let id = &account.acls[usize::from(!public)];
    let associations: Vec<Value> = account
        .subnets
        .iter()
        .zip(&account.acl_associations)
        .filter(|(subnet, _)| subnet.public == public)
        .map(|(subnet, association)| {
            json!({ "NetworkAclAssociationId": association, "NetworkAclId": id, "SubnetId": subnet.id })
        })
        .collect();
    let entry = |egress: bool, number: i32, action: &str, key: &str, cidr: &str| {
        let mut entry = json!({});
        entry[key] = json!(cidr);
        entry["Egress"] = json!(egress);
        entry["Protocol"] = json!("-1");
        entry["RuleAction"] = json!(action);
        entry["RuleNumber"] = json!(number);
        entry
    };
    let v4 = |egress, number, action, cidr| entry(egress, number, action, "CidrBlock", cidr);
    let v6 = |egress, number, action| entry(egress, number, action, "Ipv6CidrBlock", "::/0");
    let mut entries = Vec::new();
    for egress in [true, false] {
        if public && !egress {
            entries.push(v4(egress, 90, "deny", "192.0.2.0/24"));
        }
        entries.push(v4(egress, 100, "allow", "0.0.0.0/0"));
        entries.push(v6(egress, 101, "allow"));
        entries.push(v4(egress, 32767, "deny", "0.0.0.0/0"));
        entries.push(v6(egress, 32768, "deny"));
    }
    json!({
        "Associations": associations,
        "Entries": entries,
        "IsDefault": false,
        "NetworkAclId": id,
        "OwnerId": ACCOUNT_ID,
        "Tags": [{ "Key": "Name", "Value": if public { "shop-public" } else { "shop-private" } }],
        "VpcId": account.vpc_id,
    })
}

fn flow_logs(account: &Account) -> Value {
    let format: Vec<String> = FORMAT.iter().map(|field| format!("${{{}}}", field.name())).collect();
    let forms = ["text", "gz", "parquet"].into_iter().zip(&account.flow_logs);
    let logs: Vec<Value> = forms
        .map(|(form, id)| {
            json!({
                "CreationTime": CREATED,
                "DeliverLogsStatus": "SUCCESS",
                "FlowLogId": id,
                "FlowLogStatus": "ACTIVE",
                "ResourceId": account.vpc_id,
                "TrafficType": "ALL",
                "LogDestinationType": "s3",
                "LogDestination": format!("arn:aws:s3:::shop-flow-logs/{form}"),
                "LogFormat": format.join(" "),
                "Tags": [],
                "MaxAggregationInterval": 60,
                "DestinationOptions": {
                    "FileFormat": if form == "parquet" { "parquet" } else { "plain-text" },
                    "HiveCompatiblePartitions": false,
                    "PerHourPartition": false,
                },
            })
        })
        .collect();
    json!({ "FlowLogs": logs })
}
