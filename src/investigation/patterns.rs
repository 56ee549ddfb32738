//! What conversations show together: scans, sweeps, refused and then let in, large transfers, beacons.
//!
//! Each is a finding with its figures and the technique of MITRE ATT&CK that it may be a part of. A pattern is a reason to look,
//! not a proof: monitoring scans, backups are large, and health checks beat like a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashSet;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::bytes::bytes;
use super::conversations::{Conversation, Opener};
use super::follow::Known;
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::{Seconds, has_ports, protocol_name};
use crate::time;

/// From where on something is a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Different ports of one target that one source tries.
    pub scan_ports: u64,
    /// Different targets at which one source tries the same port.
    pub sweep_targets: u64,
    /// Bytes of one conversation that leave.
    pub large_transfer: u64,
    /// Conversations in a row that begin at the same interval.
    pub beacon_times: u64,
    /// Seconds that an interface was seen without what is new then.
    pub new_after: Seconds,
    /// New peers, or ports, of one interface; with more it is there for new ones.
    pub new_most: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            scan_ports: 15,
            sweep_targets: 10,
            large_transfer: 100_000_000,
            beacon_times: 8,
            new_after: 86_400,
            new_most: 10,
        }
    }
}

/// A transfer is large only if it has so many times the bytes of the interface's usual conversation.
const TIMES_USUAL: u64 = 10;
/// Beacons come at least so many seconds apart.
const SHORTEST_BEAT: Seconds = 10;
/// Ports, targets or times that a finding names.
pub(super) const MOST_NAMED: usize = 20;

/// A technique of MITRE ATT&CK: <https://attack.mitre.org/techniques/>.
pub(super) struct Technique {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

const SCAN: Technique = Technique { id: "T1046", name: "Network Service Discovery" };
const SWEEP: Technique = Technique { id: "T1018", name: "Remote System Discovery" };
const FORCED: Technique = Technique { id: "T1110", name: "Brute Force" };
const EXPLOITED: Technique = Technique { id: "T1190", name: "Exploit Public-Facing Application" };
const EXFILTRATION: Technique = Technique { id: "T1048", name: "Exfiltration Over Alternative Protocol" };
pub(super) const BEACON: Technique = Technique { id: "T1071", name: "Application Layer Protocol" };

/// Ports where people log in.
pub(super) const LOGINS: [u16; 6] = [22, 23, 3389, 5900, 5985, 5986];

/// Every pattern, worst first.
pub fn patterns(conversations: &[Conversation<'_>], thresholds: Thresholds) -> Vec<Finding> {
    let of_once = || {
        let once = seen_once(conversations);
        let of_pairs = || {
            let pairs = by_pair(&once);
            rayon::join(|| scans(&pairs, thresholds.scan_ports), || let_in_at_last(&pairs))
        };
        rayon::join(of_pairs, || sweeps(&once, thresholds.sweep_targets))
    };
    let of_all = || {
        let transfers = || transfers(conversations, thresholds.large_transfer);
        rayon::join(transfers, || beacons(conversations, thresholds.beacon_times))
    };
    let (((scans, let_in), sweeps), (transfers, beacons)) = rayon::join(of_once, of_all);
    let mut findings = [scans, sweeps, let_in, transfers, beacons].concat();
    crate::findings::sort(&mut findings);
    findings
}

/// Of conversations that interfaces at both ends saw, what the target's saw: there it shows whether the source was let in.
pub(super) fn seen_once<'a>(conversations: &'a [Conversation<'a>]) -> Vec<&'a Conversation<'a>> {
    let at_target: HashSet<Known> =
        conversations.iter().filter(|it| it.opened_by == Some(Opener::Peer)).map(Known::of).collect();
    let twice = |it: &&Conversation<'_>| {
        it.opened_by == Some(Opener::Interface) && at_target.contains(&Known::of(it))
    };
    conversations.iter().filter(|it| !twice(it)).collect()
}

/// Not everything is there to look at: what is not found says nothing.
pub fn cut_off(until: Seconds) -> Finding {
    let from = time::format(until);
    let mut evidence = Map::new();
    evidence.insert("conversations_until".to_owned(), from.clone().into());
    Finding {
        id: "coverage_gap/conversations".to_owned(),
        kind: FindingKind::CoverageGap,
        severity: Severity::Medium,
        title: format!("too many conversations: from {from} on not all were looked at"),
        group_id: None,
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: "Patterns in them are not found. Ask for less: another filter, --until, or from then on with --since."
            .to_owned(),
        suppressed: None,
    }
}

pub(super) struct Pattern {
    pub(super) kind: FindingKind,
    pub(super) severity: Severity,
    /// What sets it apart from others of its kind.
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) technique: Technique,
    pub(super) recommendation: &'static str,
}

