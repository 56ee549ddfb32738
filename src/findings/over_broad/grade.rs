//! What was seen of an opening, how much that makes it matter, and what to do about it.

use serde_json::{Map, Value, json};

use super::opening::{Opened, Width};
use crate::findings::Severity;
use crate::findings::ports::{PortClass, SensitivePort};
use crate::flow::{TCP, protocol_name};
use crate::rules::state::Cloud;
use crate::tally::usage::{Exposed, RuleUse};

/// How far an opening is known to be exposed, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// Nobody was seen to come in from the internet, which does not prove that nobody can: load balancers and Global
    /// Accelerator bring clients in.
    NotShown,
    /// Somebody came in and nothing answered.
    Reached,
    /// Somebody came in, and the records do not tell whether anything answered.
    ReachedAnswerUnknown,
    /// Something answered.
    Answered,
}

impl Grade {
    /// `tcp_only`: TCP flags tell of every record, so that replies without them count for nothing.
    fn of(seen: &Exposed, tcp_only: bool) -> Self {
        if seen.answered_records > 0 {
            Self::Answered
        } else if seen.records == 0 && seen.reply_records == 0 {
            Self::NotShown
        } else if seen.with_flags == 0 || (!tcp_only && seen.reply_records > 0) {
            Self::ReachedAnswerUnknown
        } else {
            Self::Reached
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::NotShown => "not_shown",
            Self::Reached => "reached",
            Self::ReachedAnswerUnknown => "reached_answer_unknown",
            Self::Answered => "answered",
        }
    }
}

/// The figures of an opening: those of its sensitive ports, or those of all ports together.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    grade: Grade,
    internet: Exposed,
    /// What of the internet came in by these rules on ports that the opening is not about.
    elsewhere: u64,
    services: Vec<(&'a SensitivePort, Exposed)>,
}

impl<'a> Figures<'a> {
    /// Adds up what these rules were used for. A record that two of them let through counts for both.
    pub(super) fn of(opened: &Opened<'a>, uses: &[&RuleUse], profile: &'a [SensitivePort]) -> Self {
        let service_figures = |service: &SensitivePort| {
            sum(uses.iter().filter_map(|used| used.services.get(&service.service())))
        };
        match opened {
            Opened::Services(services) => {
                let services: Vec<_> =
                    services.iter().map(|service| (*service, service_figures(service))).collect();
                let grades = services.iter().map(|(service, seen)| Grade::of(seen, service.protocol == TCP));
                let internet = sum(services.iter().map(|(_, seen)| seen));
                let all = sum(uses.iter().map(|used| &used.internet));
                Self {
                    grade: grades.max().unwrap_or(Grade::NotShown),
                    internet,
                    elsewhere: all.records.saturating_sub(internet.records),
                    services,
                }
            }
            Opened::AllProtocols | Opened::AllPorts(_) | Opened::OtherProtocols => {
                let internet = sum(uses.iter().map(|used| &used.internet));
                let seen = profile.iter().map(|service| (service, service_figures(service)));
                Self {
                    grade: Grade::of(&internet, *opened == Opened::AllPorts(TCP)),
                    internet,
                    elsewhere: 0,
                    services: seen.filter(|(_, seen)| *seen != Exposed::default()).collect(),
                }
            }
        }
    }

    /// Into the evidence.
    pub(super) fn record(&self, evidence: &mut Map<String, Value>) {
        evidence.insert("exposure".to_owned(), self.grade.as_str().into());
        evidence.insert("internet_records".to_owned(), self.internet.records.into());
        evidence.insert("internet_reply_records".to_owned(), self.internet.reply_records.into());
        evidence.insert("answered_records".to_owned(), answered(&self.internet));
        if self.elsewhere > 0 {
            evidence.insert("internet_records_on_other_ports".to_owned(), self.elsewhere.into());
        }
        let services = self.services.iter().map(|(service, seen)| {
            let mut row = name_service(service);
            row["records"] = seen.records.into();
            row["answered_records"] = answered(seen);
            row
        });
        evidence.insert("services".to_owned(), services.collect());
    }

    /// How much the opening matters while somebody carries the rule.
    pub(super) fn severity(&self, opened: &Opened<'_>, width: &Width) -> Severity {
        let world = match opened {
            Opened::AllProtocols | Opened::AllPorts(_) => Severity::Critical,
            Opened::OtherProtocols => Severity::Medium,
            Opened::Services(_) => {
                let graded = self.services.iter().map(|(service, seen)| {
                    let answered = seen.answered_records > 0;
                    if answered { one_higher(service.severity) } else { service.severity }
                });
                graded.max().unwrap_or(Severity::Medium)
            }
        };
        match width {
            Width::World(_) => world,
            Width::Wide(_) => one_lower(world),
            Width::Private(_) => private_severity(opened),
        }
    }

