//! From the tracks of sets of rules to those of each rule.

use std::collections::{BTreeMap, BTreeSet};

use super::days::Day;
use super::seen::{Answer, Range, SeenKey};
use super::{TrackKey, TrackNumber, Tracks};
use crate::attribution::judge::Role;
use crate::rules::{Rule, RuleIndex};
use crate::tally::Tally;

/// What a rule was used for in a unit of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayUse {
    /// Records in forward role.
    pub records: u64,
    /// Records in reply role.
    pub reply_records: u64,
    /// Records that it may have let through; those that only the whole input can tell are among them.
    pub possible_records: u64,
}

/// The tracks that each rule is in. Rules are looked up one by one: all together they may be far more than the tracks.
#[derive(Debug)]
pub struct RuleTracks<'a> {
    tracks: &'a Tracks,
    rules: &'a [Rule],
    /// By rule: numbers of tracks.
    of_rule: Vec<Vec<TrackNumber>>,
}

impl<'a> RuleTracks<'a> {
    /// The tracks of a run.
    pub fn of(tally: &'a Tally, rules: &'a [Rule]) -> Self {
        let mut of_rule = vec![Vec::new(); rules.len()];
        for (number, TrackKey { set, .. }) in (0..).zip(&tally.tracks.keys) {
            for rule in tally.sets.rules(*set) {
                of_rule[rule.index()].push(TrackNumber::numbered(number));
            }
        }
        Self { tracks: &tally.tracks, rules, of_rule }
    }

    fn numbers(&self, rule: RuleIndex) -> impl Iterator<Item = TrackNumber> {
        self.of_rule.get(rule.index()).into_iter().flatten().copied()
    }

    /// When it was used.
    pub fn days(&self, rule: RuleIndex) -> BTreeMap<Day, DayUse> {
        let sure = !self.rules[rule.index()].is_one_icmp_type();
        let mut uses: BTreeMap<Day, DayUse> = BTreeMap::new();
        for number in self.numbers(rule) {
            for (day, records) in self.tracks.days[number.index()].iter() {
                let day = uses.entry(day).or_default();
                match self.tracks.keys[number.index()].role {
                    Role::Forward if sure => day.records += records,
                    Role::Reply if sure => day.reply_records += records,
                    _ => day.possible_records += records,
                }
            }
        }
        uses
    }

    /// Ports and peers that it was used for, as wide as they are kept.
    pub fn seen(&self, rule: RuleIndex) -> BTreeSet<(Answer, Range)> {
        let mut all = BTreeSet::new();
        for number in self.numbers(rule) {
            for answer in Answer::ALL {
                let Some(table) = self.tracks.seen.get(number.place(answer)) else { continue };
                let rung = table.rung();
                all.extend(table.iter().map(|(seen, ()): (&SeenKey, _)| (answer, seen.seen(answer, rung))));
            }
        }
        all
    }
}
