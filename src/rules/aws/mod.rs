//! AWS describe-* answers → our nouns, once. Nothing after this file knows an AWS key.
//!
//! A document is told by its keys, never by its file name; the one exception is a list of prefix-list entries, which
//! holds no list id. Shapes: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/>.

mod json;
mod list;
mod objects;
mod translate;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Peer, Rule, RuleProtocol, parse_net};
use crate::flow::Direction;
use json::{
    AclJson, EntryJson, FlowLogJson, GroupJson, InterfaceJson, PermissionJson, PrefixListJson, RuleJson,
    SubnetJson, TagJson, VpcJson,
};

pub use list::List;
pub use objects::{Extent, GroupDocument, Objects, RuleDocument};

/// Whether a document was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// A describe-* answer or an object of one.
    Yes,
    /// Something else.
    No,
}

const WRAPPERS: [&str; 10] = [
    "SecurityGroups",
    "SecurityGroupRules",
    "NetworkInterfaces",
    "PrefixLists",
    "NetworkAcls",
    "Subnets",
    "FlowLogs",
    "Vpcs",
    "data",
    "Entries",
];

/// Keys of an object that stands alone, and the answer it would be in.
const SINGLE: [(&str, &str); 8] = [
    ("SecurityGroupRuleId", "SecurityGroupRules"),
    ("NetworkInterfaceId", "NetworkInterfaces"),
    ("NetworkAclId", "NetworkAcls"),
    ("FlowLogId", "FlowLogs"),
    ("PrefixListId", "PrefixLists"),
    ("SubnetId", "Subnets"),
    ("GroupId", "SecurityGroups"),
    ("VpcId", "Vpcs"),
];

impl Objects {
    /// Adds one JSON document. `list_id` is the prefix-list id in the file's name, if there is one.
    ///
    /// # Errors
    /// A document of a known kind with a value that cannot be: says which object, key and value.
    pub fn add(&mut self, document: &Value, list_id: Option<&str>) -> Result<Recognised, String> {
        match document {
            Value::Array(items) => {
                let mut recognised = Recognised::No;
                for item in items {
                    if self.add_object(item, list_id)? == Recognised::Yes {
                        recognised = Recognised::Yes;
                    }
                }
                Ok(recognised)
            }
            Value::Object(_) => self.add_object(document, list_id),
            _ => Ok(Recognised::No),
        }
    }

    /// Whether a key of a document says what it is.
    pub(super) fn may_tell(key: &str) -> bool {
        WRAPPERS.contains(&key) || SINGLE.iter().any(|(single, _)| *single == key)
    }

    /// An answer that there is nothing.
    pub(super) fn answer(wrapper: &str) -> Self {
        let mut objects = Self::default();
        match wrapper {
            "SecurityGroups" => objects.groups = Some(List::default()),
            "SecurityGroupRules" => objects.rules_described = true,
            "NetworkInterfaces" => objects.interfaces = Some(List::default()),
            _ => {}
        }
        objects
    }

    /// What one item of an answer says, straight from its text. None: it is odd, or of an answer that is read as a whole.
    pub(super) fn of_item(wrapper: &str, text: &str) -> Option<Self> {
        fn object<T: DeserializeOwned>(text: &str, id: impl Fn(&T) -> &str) -> Option<T> {
            let object = serde_json::from_str(text).ok().filter(|_| text.starts_with('{'));
            object.filter(|object| !id(object).is_empty())
        }
        let mut objects = Self::answer(wrapper);
        match wrapper {
            "SecurityGroups" => objects.add_group(object(text, |it: &GroupJson| &it.group_id)?).ok()?,
            "SecurityGroupRules" => objects.add_rule(object(text, |it: &RuleJson| &it.group_id)?).ok()?,
            "NetworkInterfaces" => {
                let interface = object(text, |it: &InterfaceJson| &it.network_interface_id)?;
                objects.interfaces = Some(List::from(vec![interface.translate().ok()?]));
            }
            _ => return None,
        }
        Some(objects)
    }

    fn add_object(&mut self, document: &Value, list_id: Option<&str>) -> Result<Recognised, String> {
        let Some(map) = document.as_object() else { return Ok(Recognised::No) };
        let fits = |key: &str| match key {
            "SubnetId" => map.contains_key("CidrBlock") || map.contains_key("Ipv6CidrBlockAssociationSet"),
            "GroupId" => map.contains_key("IpPermissions") || map.contains_key("IpPermissionsEgress"),
            "PrefixListId" => !map.contains_key("GroupId"),
            "VpcId" => map.contains_key("CidrBlock"),
            "SecurityGroupRuleId" => map.contains_key("GroupId"),
            _ => true,
        };
        if let Some((_, wrapper)) = SINGLE.iter().find(|(key, _)| map.contains_key(*key) && fits(key)) {
            self.add_list(wrapper, std::slice::from_ref(document), list_id)?;
            return Ok(Recognised::Yes);
        }
        let mut recognised = Recognised::No;
        for wrapper in WRAPPERS {
            match map.get(wrapper) {
                Some(Value::Array(items)) if holds(wrapper, items) => {
                    self.add_list(wrapper, items, list_id)?;
                    recognised = Recognised::Yes;
                }
                Some(Value::Null) if wrapper != "data" => {
                    self.add_list(wrapper, &[], list_id)?;
                    recognised = Recognised::Yes;
                }
                Some(inner @ Value::Object(_)) if wrapper == "data" => {
                    recognised = self.add_object(inner, list_id)?;
                }
                _ => {}
            }
        }
        Ok(recognised)
    }

