//! Whether a rule is used, and how sure "not seen" is.
//!
//! "None" and "cannot know" are different answers: a rule that was not seen is called unused only if the logs could have
//! shown its use.

mod doubts;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::attachment::{Attachments, Covered};
use super::cadence::Cadence;
use super::lifetime::Lifetimes;
use super::loggable::{self, Loggable};
use super::reason::{Doubt, Extent, Reason};
use super::settings::Settings;
use super::strays::Strays;
use crate::rules::state::{Group, Interface};
use crate::rules::timeline::Timeline;
use crate::rules::{Rule, RuleIndex};
use crate::tally::Tally;
use crate::tally::usage::RuleUse;

/// What the logs say of a rule's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Some record was let through by it.
    Used,
    /// Some record may have been let through by it.
    PossiblyUsed,
    /// Its group is on no interface in any snapshot.
    Unattached,
    /// Not seen, and the logs could not have shown it.
    CannotDecide,
    /// Not seen: an unused rule.
    NotSeen,
}

/// How far to trust "not seen".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Several doubts, or much of the time not covered.
    Low,
    /// One doubt.
    Medium,
    /// None.
    High,
}

impl Confidence {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A verdict with everything that stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Only of `not_seen`.
    pub confidence: Option<Confidence>,
    /// Reasons with the figures behind them.
    pub doubts: BTreeMap<Reason, Doubt>,
    /// Covered time.
    pub covered: Covered,
}

impl Judged {
    /// The reasons, ascending.
    pub fn reasons(&self) -> Vec<Reason> {
        self.doubts.keys().copied().collect()
    }

    /// Whether it has the reason.
    pub fn has(&self, reason: Reason) -> bool {
        self.doubts.contains_key(&reason)
    }

    fn doubt(&mut self, doubts: impl IntoIterator<Item = Doubt>) {
        self.doubts.extend(doubts.into_iter().map(|doubt| (doubt.reason(), doubt)));
    }
}

/// What of the input could not be read, or is not there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unread<'a> {
    /// Files that could not be read, or not to their end.
    pub failed_files: u64,
    /// What the names of the files tell of those that are missing.
    pub cadences: &'a [Cadence],
}

/// Judges the rules of a run.
#[derive(Debug)]
pub struct Bench<'a> {
    timeline: &'a Timeline,
    tally: &'a Tally,
    attachments: &'a Attachments<'a>,
    settings: &'a Settings,
    unread: Unread<'a>,
    lifetimes: Lifetimes<'a>,
    strays: Strays<'a>,
}

impl<'a> Bench<'a> {
    /// A bench over a run's figures.
    pub fn new(
        timeline: &'a Timeline,
        tally: &'a Tally,
        attachments: &'a Attachments<'a>,
        settings: &'a Settings,
        unread: Unread<'a>,
    ) -> Self {
        Self {
            timeline,
            tally,
            attachments,
            settings,
            unread,
            lifetimes: Lifetimes::of(timeline, attachments),
            strays: Strays::of(timeline, tally),
        }
    }

    /// The verdict of one rule.
    pub fn judge(&self, rule: RuleIndex, uses: &RuleUse) -> Judged {
        let content = &self.timeline.rules[rule.index()];
        let covered = self.attachments.covered(rule);
        let mut judged =
            Judged { verdict: Verdict::Used, confidence: None, doubts: BTreeMap::new(), covered };
        if uses.records + uses.reply_records > 0 {
            return judged;
        }
        if uses.possible_records > 0 {
            judged.verdict = Verdict::PossiblyUsed;
            return judged;
        }
        if self.attachments.interfaces_in_window(&content.group_id).is_empty() {
            judged.verdict = Verdict::Unattached;
            judged.doubt(self.unknown_interfaces(content));
            return judged;
        }
        let (forbidding, weakening) = self.doubts(rule, uses);
        judged.verdict = if forbidding.is_empty() { Verdict::NotSeen } else { Verdict::CannotDecide };
        judged.doubt(forbidding);
        judged.doubt(weakening);
        if judged.verdict == Verdict::NotSeen {
            let reasons: BTreeSet<Reason> = judged.doubts.keys().copied().collect();
            judged.confidence = Some(confidence(&reasons, covered));
        }
        judged
    }

