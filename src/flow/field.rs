//! The closed list of flow-log fields: one table for text headers, log formats, Parquet columns and CSV exports.

/// One field of an AWS VPC flow log, versions 2 to 11.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the field of that name")]
pub enum Field {
    Version,
    AccountId,
    InterfaceId,
    Srcaddr,
    Dstaddr,
    Srcport,
    Dstport,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    LogStatus,
    VpcId,
    SubnetId,
    InstanceId,
    TcpFlags,
    Type,
    PktSrcaddr,
    PktDstaddr,
    Region,
    AzId,
    SublocationType,
    SublocationId,
    PktSrcAwsService,
    PktDstAwsService,
    FlowDirection,
    TrafficPath,
    EcsClusterArn,
    EcsClusterName,
    EcsContainerInstanceArn,
    EcsContainerInstanceId,
    EcsContainerId,
    EcsSecondContainerId,
    EcsServiceName,
    EcsTaskDefinitionArn,
    EcsTaskArn,
    EcsTaskId,
    RejectReason,
    ResourceId,
    EncryptionStatus,
    InstanceTag,
    InstanceTag2,
    InterfaceTag,
    InterfaceTag2,
    AsgTag,
    AsgTag2,
    InterfaceType,
    NextHopInterfaceId,
    NextHopSubnetId,
    NextHopAzId,
    NextHopVpcId,
    NextHopInterfaceType,
}

use Field::{
    AccountId, Action, AsgTag, AsgTag2, AzId, Bytes, Dstaddr, Dstport, EcsClusterArn, EcsClusterName,
    EcsContainerId, EcsContainerInstanceArn, EcsContainerInstanceId, EcsSecondContainerId, EcsServiceName,
    EcsTaskArn, EcsTaskDefinitionArn, EcsTaskId, EncryptionStatus, End, FlowDirection, InstanceId,
    InstanceTag, InstanceTag2, InterfaceId, InterfaceTag, InterfaceTag2, InterfaceType, LogStatus,
    NextHopAzId, NextHopInterfaceId, NextHopInterfaceType, NextHopSubnetId, NextHopVpcId, Packets,
    PktDstAwsService, PktDstaddr, PktSrcAwsService, PktSrcaddr, Protocol, Region, RejectReason, ResourceId,
    Srcaddr, Srcport, Start, SublocationId, SublocationType, SubnetId, TcpFlags, TrafficPath, Type, Version,
    VpcId,
};

/// The 54 fields with the names AWS gives them, in table order.
pub const FIELDS: [(Field, &str); 54] = [
    (Version, "version"),
    (AccountId, "account-id"),
    (InterfaceId, "interface-id"),
    (Srcaddr, "srcaddr"),
    (Dstaddr, "dstaddr"),
    (Srcport, "srcport"),
    (Dstport, "dstport"),
    (Protocol, "protocol"),
    (Packets, "packets"),
    (Bytes, "bytes"),
    (Start, "start"),
    (End, "end"),
    (Action, "action"),
    (LogStatus, "log-status"),
    (VpcId, "vpc-id"),
    (SubnetId, "subnet-id"),
    (InstanceId, "instance-id"),
    (TcpFlags, "tcp-flags"),
    (Type, "type"),
    (PktSrcaddr, "pkt-srcaddr"),
    (PktDstaddr, "pkt-dstaddr"),
    (Region, "region"),
    (AzId, "az-id"),
    (SublocationType, "sublocation-type"),
    (SublocationId, "sublocation-id"),
    (PktSrcAwsService, "pkt-src-aws-service"),
    (PktDstAwsService, "pkt-dst-aws-service"),
    (FlowDirection, "flow-direction"),
    (TrafficPath, "traffic-path"),
    (EcsClusterArn, "ecs-cluster-arn"),
    (EcsClusterName, "ecs-cluster-name"),
    (EcsContainerInstanceArn, "ecs-container-instance-arn"),
    (EcsContainerInstanceId, "ecs-container-instance-id"),
    (EcsContainerId, "ecs-container-id"),
    (EcsSecondContainerId, "ecs-second-container-id"),
    (EcsServiceName, "ecs-service-name"),
    (EcsTaskDefinitionArn, "ecs-task-definition-arn"),
    (EcsTaskArn, "ecs-task-arn"),
    (EcsTaskId, "ecs-task-id"),
    (RejectReason, "reject-reason"),
    (ResourceId, "resource-id"),
    (EncryptionStatus, "encryption-status"),
    (InstanceTag, "instance-tag"),
    (InstanceTag2, "instance-tag-2"),
    (InterfaceTag, "interface-tag"),
    (InterfaceTag2, "interface-tag-2"),
    (AsgTag, "asg-tag"),
    (AsgTag2, "asg-tag-2"),
    (InterfaceType, "interface-type"),
    (NextHopInterfaceId, "next-hop-interface-id"),
    (NextHopSubnetId, "next-hop-subnet-id"),
    (NextHopAzId, "next-hop-az-id"),
    (NextHopVpcId, "next-hop-vpc-id"),
    (NextHopInterfaceType, "next-hop-interface-type"),
];

