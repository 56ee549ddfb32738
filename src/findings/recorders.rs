//! Which flow logs record an interface, as describe-flow-logs says.

use std::collections::BTreeMap;

use crate::flow::Seconds;
use crate::rules::state::{FlowLog, Interface};
use crate::rules::timeline::Timeline;

/// The flow logs of all snapshots by what they record: a VPC, a subnet or an interface.
#[derive(Debug)]
pub struct Recorders<'a> {
    by_resource: BTreeMap<&'a str, Vec<&'a FlowLog>>,
}

impl<'a> Recorders<'a> {
    /// Collects them.
    pub fn of(timeline: &'a Timeline) -> Self {
        let mut by_resource: BTreeMap<&str, Vec<&FlowLog>> = BTreeMap::new();
        for flow_log in timeline.flow_logs.iter().filter(|flow_log| !flow_log.resource_id.is_empty()) {
            by_resource.entry(flow_log.resource_id.as_str()).or_default().push(flow_log);
        }
        Self { by_resource }
    }

    /// The flow logs that record an interface.
    pub fn of_interface(&self, interface: &Interface) -> impl Iterator<Item = &'a FlowLog> {
        let resources = [&interface.id, &interface.subnet_id, &interface.vpc_id];
        resources.into_iter().filter_map(|id| self.by_resource.get(id.as_str())).flatten().copied()
    }

    /// Whether a flow log that existed before `end` is known to record the interface's ACCEPTs.
    pub fn log_accepts(&self, interface: &Interface, end: Seconds) -> bool {
        let mut recorders = self.of_interface(interface).filter(|flow_log| flow_log.logs_accepts());
        recorders.any(|flow_log| flow_log.created.is_none_or(|created| created < end))
    }

    /// Whether flow logs are known to record the interface, and all of them record REJECTs alone.
    pub fn record_refusals_alone(&self, interface: &Interface) -> bool {
        let mut recorders = self.of_interface(interface).peekable();
        recorders.peek().is_some()
            && recorders.all(|flow_log| flow_log.logs_rejects() && !flow_log.logs_accepts())
    }

    /// Since when the known flow logs have recorded the interface's ACCEPTs. None: no such flow log is known, or one of
    /// unknown age.
    pub fn since(&self, interface: &Interface) -> Option<Seconds> {
        let recorders = self.of_interface(interface).filter(|flow_log| flow_log.logs_accepts());
        // An unknown age is None, which is the least.
        recorders.map(|flow_log| flow_log.created).min().flatten()
    }
}