    /// What speaks against "the logs would have shown a use of this rule": reasons that forbid to say so, and reasons
    /// that only take confidence away.
    pub fn doubts(&self, rule: RuleIndex, uses: &RuleUse) -> (Vec<Doubt>, Vec<Doubt>) {
        let content = &self.timeline.rules[rule.index()];
        let interfaces: Vec<&Interface> =
            self.attachments.interfaces_in_window(&content.group_id).into_values().collect();
        let covered = self.attachments.covered(rule);
        let case = Case { rule, content, uses, interfaces: &interfaces, covered };
        let (mut forbidding, mut weakening) = (self.forbidding(&case), Vec::new());
        match loggable::loggable(content, &interfaces, self.attachments, self.timeline) {
            Loggable::Never(why) => forbidding.push(Doubt::NotLoggable { traffic: Extent::All, why }),
            Loggable::Partly(why) => weakening.push(Doubt::NotLoggable { traffic: Extent::Part, why }),
            Loggable::Always => {}
        }
        weakening.extend(self.weakening(&case));
        (forbidding, weakening)
    }

    /// How far to trust what was seen of a rule that was used: that there is nothing more. None: the logs cannot show it.
    pub fn confidence(&self, rule: RuleIndex, uses: &RuleUse) -> Option<Confidence> {
        let (forbidding, weakening) = self.doubts(rule, uses);
        let reasons = weakening.iter().map(Doubt::reason).collect();
        forbidding.is_empty().then(|| confidence(&reasons, self.attachments.covered(rule)))
    }

    /// Whether the rule was not there in some state of the window that could have had it.
    pub fn has_changed(&self, rule: RuleIndex) -> bool {
        self.lifetimes.lacking(rule, &self.timeline.rules[rule.index()]).0 > 0
    }

    /// Whether ACCEPTs on interfaces of no snapshot may be those of the group.
    pub fn has_unknown_interfaces(&self, group: Option<&Group>) -> bool {
        self.strays.near(group).interfaces > 0
    }
}

/// A rule that was not seen, under judgement.
#[derive(Clone, Copy)]
struct Case<'a> {
    rule: RuleIndex,
    content: &'a Rule,
    uses: &'a RuleUse,
    /// Those that carry its group.
    interfaces: &'a [&'a Interface],
    covered: Covered,
}

/// High needs no reason and 99 % covered; one reason is medium; two, or under 90 % covered, low.
fn confidence(reasons: &BTreeSet<Reason>, covered: Covered) -> Confidence {
    let share = covered.share().unwrap_or(0);
    match reasons.len() {
        _ if share < 9_000 || reasons.contains(&Reason::RareByName) => Confidence::Low,
        0 if share >= 9_900 => Confidence::High,
        0 | 1 => Confidence::Medium,
        _ => Confidence::Low,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::findings::reason::REASONS;

    fn covered(hours: u64) -> Covered {
        Covered { attached: 10_000, covered: hours }
    }

    #[test]
    fn how_sure_depends_on_the_number_of_reasons_and_the_covered_share() {
        let (none, one) = (BTreeSet::new(), BTreeSet::from([Reason::Skipdata]));
        let two = BTreeSet::from([Reason::Skipdata, Reason::WindowShort]);
        let cases = [
            (&none, 10_000, Confidence::High),
            (&none, 9_900, Confidence::High),
            (&none, 9_899, Confidence::Medium),
            (&none, 9_000, Confidence::Medium),
            (&none, 8_999, Confidence::Low),
            (&one, 10_000, Confidence::Medium),
            (&one, 9_000, Confidence::Medium),
            (&one, 8_999, Confidence::Low),
            (&two, 10_000, Confidence::Low),
        ];
        for (reasons, hours, expected) in cases {
            assert_eq!(confidence(reasons, covered(hours)), expected, "{reasons:?} {hours}");
        }
        assert_eq!(confidence(&none, Covered::default()), Confidence::Low);
        let rare = BTreeSet::from([Reason::RareByName]);
        assert_eq!(confidence(&rare, covered(10_000)), Confidence::Low);
    }

    proptest! {
        #[test]
        fn no_high_confidence_survives_a_reason(
            reasons in prop::collection::btree_set(prop::sample::select(REASONS.to_vec()), 0..5),
            hours in 0..=10_000_u64,
        ) {
            let sure = confidence(&reasons, covered(hours)) == Confidence::High;
            prop_assert_eq!(sure, reasons.is_empty() && hours >= 9_900);
        }
    }
}