impl Pattern {
    pub(super) fn finding(self, evidence: Value) -> Finding {
        let mut figures = Map::new();
        figures.insert("technique".to_owned(), self.technique.id.into());
        figures.insert("technique_name".to_owned(), self.technique.name.into());
        if let Value::Object(evidence) = evidence {
            figures.extend(evidence);
        }
        Finding {
            id: format!("{}/{}", self.kind.as_str(), self.subject),
            kind: self.kind,
            severity: self.severity,
            title: self.title,
            group_id: None,
            rule_key: None,
            interface_id: None,
            evidence: figures,
            recommendation: self.recommendation.to_owned(),
            suppressed: None,
        }
    }
}

fn named<T: ToString>(all: &BTreeSet<T>) -> Vec<String> {
    all.iter().take(MOST_NAMED).map(ToString::to_string).collect()
}

/// When the first of some conversations began, and the last one ended.
fn span<'a>(of: impl Iterator<Item = &'a Conversation<'a>> + Clone) -> (Option<String>, Option<String>) {
    let first = of.clone().filter_map(Conversation::first).min();
    (first.map(time::format), of.filter_map(Conversation::last).max().map(time::format))
}

/// Conversations that one source opened and that have more in common, in order of time.
type Opened<'a, K> = Vec<(K, Vec<&'a Conversation<'a>>)>;

/// By source, and what else sets them apart, in order: the conversations that the source opened.
fn opened<'a, K: Ord + Copy + Send>(
    conversations: impl IntoIterator<Item = &'a Conversation<'a>>,
    key: impl Fn(&Conversation<'_>, super::conversations::Attempt) -> Option<K>,
) -> Opened<'a, K> {
    let keyed = conversations.into_iter().filter_map(|it| Some((key(it, it.attempt()?)?, it)));
    let mut all: Vec<(K, &Conversation<'_>)> = keyed.collect();
    // They stay in order of time.
    all.par_sort_by(|(a, _), (b, _)| a.cmp(b));
    let of_one = all.chunk_by(|(a, _), (b, _)| a == b);
    of_one.filter_map(|same| Some((same.first()?.0, same.iter().map(|(_, it)| *it).collect()))).collect()
}

/// By source and target, where there are ports.
fn by_pair<'a>(conversations: &[&'a Conversation<'a>]) -> Opened<'a, (IpAddr, IpAddr)> {
    opened(conversations.iter().copied(), |it, attempt| {
        has_ports(it.connection.protocol).then_some((attempt.source, attempt.target))
    })
}

fn scans(pairs: &Opened<'_, (IpAddr, IpAddr)>, enough: u64) -> Vec<Finding> {
    let many = pairs.iter().filter(|(_, tried)| tried.len() as u64 >= enough);
    let found = many.filter_map(|((source, target), tried)| {
        let ports: BTreeSet<u16> = tried.iter().filter_map(|it| Some(it.attempt()?.port)).collect();
        let closed: BTreeSet<u16> =
            tried.iter().filter(|it| it.refused() > 0).filter_map(|it| Some(it.attempt()?.port)).collect();
        let refused = total(tried, Conversation::refused);
        // Who is let in nearly everywhere is a client of many services.
        (ports.len() as u64 >= enough && closed.len() * 3 >= ports.len()).then(|| {
            let open: BTreeSet<u16> = tried
                .iter()
                .filter(|it| it.is_let_in())
                .filter_map(|it| Some(it.attempt()?.port))
                .collect();
            let (first_seen, last_seen) = span(tried.iter().copied());
            Pattern {
                kind: FindingKind::Scan,
                severity: if open.is_empty() { Severity::Medium } else { Severity::High },
                subject: format!("ports/{source}/{target}"),
                title: format!("{source} tried {} ports of {target}", ports.len()),
                technique: SCAN,
                recommendation: "Find out who the source is; what it found open is in `open_ports`.",
            }
            .finding(json!({
                "source": source, "target": target, "distinct_ports": ports.len(), "ports": named(&ports),
                "open_ports": named(&open), "rejected_records": refused, "first_seen": first_seen, "last_seen": last_seen,
            }))
        })
    });
    found.collect()
}

