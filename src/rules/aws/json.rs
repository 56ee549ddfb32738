//! The keys as AWS spells them. SDK dumps write `null` for an empty list or string.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub(super) fn or_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

macro_rules! answers {
    ($($name:ident { $($key:ident : $kind:ty),* $(,)? })*) => {$(
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "or_default")] pub(super) $key: $kind,)*
        }
    )*};
}

answers! {
    TagJson { key: String, value: String }
    RangeJson { cidr_ip: String, description: Option<String> }
    Range6Json { cidr_ipv6: String, description: Option<String> }
    ListIdJson { prefix_list_id: String, description: Option<String> }
    PairJson { group_id: String, user_id: String, peering_status: String, description: Option<String> }
    PermissionJson {
        ip_protocol: String,
        from_port: Option<i64>,
        to_port: Option<i64>,
        ip_ranges: Vec<RangeJson>,
        ipv6_ranges: Vec<Range6Json>,
        prefix_list_ids: Vec<ListIdJson>,
        user_id_group_pairs: Vec<PairJson>,
    }
    GroupJson {
        group_id: String,
        group_name: String,
        description: String,
        vpc_id: String,
        owner_id: String,
        security_group_arn: String,
        tags: Vec<TagJson>,
        ip_permissions: Vec<PermissionJson>,
        ip_permissions_egress: Vec<PermissionJson>,
    }
    ReferencedJson { group_id: String, user_id: String, peering_status: String }
    RuleJson {
        security_group_rule_id: String,
        group_id: String,
        group_owner_id: String,
        is_egress: bool,
        ip_protocol: String,
        from_port: Option<i64>,
        to_port: Option<i64>,
        cidr_ipv4: Option<String>,
        cidr_ipv6: Option<String>,
        prefix_list_id: Option<String>,
        referenced_group_info: Option<ReferencedJson>,
        description: Option<String>,
        security_group_rule_arn: String,
        tags: Vec<TagJson>,
    }
    AssociationJson { public_ip: String }
    AddressJson { private_ip_address: String, association: Option<AssociationJson> }
    Address6Json { ipv6_address: String }
    Prefix4Json { ipv4_prefix: String }
    Prefix6Json { ipv6_prefix: String }
    MembershipJson { group_id: String }
    AttachmentJson { instance_id: String }
    InterfaceJson {
        network_interface_id: String,
        interface_type: String,
        subnet_id: String,
        vpc_id: String,
        owner_id: String,
        availability_zone: String,
        description: String,
        requester_id: String,
        requester_managed: Option<bool>,
        private_ip_address: String,
        private_ip_addresses: Vec<AddressJson>,
        ipv6_address: String,
        ipv6_addresses: Vec<Address6Json>,
        ipv4_prefixes: Vec<Prefix4Json>,
        ipv6_prefixes: Vec<Prefix6Json>,
        association: Option<AssociationJson>,
        attachment: Option<AttachmentJson>,
        groups: Vec<MembershipJson>,
    }
    EntryJson { cidr: String }
    PrefixListJson { prefix_list_id: String, cidrs: Option<Vec<String>>, entries: Option<Vec<EntryJson>> }
    PortRangeJson { from: i64, to: i64 }
    IcmpJson { r#type: Option<i64>, code: Option<i64> }
    AclEntryJson {
        rule_number: u32,
        egress: bool,
        rule_action: String,
        protocol: String,
        cidr_block: Option<String>,
        ipv6_cidr_block: Option<String>,
        port_range: Option<PortRangeJson>,
        icmp_type_code: Option<IcmpJson>,
    }
    AclAssociationJson { subnet_id: String }
    AclJson {
        network_acl_id: String,
        vpc_id: String,
        owner_id: String,
        associations: Vec<AclAssociationJson>,
        entries: Vec<AclEntryJson>,
    }
    Range6AssociationJson { ipv6_cidr_block: String }
    SubnetJson {
        subnet_id: String,
        vpc_id: String,
        owner_id: String,
        cidr_block: String,
        ipv6_cidr_block_association_set: Vec<Range6AssociationJson>,
    }
    RangeAssociationJson { cidr_block: String }
    VpcJson { vpc_id: String, cidr_block: String, cidr_block_association_set: Vec<RangeAssociationJson> }
    FlowLogJson {
        flow_log_id: String,
        resource_id: String,
        traffic_type: String,
        flow_log_status: String,
        log_format: String,
        deliver_logs_error_message: String,
        deliver_logs_status: String,
        creation_time: Value,
        max_aggregation_interval: Value,
    }
}