    /// What to do, by what was seen. `peer` names what is to be replaced.
    pub(super) fn advice(&self, opened: &Opened<'_>, peer: &str, cloud: Cloud) -> String {
        let (records, answers) = (self.internet.records, self.internet.answered_records);
        let narrow =
            format!("replace {peer} by the ranges or security groups that need it{}", instead(opened, cloud));
        match self.grade {
            Grade::Answered => format!(
                "Something answers here: {answers} records of answers to the internet in the window. Find out who \
                 connects, then {narrow}."
            ),
            Grade::Reached if self.internet.reply_records == 0 => format!(
                "{records} records came in from the internet and nothing answered in the window: close it. If it must \
                 stay, {narrow}."
            ),
            Grade::Reached => format!(
                "{records} records came in from the internet and no connection was answered in the window; {} records \
                 went back, which may be refusals or connections older than the window. If they are no connections, \
                 close it; or else {narrow}.",
                self.internet.reply_records
            ),
            Grade::ReachedAnswerUnknown => format!(
                "{records} records came in from the internet and {} went back; without TCP flags they do not tell \
                 whether anything answered. Check what listens, then {narrow}.",
                self.internet.reply_records
            ),
            Grade::NotShown if self.elsewhere > 0 => format!(
                "{} records came in from the internet by this rule on other ports, so it is exposed; on these ports \
                 nobody was seen in the window. Close them if nobody needs them, or {narrow}.",
                self.elsewhere
            ),
            Grade::NotShown => format!(
                "Exposure is not shown in the window, which does not prove that nobody can come in (load balancers and \
                 Global Accelerator bring clients in). Close it if nobody needs it, or {narrow}."
            ),
        }
    }
}

/// What is better than an address range, by what is open.
fn instead(opened: &Opened<'_>, cloud: Cloud) -> &'static str {
    let Opened::Services(services) = opened else { return ", and open only the ports that are served" };
    let any = |class| services.iter().any(|service| service.class == class);
    match (any(PortClass::Admin), any(PortClass::Database)) {
        (true, false) if cloud == Cloud::Alibaba => ", or use Session Manager of ECS, a VPN or Bastionhost",
        (true, false) => ", or use Session Manager, a VPN or an EC2 Instance Connect Endpoint",
        (false, true) => "; a data store is best reached from the security groups of its clients only",
        (true, true) => {
            "; use Session Manager or a VPN for administration, and security groups of the clients for data stores"
        }
        (false, false) => ", or put what must be public behind a load balancer",
    }
}

/// What to do about a whole private range.
pub(super) fn private_advice(opened: &Opened<'_>, peer: &str, cloud: Cloud) -> String {
    let reached = match opened {
        Opened::AllProtocols | Opened::AllPorts(_) => "everything",
        Opened::OtherProtocols => "these protocols",
        Opened::Services(_) => "these ports",
    };
    format!(
        "Everybody in every network connected by peering, VPN or transit gateway reaches {reached}. Replace {peer} by \
         the subnets or security groups that need it{}.",
        instead(opened, cloud)
    )
}

/// `{port, protocol, name}`.
pub(super) fn name_service(service: &SensitivePort) -> Value {
    json!({ "port": service.port, "protocol": protocol_name(service.protocol), "name": service.name })
}

/// Flags alone tell answers.
fn answered(seen: &Exposed) -> Value {
    if seen.with_flags == 0 { Value::Null } else { seen.answered_records.into() }
}

fn private_severity(opened: &Opened<'_>) -> Severity {
    match opened {
        Opened::AllProtocols | Opened::AllPorts(_) => Severity::Medium,
        Opened::Services(services) if services.iter().any(|service| service.class == PortClass::Admin) => {
            Severity::Medium
        }
        Opened::Services(_) | Opened::OtherProtocols => Severity::Low,
    }
}

fn sum<'e>(all: impl Iterator<Item = &'e Exposed>) -> Exposed {
    all.fold(Exposed::default(), |sum, next| Exposed {
        records: sum.records + next.records,
        reply_records: sum.reply_records + next.reply_records,
        answered_records: sum.answered_records + next.answered_records,
        with_flags: sum.with_flags + next.with_flags,
    })
}

fn one_higher(severity: Severity) -> Severity {
    match severity {
        Severity::Info => Severity::Low,
        Severity::Low => Severity::Medium,
        Severity::Medium => Severity::High,
        Severity::High | Severity::Critical => Severity::Critical,
    }
}

/// One step lower.
pub(super) fn one_lower(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium => Severity::Low,
        Severity::Low | Severity::Info => Severity::Info,
    }
}