fn sweeps(conversations: &[&Conversation<'_>], enough: u64) -> Vec<Finding> {
    let tried = opened(conversations.iter().copied(), |it, attempt| {
        let protocol = it.connection.protocol;
        has_ports(protocol).then_some((attempt.source, protocol, attempt.port))
    });
    let many = tried.into_iter().filter(|(_, tried)| tried.len() as u64 >= enough);
    let found = many.filter_map(|((source, protocol, port), tried)| {
        let targets: BTreeSet<IpAddr> = tried.iter().filter_map(|it| Some(it.attempt()?.target)).collect();
        let closed: BTreeSet<IpAddr> =
            tried.iter().filter(|it| it.refused() > 0).filter_map(|it| Some(it.attempt()?.target)).collect();
        let refused = total(&tried, Conversation::refused);
        (targets.len() as u64 >= enough && closed.len() * 3 >= targets.len()).then(|| {
            let (first_seen, last_seen) = span(tried.iter().copied());
            let let_in: Vec<&Conversation<'_>> = tried.iter().copied().filter(|it| it.is_let_in()).collect();
            let accepted = total(&let_in, Conversation::accepted);
            let service = format!("{}/{port}", protocol_name(protocol));
            Pattern {
                kind: FindingKind::Scan,
                severity: if accepted > 0 { Severity::High } else { Severity::Medium },
                subject: format!("sweep/{source}/{service}"),
                title: format!("{source} tried {service} at {} targets", targets.len()),
                technique: SWEEP,
                recommendation: "Find out who the source is, and what answered it.",
            }
            .finding(json!({
                "source": source, "protocol": protocol_name(protocol), "port": port, "distinct_targets": targets.len(),
                "targets": named(&targets), "rejected_records": refused, "accepted_records": accepted,
                "first_seen": first_seen, "last_seen": last_seen,
            }))
        })
    });
    found.collect()
}

/// Refusals on other ports than the one that let it in at last: so many are no accident.
const MANY_REFUSALS: u64 = 5;

/// Sources that were refused, and later let in: on the same port, or after they were refused again and again.
fn let_in_at_last(pairs: &Opened<'_, (IpAddr, IpAddr)>) -> Vec<Finding> {
    let found = pairs.iter().filter_map(|((source, target), tried)| {
        let service = |it: &Conversation<'_>| Some((it.connection.protocol, it.attempt()?.port));
        let mut refused: BTreeMap<_, Seconds> = BTreeMap::new();
        for it in tried {
            if let Some(at) = it.piece.first_attempt_refused {
                let first = refused.entry(service(it)).or_insert(at);
                *first = at.min(*first);
            }
        }
        let first_refused = *refused.values().min()?;
        let all = total(tried, Conversation::refused);
        let earned = |it: &&Conversation<'_>| {
            let here = refused.get(&service(it)).is_some_and(|at| it.first() > Some(*at));
            it.is_let_in() && it.first() > Some(first_refused) && (here || all >= MANY_REFUSALS)
        };
        let let_in: Vec<&Conversation<'_>> = tried.iter().copied().filter(earned).collect();
        let first = let_in.iter().min_by_key(|it| (it.first(), service(it)))?;
        let (number, port) = service(first)?;
        let protocol = protocol_name(number);
        let login = LOGINS.contains(&port);
        Some(
            Pattern {
                kind: FindingKind::Investigation,
                severity: if login { Severity::High } else { Severity::Medium },
                subject: format!("let_in_at_last/{source}/{target}"),
                title: format!("{source} was refused by {target}, and then let in on {protocol}/{port}"),
                technique: if login { FORCED } else { EXPLOITED },
                recommendation: "Look at what the source did after it was let in, and whether it should have been.",
            }
            .finding(json!({
                "source": source, "target": target, "protocol": protocol, "port": port, "rejected_records": all,
                "first_refused": time::format(first_refused),
                "first_let_in": first.first().map(time::format),
                "conversations": let_in.len(),
                "bytes_in": total(&let_in, |it| it.piece.ingress.bytes),
                "bytes_out": total(&let_in, |it| it.piece.egress.bytes),
            })),
        )
    });
    found.collect()
}