/// Other names of fields: of `CloudWatch` Logs Insights, and of flow logs of Alibaba Cloud.
///
/// Source: <https://www.alibabacloud.com/help/en/sls/vpc>; `rafficPath` stands on older pages.
const OTHER_NAMES: [(Field, &str); 7] = [
    (Start, "startTime"),
    (End, "endTime"),
    (InterfaceId, "eni-id"),
    (SubnetId, "vswitch-id"),
    (InstanceId, "vm-id"),
    (FlowDirection, "direction"),
    (TrafficPath, "rafficPath"),
];

/// The format a flow log has when nobody chooses one; it cannot be changed.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs.html>.
pub const DEFAULT_FORMAT: [Field; 14] = [
    Version,
    AccountId,
    InterfaceId,
    Srcaddr,
    Dstaddr,
    Srcport,
    Dstport,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    LogStatus,
];

/// Fields without which a record cannot be joined to rules.
pub const REQUIRED: [Field; 5] = [InterfaceId, Srcaddr, Dstaddr, Protocol, Action];

impl Field {
    /// The name as AWS writes it in a header line.
    pub fn name(self) -> &'static str {
        FIELDS[self as usize].1
    }

    /// The field of this name: case, `-` and `_` make no difference, and the names that `CloudWatch` Logs Insights
    /// (`startTime`, `endTime`) and Alibaba Cloud give are known. None for any other name, whose column is then skipped.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = fold(name);
        let by = |names: &[(Self, &str)]| {
            names.iter().find(|(_, known)| fold(known) == plain).map(|(field, _)| *field)
        };
        by(&FIELDS).or_else(|| by(&OTHER_NAMES))
    }
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_enum() {
        for (index, (field, name)) in FIELDS.iter().enumerate() {
            assert_eq!(*field as usize, index, "{name}");
        }
    }

    #[test]
    fn names_are_known_in_every_spelling() {
        let cases = [
            ("pkt-srcaddr", Some(PktSrcaddr)),
            ("pkt_srcaddr", Some(PktSrcaddr)),
            ("pktSrcAddr", Some(PktSrcaddr)),
            ("startTime", Some(Start)),
            ("end", Some(End)),
            ("instance-tag-2", Some(InstanceTag2)),
            ("instanceTag", Some(InstanceTag)),
            ("logStatus", Some(LogStatus)),
            ("eni-id", Some(InterfaceId)),
            ("eni_id", Some(InterfaceId)),
            ("vswitch-id", Some(SubnetId)),
            ("direction", Some(FlowDirection)),
            ("TrafficPath", Some(TrafficPath)),
            ("rafficPath", Some(TrafficPath)),
            ("traffic_path", Some(TrafficPath)),
            ("__time__", None),
            ("tgw-id", None),
            ("", None),
        ];
        for (name, field) in cases {
            assert_eq!(Field::from_name(name), field, "{name}");
        }
    }
}