    fn add_list(&mut self, wrapper: &str, items: &[Value], list_id: Option<&str>) -> Result<(), String> {
        match wrapper {
            "SecurityGroups" => {
                self.groups.get_or_insert_default();
                items.iter().try_for_each(|item| self.add_group(read(item)?))
            }
            "SecurityGroupRules" => {
                self.rules_described = true;
                items.iter().try_for_each(|item| self.add_rule(read(item)?))
            }
            "NetworkInterfaces" => {
                let interfaces = self.interfaces.get_or_insert_default();
                items.iter().try_for_each(|item| {
                    interfaces.push(read::<InterfaceJson>(item)?.translate()?);
                    Ok(())
                })
            }
            "NetworkAcls" => {
                let acls = self.acls.get_or_insert_default();
                items.iter().try_for_each(|item| {
                    acls.push(read::<AclJson>(item)?.translate()?);
                    Ok(())
                })
            }
            "Subnets" => {
                let subnets = self.subnets.get_or_insert_default();
                items.iter().try_for_each(|item| {
                    subnets.push(read::<SubnetJson>(item)?.translate()?);
                    Ok(())
                })
            }
            "FlowLogs" => items.iter().try_for_each(|item| {
                self.flow_logs.push(read::<FlowLogJson>(item)?.translate());
                Ok(())
            }),
            "Vpcs" => items.iter().try_for_each(|item| {
                self.vpcs.push(read::<VpcJson>(item)?.translate()?);
                Ok(())
            }),
            "PrefixLists" => items.iter().try_for_each(|item| self.add_prefix_list(read(item)?)),
            "Entries" => self.add_entries(list_id, items),
            _ => Ok(()),
        }
    }

    fn add_group(&mut self, group: GroupJson) -> Result<(), String> {
        let document = GroupDocument {
            region: arn_region(&group.security_group_arn),
            id: group.group_id,
            name: group.group_name,
            description: group.description,
            vpc_id: group.vpc_id,
            owner_id: group.owner_id,
            tags: tags(group.tags),
            ecs: None,
        };
        let sides =
            [(Direction::Ingress, group.ip_permissions), (Direction::Egress, group.ip_permissions_egress)];
        for (direction, permissions) in sides {
            for permission in permissions {
                self.add_permission(&document, direction, permission)?;
            }
        }
        self.groups.get_or_insert_default().push(document);
        Ok(())
    }

    fn add_permission(
        &mut self,
        group: &GroupDocument,
        direction: Direction,
        permission: PermissionJson,
    ) -> Result<(), String> {
        let protocol = RuleProtocol::parse(&permission.ip_protocol);
        let (from_port, to_port) = ports(&group.id, &protocol, permission.from_port, permission.to_port)?;
        let v4 = permission.ip_ranges.into_iter();
        let v4 = v4.map(|range| (Peer::cidr(&range.cidr_ip), range.description, (None, None)));
        let v6 = permission.ipv6_ranges.into_iter();
        let v6 = v6.map(|range| (Peer::cidr(&range.cidr_ipv6), range.description, (None, None)));
        let lists = permission.prefix_list_ids.into_iter();
        let lists = lists.map(|list| (Peer::PrefixList(list.prefix_list_id), list.description, (None, None)));
        // A stale reference may come without its GroupId; what is left of it names the rule.
        let groups = permission.user_id_group_pairs.into_iter().map(|pair| {
            let owner = other_owner(&pair.user_id, &group.owner_id);
            let label = (text(pair.peering_status), owner);
            (group_peer(pair.group_id, pair.user_id), pair.description, label)
        });
        for (peer, description, (peering_status, peer_owner)) in v4.chain(v6).chain(lists).chain(groups) {
            let rule = Rule {
                group_id: group.id.clone(),
                direction,
                protocol: protocol.clone(),
                from_port,
                to_port,
                peer,
                ranked: None,
            };
            self.rules.push(RuleDocument {
                rule,
                rule_id: None,
                description: description.filter(|text| !text.is_empty()),
                tags: Vec::new(),
                owner_id: group.owner_id.clone(),
                region: group.region.clone(),
                vpc_id: group.vpc_id.clone(),
                peering_status,
                peer_owner,
            });
        }
        Ok(())
    }