/// Forged counts may be as large as counts can be.
fn total<'a>(of: &[&Conversation<'a>], figure: impl Fn(&Conversation<'a>) -> u64) -> u64 {
    of.iter().map(|it| figure(it)).fold(0, u64::saturating_add)
}

/// Conversations that carry out far more than is usual for the interface.
fn transfers(conversations: &[Conversation<'_>], enough: u64) -> Vec<Finding> {
    let mut by_interface: BTreeMap<u32, Vec<&Conversation<'_>>> = BTreeMap::new();
    for conversation in conversations.iter().filter(|it| it.accepted() > 0) {
        by_interface.entry(conversation.connection.interface).or_default().push(conversation);
    }
    let mut findings = Vec::new();
    for all in by_interface.into_values() {
        let mut sizes: Vec<u64> = all.iter().map(|it| it.piece.egress.bytes).collect();
        sizes.sort_unstable();
        let usual = sizes.get(sizes.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        // A single conversation has nothing to be compared with.
        let usual = if all.len() > 1 { usual } else { 0 };
        for it in all {
            let out = it.piece.egress.bytes;
            if out < enough || out < usual.saturating_mul(TIMES_USUAL) {
                continue;
            }
            let connection = &it.connection;
            let (first_seen, last_seen) = span(std::iter::once(it));
            let begun = it.first().map_or_else(String::new, |first| format!("/{}", time::format(first)));
            let pattern = Pattern {
                kind: FindingKind::Investigation,
                severity: Severity::Medium,
                subject: format!(
                    "transfer/{}/{}:{}/{}:{}{begun}",
                    protocol_name(connection.protocol),
                    connection.address,
                    connection.local_port,
                    connection.peer,
                    connection.peer_port
                ),
                title: format!("{} sent {} to {}", connection.address, bytes(out), connection.peer),
                technique: EXFILTRATION,
                recommendation: "Find out what was sent, and whether the peer should have it.",
            };
            findings.push(pattern.finding(json!({
                "address": connection.address, "peer": connection.peer, "protocol": protocol_name(connection.protocol),
                "local_port": connection.local_port, "peer_port": connection.peer_port,
                "opened_by": it.opened_by, "bytes_out": out, "bytes_in": it.piece.ingress.bytes, "usual_bytes_out": usual,
                "first_seen": first_seen, "last_seen": last_seen,
            })));
        }
    }
    findings
}

/// An interface that calls the same place again and again, at the same interval.
fn beacons(conversations: &[Conversation<'_>], enough: u64) -> Vec<Finding> {
    let calls = opened(conversations, |it, attempt| {
        let own = it.opened_by == Some(Opener::Interface) && it.accepted() > 0;
        own.then_some((attempt.source, attempt.target, it.connection.protocol, attempt.port))
    });
    let many = calls.into_iter().filter(|(_, calls)| calls.len() as u64 >= enough);
    let found = many.filter_map(|((source, target, protocol, port), calls)| {
        let mut times: Vec<Seconds> = calls.iter().filter_map(|it| it.first()).collect();
        times.sort_unstable();
        // A call may be several connections.
        times.dedup_by(|next, last| *next - *last < SHORTEST_BEAT);
        let mut beats: Vec<Seconds> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        beats.sort_unstable();
        let beat = beats.get(beats.len() / 2).copied()?;
        // Nine of ten within a tenth of the middle one: jitter is usual, and so is a call that fails.
        let regular = beats.iter().filter(|it| (**it - beat).abs() * 10 <= beat).count();
        let is_beacon =
            times.len() as u64 >= enough && beat >= SHORTEST_BEAT && regular * 10 >= beats.len() * 9;
        is_beacon.then(|| {
            let (first_seen, last_seen) = span(calls.iter().copied());
            Pattern {
                kind: FindingKind::Investigation,
                severity: Severity::Low,
                subject: format!("beacon/{source}/{target}/{}/{port}", protocol_name(protocol)),
                title: format!("{source} calls {target} every {beat} seconds"),
                technique: BEACON,
                recommendation: "Find out which program calls there: monitoring and updates do so too.",
            }
            .finding(json!({
                "source": source, "target": target, "protocol": protocol_name(protocol), "port": port,
                "interval_seconds": beat, "times": times.len(), "regular": regular,
                "first_seen": first_seen, "last_seen": last_seen,
            }))
        })
    });
    found.collect()
}
