//! From signatures to what each rule was used for.

use std::collections::{BTreeMap, BTreeSet};

use super::credit::{Credit, Span};
use super::watch::{PortWatch, Service};
use super::{Tally, UsageKey};
use crate::attribution::judge::Role;
use crate::rules::{Rule, RuleIndex};

/// What one rule was used for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleUse {
    /// Records in forward role.
    pub records: u64,
    /// Records in reply role.
    pub reply_records: u64,
    /// Of the replies, those with SYN and ACK.
    pub answered_records: u64,
    /// Records credited in any way whose TCP flags are known.
    pub with_flags: u64,
    /// Records that may have been let through by it.
    pub possible_records: u64,
    /// Records that no other rule explains.
    pub sole_records: u64,
    /// Records that it may explain alone.
    pub possible_sole_records: u64,
    /// Records that fit it in all but the peer.
    pub near_records: u64,
    /// Packets of all credited records.
    pub packets: u64,
    /// Bytes of all credited records.
    pub bytes: u64,
    /// When.
    pub span: Span,
    /// Interface slots.
    pub interfaces: BTreeSet<u32>,
    /// From and to the internet, all ports.
    pub internet: Exposed,
    /// From and to the internet, by watched service.
    pub services: BTreeMap<Service, Exposed>,
}

/// Traffic with the internet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Connections opened from outside (for ingress rules): records in forward role.
    pub records: u64,
    /// Replies.
    pub reply_records: u64,
    /// Replies with SYN and ACK.
    pub answered_records: u64,
    /// Records credited in any way whose TCP flags are known.
    pub with_flags: u64,
}

impl RuleUse {
    fn add(
        &mut self,
        key: &UsageKey,
        credit: &Credit,
        rule: RuleIndex,
        tally: &Tally,
        sure: bool,
        watch: &PortWatch,
    ) {
        let records = credit.records;
        self.packets = self.packets.saturating_add(credit.packets);
        self.bytes = self.bytes.saturating_add(credit.bytes);
        self.with_flags += credit.with_flags;
        self.span.merge(credit.span);
        self.interfaces.insert(key.interface);
        let alone = |set| tally.sets.rules(set) == [rule];
        let exposed = Exposed {
            records: if key.role == Role::Forward { records } else { 0 },
            reply_records: if key.role == Role::Reply { records } else { 0 },
            answered_records: if key.role == Role::Reply { credit.answers } else { 0 },
            with_flags: credit.with_flags,
        };
        match key.role {
            Role::Undecided => {
                self.possible_records += records;
                if alone(key.forward) || alone(key.reply) {
                    self.possible_sole_records += records;
                }
            }
            Role::Forward | Role::Reply if !sure => {
                self.possible_records += records;
                if alone(key.forward) || alone(key.reply) {
                    self.possible_sole_records += records;
                }
            }
            Role::Forward | Role::Reply => {
                self.records += exposed.records;
                self.reply_records += exposed.reply_records;
                self.answered_records += exposed.answered_records;
                if alone(key.forward) || alone(key.reply) {
                    self.sole_records += records;
                }
            }
        }
        if key.exposure.is_internet() {
            self.internet.add(&exposed);
            if let Some(service) = watch.service(key.exposure) {
                self.services.entry(service).or_default().add(&exposed);
            }
        }
    }
}

impl Exposed {
    fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.reply_records += other.reply_records;
        self.answered_records += other.answered_records;
        self.with_flags += other.with_flags;
    }
}

impl Tally {
    /// What each rule of the catalogue was used for. Call after [`Tally::settle`].
    pub fn rule_uses(&self, rules: &[Rule], watch: &PortWatch) -> Vec<RuleUse> {
        let mut uses = vec![RuleUse::default(); rules.len()];
        for (key, credit) in &self.usage {
            let forward = self.sets.rules(key.forward);
            let reply = self.sets.rules(key.reply);
            // Forward and reply test rules of opposite directions, so no rule is in both.
            for &rule in forward.iter().chain(reply) {
                let sure = !rules[rule.index()].is_one_icmp_type();
                uses[rule.index()].add(key, credit, rule, self, sure, watch);
            }
        }
        for (rule, records) in &self.near {
            uses[rule.index()].near_records = *records;
        }
        uses
    }
}