    fn add_rule(&mut self, rule: RuleJson) -> Result<(), String> {
        let protocol = RuleProtocol::parse(&rule.ip_protocol);
        let (from_port, to_port) = ports(&rule.group_id, &protocol, rule.from_port, rule.to_port)?;
        let peering_status =
            rule.referenced_group_info.as_ref().and_then(|group| text(group.peering_status.clone()));
        let peer_owner = rule
            .referenced_group_info
            .as_ref()
            .and_then(|group| other_owner(&group.user_id, &rule.group_owner_id));
        let peer = match (rule.cidr_ipv4, rule.cidr_ipv6, rule.prefix_list_id, rule.referenced_group_info) {
            (Some(cidr), ..) | (None, Some(cidr), ..) => Peer::cidr(&cidr),
            (None, None, Some(list), _) => Peer::PrefixList(list),
            (None, None, None, Some(group)) => group_peer(group.group_id, group.user_id),
            (None, None, None, None) => Peer::BadCidr(String::new()),
        };
        self.rules.push(RuleDocument {
            rule: Rule {
                group_id: rule.group_id,
                direction: if rule.is_egress { Direction::Egress } else { Direction::Ingress },
                protocol,
                from_port,
                to_port,
                peer,
                ranked: None,
            },
            rule_id: (!rule.security_group_rule_id.is_empty()).then_some(rule.security_group_rule_id),
            description: rule.description.filter(|text| !text.is_empty()),
            tags: tags(rule.tags),
            owner_id: rule.group_owner_id,
            region: arn_region(&rule.security_group_rule_arn),
            vpc_id: String::new(),
            peering_status,
            peer_owner,
        });
        Ok(())
    }

    fn add_prefix_list(&mut self, list: PrefixListJson) -> Result<(), String> {
        let mut nets = Vec::new();
        match (list.cidrs, list.entries) {
            (None, None) => return Ok(()),
            (cidrs, entries) => {
                let written = cidrs.into_iter().flatten();
                for text in written.chain(entries.into_iter().flatten().map(|entry| entry.cidr)) {
                    nets.push(net(&list.prefix_list_id, "Cidr", &text)?);
                }
            }
        }
        self.prefix_lists.push((list.prefix_list_id, nets));
        Ok(())
    }

    fn add_entries(&mut self, list_id: Option<&str>, items: &[Value]) -> Result<(), String> {
        let Some(list_id) = list_id else {
            return Err("prefix-list entries without a list id: expected a file name with the id, such as \
                        pl-0123456789abcdef0.json"
                .to_owned());
        };
        let mut nets = Vec::new();
        for item in items {
            nets.push(net(list_id, "Cidr", &read::<EntryJson>(item)?.cidr)?);
        }
        self.prefix_lists.push((list_id.to_owned(), nets));
        Ok(())
    }
}

/// Whether a list holds what its name says: other answers use some of the names for other things.
fn holds(wrapper: &str, items: &[Value]) -> bool {
    let key = match wrapper {
        "SecurityGroups" | "SecurityGroupRules" => "GroupId",
        "NetworkInterfaces" => "NetworkInterfaceId",
        "PrefixLists" => "PrefixListId",
        "NetworkAcls" => "NetworkAclId",
        "Subnets" => "SubnetId",
        "FlowLogs" => "FlowLogId",
        "Vpcs" => "VpcId",
        "Entries" => "Cidr",
        _ => return false,
    };
    items.iter().all(|item| item.get(key).is_some())
}

/// A stale reference may come without its group id; the account that held the group then names it.
/// The account of a group that is referred to, where it is another one than the own.
fn other_owner(user_id: &str, own: &str) -> Option<String> {
    (!user_id.is_empty() && !own.is_empty() && user_id != own).then(|| user_id.to_owned())
}

fn group_peer(group_id: String, user_id: String) -> Peer {
    Peer::Group(if group_id.is_empty() { user_id } else { group_id })
}

fn read<'a, T: Deserialize<'a>>(item: &'a Value) -> Result<T, String> {
    T::deserialize(item).map_err(|error| {
        let ids = [
            "SecurityGroupRuleId",
            "NetworkInterfaceId",
            "NetworkAclId",
            "SubnetId",
            "PrefixListId",
            "GroupId",
        ];
        let id = ids.iter().find_map(|key| item.get(key)?.as_str()).unwrap_or("object");
        format!("{id}: {error}")
    })
}

pub(super) fn net(owner: &str, key: &str, text: &str) -> Result<IpNet, String> {
    parse_net(text).ok_or_else(|| format!("{owner}: {key}: expected an address range, found \"{text}\""))
}

/// Ports as AWS has them: -1 or nothing is None. For `-1` (all protocols) a written range means nothing.
pub(super) fn ports(
    owner: &str,
    protocol: &RuleProtocol,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<(Option<u16>, Option<u16>), String> {
    if *protocol == RuleProtocol::All {
        return Ok((None, None));
    }
    let port = |key: &str, value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u16::try_from(value)
            .map(Some)
            .map_err(|_| format!("{owner}: {key}: expected -1 to 65535, found {value}")),
    };
    Ok((port("FromPort", from)?, port("ToPort", to)?))
}

/// `arn:aws:ec2:REGION:…`.
fn arn_region(arn: &str) -> String {
    arn.split(':').nth(3).unwrap_or_default().to_owned()
}

fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn tags(tags: Vec<TagJson>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}
