//! Openings wider than they should be, in the newest state of the rules.
//!
//! One finding per rule whose peer is too wide for what it opens (`opening`), one per target that several rules open
//! to the internet only together (`union`), each graded by what was seen of it (`grade`). Arithmetic on addresses
//! is in [`super::space`], the lists of sensitive ports in [`super::ports`].

mod behind;
mod grade;
mod opening;
mod union;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::ports::PortProfile;
use super::precedence::{self, Precedence};
use super::space::Family;
use super::{Finding, FindingKind, Severity};
use crate::flow::{Direction, TCP};
use crate::rules::state::{Cloud, Group, Interface, State};
use crate::rules::timeline::Timeline;
use crate::tally::scope;
use crate::tally::usage::RuleUse;
use grade::Figures;
use opening::{Candidate, Opened, Target, Width};
use union::Union;

/// Every over-broad opening of the newest state, worst first. `uses` is parallel to the rules of the timeline.
pub fn over_broad(timeline: &Timeline, uses: &[RuleUse], profile: &PortProfile) -> Vec<Finding> {
    let Some(state) = timeline.newest() else { return Vec::new() };
    let context = Context::new(timeline, state, uses, profile);
    let mut findings = Vec::new();
    for (id, group) in &state.groups {
        context.group(id, group, &mut findings);
    }
    context.interfaces(&mut findings);
    super::sort(&mut findings);
    findings
}

/// What every finding is made from.
struct Context<'a> {
    timeline: &'a Timeline,
    state: &'a State,
    uses: &'a [RuleUse],
    profile: &'a PortProfile,
    unused: RuleUse,
    precedence: Precedence<'a>,
    attached: BTreeMap<&'a str, Vec<&'a Arc<Interface>>>,
    ingress: BTreeMap<&'a str, Vec<Candidate<'a>>>,
}

impl<'a> Context<'a> {
    fn new(timeline: &'a Timeline, state: &'a State, uses: &'a [RuleUse], profile: &'a PortProfile) -> Self {
        let mut attached: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for interface in state.interfaces.values() {
            for group in interface.group_ids.iter().collect::<BTreeSet<_>>() {
                attached.entry(group).or_default().push(interface);
            }
        }
        let precedence = Precedence::of(timeline, state);
        let ingress = BTreeMap::new();
        let unused = RuleUse::default();
        let mut context = Self { timeline, state, uses, profile, unused, precedence, attached, ingress };
        for (id, group) in &state.groups {
            let ingress = context.candidates(group, Direction::Ingress);
            context.ingress.insert(id, ingress);
        }
        context
    }

