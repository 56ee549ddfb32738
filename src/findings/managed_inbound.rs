//! Inbound rules on interfaces of services that nobody connects to: a misunderstanding that opens a door for nothing.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Map, json};

use super::attachment::Attachments;
use super::managed;
use super::reason::Reason;
use super::services::{self, Inbound, Service};
use super::space::{Family, Public};
use super::verdict::{Confidence, Judged, Verdict};
use super::{Finding, FindingKind, MOST_NAMED, Severity};
use crate::flow::Direction;
use crate::rules::state::{Group, Interface, State};
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule};
use crate::tally::fraction;
use crate::tally::usage::RuleUse;

/// Ten-thousandths of the attached interface-hours that the logs must speak of.
const WELL_COVERED: u64 = 9_900;

/// One finding per inbound rule of the newest state that nobody used, on a group all of whose interfaces, over all
/// states, belong to services that need none. `uses` and `judged` are parallel to the rules of the timeline.
pub fn managed_inbound(
    timeline: &Timeline,
    uses: &[RuleUse],
    judged: &[Judged],
    attachments: &Attachments<'_>,
) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let mut findings = Vec::new();
    for (id, group) in &newest.groups {
        let Some(carriers) = Carriers::of(attachments.interfaces(id)) else { continue };
        for index in &group.rules {
            let at = index.index();
            let parts = (timeline.rules.get(at), uses.get(at), judged.get(at));
            let (Some(rule), Some(uses), Some(judged)) = parts else { continue };
            if rule.direction == Direction::Ingress
                && is_unused(uses, judged)
                && !is_needed(rule, group, &carriers)
            {
                let label = timeline.labels.get(at).and_then(|label| label.rule_id.as_deref());
                findings.push(carriers.finding(newest, rule, label, judged));
            }
        }
    }
    findings
}

/// No ingress record was credited to the rule, not even perhaps, although the logs would show one; and no interface of
/// the group can be missing from the snapshots.
fn is_unused(uses: &RuleUse, judged: &Judged) -> bool {
    uses.records + uses.reply_records + uses.possible_records + uses.near_records == 0
        && judged.verdict == Verdict::NotSeen
        && judged.covered.share().is_some_and(|share| share >= WELL_COVERED)
        && !judged.has(Reason::UnknownInterfaces)
}

/// Whether a service needs the rule all the same. What a directory needs is said in its finding.
fn is_needed(rule: &Rule, group: &Group, carriers: &Carriers<'_>) -> bool {
    let interfaces: Vec<&Interface> = carriers.interfaces.values().copied().collect();
    let service = managed::requires(rule, Some(group), &interfaces);
    service.is_some_and(|service| service != Service::DirectoryService.as_str())
}

/// The interfaces of a group, all of services that need nothing inbound.
struct Carriers<'a> {
    interfaces: BTreeMap<&'a str, &'a Interface>,
    services: BTreeSet<Service>,
}

impl<'a> Carriers<'a> {
    /// None: there are none, or some are of another kind.
    fn of(interfaces: BTreeMap<&'a str, &'a Interface>) -> Option<Self> {
        let quiet = |interface: &&Interface| {
            services::service_of(interface).filter(|service| service.inbound() != Inbound::ByClients)
        };
        let services: BTreeSet<Service> = interfaces.values().map(quiet).collect::<Option<_>>()?;
        (!services.is_empty()).then_some(Self { interfaces, services })
    }

    fn finding(&self, newest: &State, rule: &Rule, rule_id: Option<&str>, judged: &Judged) -> Finding {
        let key = rule.key();
        let names: Vec<&str> = self.services.iter().map(|service| service.as_str()).collect();
        let ids: Vec<&str> = self.interfaces.keys().take(MOST_NAMED).copied().collect();
        let do_not = if names.len() == 1 { "does not" } else { "do not" };
        let world = is_open_to_world(rule, newest);
        let mut evidence = Map::new();
        let services = self.services.iter().map(|service| {
            let inbound = service.inbound();
            json!({
                "service": service.as_str(), "why": inbound.why(), "exception": inbound.exception(),
                "source": inbound.source(),
            })
        });
        evidence.insert("services".into(), services.collect());
        evidence.insert("interfaces".into(), json!(self.interfaces.len()));
        evidence.insert("first_interfaces".into(), json!(ids));
        evidence.insert("peer".into(), json!(rule.peer.to_string()));
        evidence.insert("open_to_internet".into(), json!(world));
        evidence.insert("rule_id".into(), json!(rule_id));
        evidence.insert("records".into(), json!(0));
        evidence.insert("covered_share".into(), json!(judged.covered.share().map(fraction)));
        evidence.insert("attached_interface_hours".into(), json!(judged.covered.attached));
        evidence.insert("covered_interface_hours".into(), json!(judged.covered.covered));
        evidence.insert("confidence".into(), json!(judged.confidence));
        evidence.insert("reasons".into(), json!(judged.reasons()));
        let exceptions = self.exceptions().next().is_some();
        Finding {
            id: format!("{}/{key}", FindingKind::ManagedInterfaceInbound.as_str()),
            kind: FindingKind::ManagedInterfaceInbound,
            severity: match (exceptions, world) {
                (true, _) => Severity::Info,
                (false, true) => Severity::Medium,
                (false, false) => Severity::Low,
            },
            title: format!("inbound rule that {} {do_not} need: {key}", names.join(" and ")),
            group_id: Some(rule.group_id.clone()),
            rule_key: Some(key),
            interface_id: None,
            evidence,
            recommendation: self.advice(judged),
            suppressed: None,
        }
    }

    fn advice(&self, judged: &Judged) -> String {
        let why = self.services.iter().filter_map(|service| {
            let why = service.inbound().why()?;
            Some(format!("{}: {why}.", service.as_str()))
        });
        let mut sentences: Vec<String> = why.collect();
        sentences.extend(self.exceptions().map(|exception| format!("But {exception}.")));
        let what = if self.exceptions().next().is_some() {
            "Nothing came in by this rule in the window, which does not show that nothing ever does: check every client \
             with the owner of the directory before you touch it."
        } else if judged.confidence == Some(Confidence::High) {
            "Revoke it; keep the exact rule at hand to restore it."
        } else {
            "The evidence is not complete (see reasons): gather more, then revoke it."
        };
        sentences.push(what.to_owned());
        sentences.join(" ")
    }

    fn exceptions(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().filter_map(|service| service.inbound().exception())
    }
}

/// Whether the peer takes in the internet, of either family.
fn is_open_to_world(rule: &Rule, newest: &State) -> bool {
    let nets: &[IpNet] = match &rule.peer {
        Peer::Cidr(net) => std::slice::from_ref(net),
        Peer::PrefixList(list) => newest.prefix_lists.get(list).map_or(&[], |nets| nets.as_slice()),
        Peer::BadCidr(_) | Peer::Group(_) => &[],
    };
    [Family::V4, Family::V6].into_iter().any(|family| Public::of(family, nets).is_world())
}