    fn candidates(&self, group: &Group, direction: Direction) -> Vec<Candidate<'a>> {
        let all = group.rules.iter().filter_map(|rule| Candidate::new(self.timeline, self.state, *rule));
        let all = all.filter(|candidate| candidate.rule.direction == direction);
        all.map(|candidate| self.behind(candidate, group)).collect()
    }

    fn group(&self, id: &str, group: &Group, findings: &mut Vec<Finding>) {
        let ingress = self.ingress_of(id);
        let parts: Vec<_> = ingress.chunks(1).collect();
        let unions = union::unions(&parts, self.profile);
        for candidate in ingress {
            let openings = if precedence::is_ranked(group) {
                self.left_open(candidate)
            } else {
                let opening = self.too_broad(candidate);
                opening.map(|(opened, width)| (candidate.clone(), opened, width)).into_iter().collect()
            };
            for (number, (candidate, opened, width)) in openings.into_iter().enumerate() {
                if matches!(width, Width::Wide(_)) && is_part_of(&unions, &candidate, &opened) {
                    continue;
                }
                let mut finding = self.rule_finding(&candidate, &opened, &width);
                if number > 0 {
                    // Of other ports Drop rules leave other addresses.
                    let _ = write!(finding.id, ":{}", number + 1);
                }
                findings.push(finding);
            }
        }
        let attached = self.attached_to(id);
        for union in &unions {
            let mut finding = self.union_finding(id, Direction::Ingress, union, attached);
            finding.group_id = Some(id.to_owned());
            self.step_down_if_unattached(&mut finding, id);
            findings.push(finding);
        }
        self.egress(id, group, findings);
    }

    /// Everything may go out, by one rule or by several together.
    fn egress(&self, id: &str, group: &Group, findings: &mut Vec<Finding>) {
        let egress = self.candidates(group, Direction::Egress);
        findings.extend(egress.iter().filter_map(|candidate| self.egress_finding(candidate)));
        let parts: Vec<_> = egress.chunks(1).collect();
        for union in union::unions(&parts, self.profile) {
            if !matches!(union.target, Target::AllProtocols | Target::AllPorts(TCP)) {
                continue;
            }
            let mut finding = self.union_finding(id, Direction::Egress, &union, self.attached_to(id));
            finding.severity = Severity::Info;
            finding.group_id = Some(id.to_owned());
            "Where what may leave matters, replace these rules by the ports and ranges that are used."
                .clone_into(&mut finding.recommendation);
            findings.push(finding);
        }
    }

    /// Openings that only the groups of one interface make together: one finding for all interfaces with those groups.
    fn interfaces(&self, findings: &mut Vec<Finding>) {
        let mut carriers: BTreeMap<Vec<&'a str>, Vec<&Arc<Interface>>> = BTreeMap::new();
        for interface in self.state.interfaces.values() {
            let ids: BTreeSet<&'a str> = interface.group_ids.iter().map(String::as_str).collect();
            carriers.entry(ids.into_iter().collect()).or_default().push(interface);
        }
        for (ids, interfaces) in carriers {
            let behind = self.behind_all_of(&ids);
            let parts: Vec<&[Candidate<'a>]> = if behind.is_empty() {
                ids.iter().map(|id| self.ingress_of(id)).collect()
            } else {
                behind.iter().map(Vec::as_slice).collect()
            };
            for union in union::unions(&parts, self.profile) {
                let mut finding = self.union_finding(&ids.join("+"), Direction::Ingress, &union, &interfaces);
                if let [interface] = interfaces[..] {
                    finding.interface_id = Some(interface.id.clone());
                }
                finding
                    .recommendation
                    .push_str(" The figures are those of the rules on every interface that carries them.");
                findings.push(finding);
            }
        }
    }

    /// The ranked ingress rules of these groups behind the Drop rules of all of them, group by group; none where they are of
    /// AWS.
    fn behind_all_of(&self, ids: &[&'a str]) -> Vec<Vec<Candidate<'a>>> {
        if !ids.iter().any(|id| self.state.groups.get(*id).is_some_and(|group| precedence::is_ranked(group)))
        {
            return Vec::new();
        }
        let behind =
            |candidate: &Candidate<'a>| candidate.behind(self.precedence.closing(ids, candidate.rule));
        ids.iter().map(|id| self.ingress_of(id).iter().map(behind).collect()).collect()
    }

    fn ingress_of(&self, group: &str) -> &[Candidate<'a>] {
        self.ingress.get(group).map_or(&[], Vec::as_slice)
    }

    fn attached_to(&self, group: &str) -> &[&'a Arc<Interface>] {
        self.attached.get(group).map_or(&[], Vec::as_slice)
    }

    fn use_of(&self, candidate: &Candidate<'_>) -> &RuleUse {
        self.uses.get(candidate.index.index()).unwrap_or(&self.unused)
    }

    /// What makes an ingress rule a finding.
    fn too_broad(&self, candidate: &Candidate<'_>) -> Option<(Opened<'a>, Width)> {
        let width = candidate.width()?;
        let opened = Opened::by(candidate.rule, self.profile)?;
        let opened = if matches!(width, Width::Private(_)) { opened.internal_only()? } else { opened };
        Some((opened, width))
    }

    fn rule_finding(&self, candidate: &Candidate<'_>, opened: &Opened<'a>, width: &Width) -> Finding {
        let peer = candidate.rule.peer.to_string();
        let figures = Figures::of(opened, &[self.use_of(candidate)], &self.profile.services);
        let mut evidence = Map::new();
        let families = match width {
            Width::World(families) => families.clone(),
            Width::Wide(_) | Width::Private(_) => candidate.families(),
        };
        let to = match width {
            Width::World(_) => "the internet".to_owned(),
            Width::Wide(_) => {
                let prefixes: Vec<_> = families.iter().map(|it| format!("/{}", it.wide_prefix())).collect();
                format!("a public range wider than {}", prefixes.join(" or "))
            }
            Width::Private(_) => "a whole private range".to_owned(),
        };
        let advice = if let Width::Private(blocks) = width {
            evidence.insert("private_ranges".to_owned(), blocks.as_slice().into());
            if let Opened::Services(services) = opened {
                let services = services.iter().map(|service| grade::name_service(service));
                evidence.insert("services".to_owned(), services.collect());
            }
            evidence.insert("records".to_owned(), self.use_of(candidate).records.into());
            grade::private_advice(opened, &peer, cloud_of(candidate))
        } else {
            figures.record(&mut evidence);
            figures.advice(opened, &peer, cloud_of(candidate))
        };
        if let Width::Wide(ranges) = width {
            evidence.insert("ranges".to_owned(), texts(ranges));
        }
        let private = candidate.private_blocks();
        let advice = if matches!(width, Width::Private(_)) || private.is_empty() {
            advice
        } else {
            // Taking the public ranges away would not be all.
            evidence.insert("private_ranges".to_owned(), private.as_slice().into());
            format!("{advice} It opens whole private ranges too: {}.", private.join(", "))
        };
        self.describe_rule(candidate, &families, &mut evidence);
        let mut finding = Finding {
            id: String::new(),
            kind: FindingKind::OverBroad,
            severity: figures.severity(opened, width),
            title: format!("{} open to {to} ({peer})", opened.phrase()),
            group_id: None,
            rule_key: None,
            interface_id: None,
            evidence,
            recommendation: advice,
            suppressed: None,
        };
        about_rule(&mut finding, candidate);
        self.step_down_if_unattached(&mut finding, &candidate.rule.group_id);
        self.leave_to_service(&mut finding, &candidate.rule.group_id);
        finding
    }

    /// Everything may go out: worth knowing, no more.
    fn egress_finding(&self, candidate: &Candidate<'a>) -> Option<Finding> {
        let rule = candidate.rule;
        let opened = Opened::all_by(rule)?;
        let opened = if rule.ranked.is_some() { self.left_for_egress(candidate, opened)? } else { opened };
        let out = matches!(opened, Opened::AllProtocols | Opened::AllPorts(TCP));
        let (Direction::Egress, true, Width::World(families)) = (rule.direction, out, candidate.width()?)
        else {
            return None;
        };
        let mut evidence = Map::new();
        evidence.insert("internet_records".to_owned(), self.use_of(candidate).internet.records.into());
        self.describe_rule(candidate, &families, &mut evidence);
        let peer = rule.peer.to_string();
        let mut finding = Finding {
            id: String::new(),
            kind: FindingKind::OverBroad,
            severity: Severity::Info,
            title: format!("{} open for egress to the internet ({peer})", opened.phrase()),
            group_id: None,
            rule_key: None,
            interface_id: None,
            evidence,
            recommendation: format!(
                "{}Where what may leave matters, replace {peer} by the ports and ranges that are used.",
                if rule.ranked.is_none() { "AWS gives every new group such a rule. " } else { "" }
            ),
            suppressed: None,
        };
        about_rule(&mut finding, candidate);
        self.leave_to_service(&mut finding, &rule.group_id);
        Some(finding)
    }

    fn union_finding(
        &self,
        subject: &str,
        direction: Direction,
        union: &Union<'a, '_, '_>,
        attached: &[&Arc<Interface>],
    ) -> Finding {
        let opened = match union.target {
            Target::AllProtocols => Opened::AllProtocols,
            Target::AllPorts(protocol) => Opened::AllPorts(protocol),
            Target::Service(service) => Opened::Services(vec![service]),
        };
        let uses: Vec<_> = union.rules.iter().map(|candidate| self.use_of(candidate)).collect();
        let figures = Figures::of(&opened, &uses, &self.profile.services);
        let peers: BTreeSet<String> = union.rules.iter().map(|it| it.rule.peer.to_string()).collect();
        let peers = peers.into_iter().collect::<Vec<_>>().join(" + ");
        let mut evidence = Map::new();
        figures.record(&mut evidence);
        let keys = union.rules.iter().map(|candidate| Value::from(candidate.rule.key()));
        evidence.insert("rules".to_owned(), keys.collect());
        evidence.insert("peer".to_owned(), peers.as_str().into());
        self.describe_opening(&[union.family], attached, &mut evidence);
        Finding {
            id: format!(
                "{}/{subject}:{direction}:union:{}:{}",
                FindingKind::OverBroad.as_str(),
                union.target.id(),
                union.family.as_str()
            ),
            kind: FindingKind::OverBroad,
            severity: figures.severity(&opened, &Width::World(vec![union.family])),
            title: format!(
                "{} open{} to the internet ({}) by {} rules together",
                opened.phrase(),
                if direction == Direction::Egress { " for egress" } else { "" },
                union.family,
                union.rules.len()
            ),
            group_id: None,
            rule_key: None,
            interface_id: None,
            evidence,
            recommendation: figures.advice(
                &opened,
                &peers,
                union.rules.first().map_or(Cloud::Aws, |it| cloud_of(it)),
            ),
            suppressed: None,
        }
    }

    fn describe_rule(
        &self,
        candidate: &Candidate<'_>,
        families: &[Family],
        evidence: &mut Map<String, Value>,
    ) {
        evidence.insert("peer".to_owned(), candidate.rule.peer.to_string().into());
        if !candidate.closed_by.is_empty() {
            let keys = candidate.closed_by.iter().filter_map(|index| self.timeline.rules.get(index.index()));
            evidence
                .insert("partly_closed_by".to_owned(), keys.map(|rule| Value::from(rule.key())).collect());
        }
        self.describe_opening(families, self.attached_to(&candidate.rule.group_id), evidence);
        let label = self.timeline.labels.get(candidate.index.index());
        evidence.insert("rule_id".to_owned(), label.and_then(|label| label.rule_id.clone()).into());
    }

    fn describe_opening(
        &self,
        families: &[Family],
        attached: &[&Arc<Interface>],
        evidence: &mut Map<String, Value>,
    ) {
        let covers = match families {
            [one] => one.as_str(),
            _ => "both",
        };
        evidence.insert("covers".to_owned(), covers.into());
        evidence.insert("port_profile".to_owned(), self.profile.name.as_str().into());
        let ids: Vec<_> = attached.iter().map(|interface| interface.id.as_str()).collect();
        evidence.insert("attached_interfaces".to_owned(), ids.into());
        let of_family = |address: &std::net::IpAddr| families.contains(&Family::of(*address));
        let public: BTreeSet<_> = attached
            .iter()
            .flat_map(|interface| {
                let global = interface.addresses.iter().filter(
                    |address| matches!(address, IpAddr::V6(address) if scope::is_global_v6(*address)),
                );
                interface.public_addresses.iter().chain(global).copied()
            })
            .filter(of_family)
            .collect();
        evidence.insert("public_addresses".to_owned(), texts(&public));
    }

    /// Load balancers of Alibaba Cloud accept everything through a group of their own, which nobody can change: what they
    /// listen on decides, and a Drop in front of it.
    ///
    /// Source: <https://www.alibabacloud.com/help/en/slb/application-load-balancer/user-guide/add-an-alb-instance-to-a-security-group>.
    fn leave_to_service(&self, finding: &mut Finding, group_id: &str) {
        if self.state.groups.get(group_id).is_some_and(|group| group.is_service_managed()) {
            finding.evidence.insert("service_managed".to_owned(), true.into());
            "A cloud service (a load balancer, mostly) manages this group, and its rules cannot be changed: look at what the \
             load balancer listens on, and add a Drop of a smaller priority in a group of your own on the load balancer."
                .clone_into(&mut finding.recommendation);
        }
    }

    /// A group on no interface opens nothing now. Without any interface of its network in the snapshots, nobody knows.
    fn step_down_if_unattached(&self, finding: &mut Finding, group_id: &str) {
        let Some(group) = self.state.groups.get(group_id) else { return };
        if !self.attached_to(group_id).is_empty() {
            return;
        }
        let anywhere = group.vpc_id.is_empty() && group.owner_id.is_empty();
        let same = |a: &str, b: &str| !a.is_empty() && a == b;
        let described = self
            .state
            .interfaces
            .values()
            .any(|it| anywhere || same(&it.vpc_id, &group.vpc_id) || same(&it.owner_id, &group.owner_id));
        if described {
            finding.severity = grade::one_lower(finding.severity);
            finding.recommendation.push_str(
                " The group is on no interface now, so the opening takes effect once it is attached: delete the rule \
                 or the group.",
            );
        }
    }
}

/// Whether the unions say all that a finding about the rule alone would.
fn is_part_of(unions: &[Union<'_, '_, '_>], candidate: &Candidate<'_>, opened: &Opened<'_>) -> bool {
    let names = |union: &&Union<'_, '_, '_>| union.rules.iter().any(|rule| rule.index == candidate.index);
    let naming: Vec<_> = unions.iter().filter(names).collect();
    opened.targets().into_iter().all(|target| naming.iter().any(|union| union.target.includes(target)))
}

fn cloud_of(candidate: &Candidate<'_>) -> Cloud {
    if candidate.rule.ranked.is_some() { Cloud::Alibaba } else { Cloud::Aws }
}

fn about_rule(finding: &mut Finding, candidate: &Candidate<'_>) {
    let key = candidate.rule.key();
    finding.id = format!("{}/{key}", FindingKind::OverBroad.as_str());
    finding.group_id = Some(candidate.rule.group_id.clone());
    finding.rule_key = Some(key);
}

fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> Value {
    all.into_iter().map(|one| Value::from(one.to_string())).collect()
}
