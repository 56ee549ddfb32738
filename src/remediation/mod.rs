//! `--remediation DIR`: commands that change rules, and commands that put everything back as it was. Nothing is executed.
//!
//! ```text
//! rules to take away, ─▶ by group ─┬▶ aws:     revoke / authorize with the permission as JSON
//! rules to put in                  ├▶ alibaba: RevokeSecurityGroup / AuthorizeSecurityGroup with parameters
//!                                  └▶ list:    the same rules as a list, to edit and to replay
//! ```
//!
//! There are two changes, each with files of its own: the removal set, and narrower rules in place of wide ones.
//!
//! Names, descriptions and ids are written by anybody: each value is one quoted word of the shell, and comments are one
//! line each.

mod alibaba;
mod aws;
mod narrow;
mod scripts;
pub(crate) mod shell;

use std::collections::BTreeSet;
use std::fmt::Write;

use hashbrown::{HashMap, HashSet};

use crate::findings::reason::Reason;
use crate::render::text::doubts;
use crate::report::{Report, RuleRow};
use crate::rules::state::{Group, State};
use crate::rules::terraform::Written;
use crate::rules::timeline::{Label, Timeline};
use crate::rules::{Peer, Rule, RuleIndex};
use crate::time;
use scripts::{Scripts, heading};
use shell::Command;

/// Files of the folder, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remediation {
    /// Name and text of each.
    pub files: Vec<(&'static str, String)>,
}

/// Names of the files: what takes rules away, and what makes them narrower.
pub const FILES: [&str; 6] =
    ["apply.sh", "undo.sh", "removal.txt", "narrow.sh", "narrow-undo.sh", "narrow.txt"];

/// What the files of a change begin with.
struct Heads {
    apply: &'static str,
    undo: &'static str,
    list: &'static str,
    /// What to do where Terraform writes the rule.
    instead: &'static str,
}

/// A rule with what is known of it.
struct Subject<'a> {
    rule: &'a Rule,
    label: &'a Label,
    group: &'a Group,
    state: &'a State,
}

/// What is done with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Revoke,
    Authorize,
}

/// Why no command can be given.
type Impossible = &'static str;

const STRANGER: Impossible =
    "the group that it refers to is not in the snapshot, so that its account is not known";

impl Subject<'_> {
    fn command(&self, deed: Deed) -> Result<Command, Impossible> {
        if matches!(self.rule.peer, Peer::BadCidr(_)) {
            return Err("its address range is none");
        }
        if self.group.ecs.is_some() { alibaba::command(self, deed) } else { aws::command(self, deed) }
    }

    /// The account of a group that is referred to, where it is another one. A group of which neither the rule says that nor
    /// the snapshot says anything may be of any.
    fn other_owner(&self, group: &str) -> Result<Option<&str>, Impossible> {
        if let Some(owner) = self.label.peer_owner.as_deref() {
            return Ok(Some(owner));
        }
        let Some(group) = self.state.groups.get(group) else { return Err(STRANGER) };
        let owner = Some(group.owner_id.as_str());
        Ok(owner.filter(|owner| !owner.is_empty() && *owner != self.group.owner_id))
    }
}

/// A rule that is to go.
#[derive(Debug, Clone)]
pub struct Advice {
    /// Which.
    pub rule: RuleIndex,
    /// Why, in a few words; empty where the reader knows.
    pub because: String,
    /// Whether somebody has to be asked first.
    pub ask: Ask,
}

/// Whether somebody has to be asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The command stands there.
    No,
    /// It stands behind a comment mark: its name says that it is for rare events.
    Owner,
}

impl Advice {
    /// What a reviewer has decided.
    pub fn decided(rule: RuleIndex) -> Self {
        Self { rule, because: String::new(), ask: Ask::No }
    }
}

/// A rule that is to be put in.
#[derive(Debug, Clone)]
pub struct Addition {
    /// Its content.
    pub rule: Rule,
    /// Its description and tags.
    pub label: Label,
}

/// What is to be done to rules of one group of the newest state, one thing after the other.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Rules to put in.
    pub added: Vec<Addition>,
    /// Rules to take away then.
    pub removed: Vec<Advice>,
    /// Why it cannot be done just so; then the commands stand behind comment marks.
    pub held: Option<&'static str>,
}

impl Step {
    fn group_id<'s>(&'s self, timeline: &'s Timeline) -> Option<&'s str> {
        let removed = self.removed.first().map(|advice| &timeline.rules[advice.rule.index()]);
        removed.or(self.added.first().map(|it| &it.rule)).map(|rule| rule.group_id.as_str())
    }
}

/// Commands for what a reviewer has decided, group by group. `written`: what Terraform says it writes.
pub fn of_decided(
    timeline: &Timeline,
    removed: &[RuleIndex],
    added: Vec<Addition>,
    written: &[Written],
) -> Remediation {
    let mut steps: Vec<Step> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut place = |steps: &mut Vec<Step>, id: &str| {
        *places.entry(id.to_owned()).or_insert_with(|| {
            steps.push(Step::default());
            steps.len() - 1
        })
    };
    for rule in removed {
        let at = place(&mut steps, &timeline.rules[rule.index()].group_id);
        steps[at].removed.push(Advice::decided(*rule));
    }
    for addition in added {
        let at = place(&mut steps, &addition.rule.group_id);
        steps[at].added.push(addition);
    }
    let texts = commands(timeline, &steps, written, &REMOVING);
    Remediation { files: FILES.into_iter().zip(texts).collect() }
}

/// Commands for what a report advises: to take rules away, and to make others narrower.
pub fn of_report(report: &Report, timeline: &Timeline, written: &[Written]) -> Remediation {
    let removing = advice(report, timeline).into_iter();
    let removing: Vec<Step> = removing.map(|it| Step { removed: vec![it], ..Step::default() }).collect();
    let mut texts = commands(timeline, &removing, written, &REMOVING).to_vec();
    texts.extend(commands(timeline, &narrow::steps(report, timeline), written, &narrow::NARROWING));
    Remediation { files: FILES.into_iter().zip(texts).collect() }
}

/// The group of the first step comes first: the least risk does.
fn by_group<'s>(timeline: &'s Timeline, steps: &'s [Step]) -> Vec<(&'s str, Vec<&'s Step>)> {
    let mut groups: Vec<(&str, Vec<&Step>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for step in steps {
        let Some(id) = step.group_id(timeline) else { continue };
        let at = *places.entry(id).or_insert_with(|| {
            groups.push((id, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(step);
    }
    groups
}

/// What applies a change, what undoes it, and the list of it.
fn commands(timeline: &Timeline, steps: &[Step], written: &[Written], heads: &Heads) -> [String; 3] {
    let nothing = State::default();
    let state = timeline.newest().unwrap_or(&nothing);
    let by_group = by_group(timeline, steps);
    let mut scripts = Scripts {
        apply: String::from(heads.apply),
        undo: String::from(heads.undo),
        list: String::from(heads.list),
        instead: heads.instead,
        written,
    };
    let accounts: BTreeSet<&str> = by_group
        .iter()
        .filter_map(|(id, _)| state.groups.get(*id))
        .filter(|group| group.ecs.is_none() && !group.owner_id.is_empty())
        .map(|group| group.owner_id.as_str())
        .collect();
    if accounts.len() > 1 {
        scripts.both(ACCOUNT.trim_end_matches('\n'));
    }
    for (id, steps) in &by_group {
        let Some(group) = state.groups.get(*id) else { continue };
        for text in [&mut scripts.apply, &mut scripts.undo, &mut scripts.list] {
            heading(text, id, group);
        }
        let guarded = accounts.len() > 1 && accounts.contains(group.owner_id.as_str());
        if guarded {
            let guard = Command::new(&["if", "account"]).value(&group.owner_id);
            scripts.both(&format!("{guard}; then :"));
        }
        for step in steps {
            scripts.step(step, timeline, group, state);
        }
        if guarded {
            scripts.both("fi");
        }
    }
    [scripts.apply, scripts.undo, scripts.list]
}

/// What a report advises: its removal set, with what speaks for and against each rule.
fn advice(report: &Report, timeline: &Timeline) -> Vec<Advice> {
    let rows: HashMap<&str, &RuleRow> = report.rules.iter().map(|row| (row.rule_key.as_str(), row)).collect();
    let wanted: HashSet<&str> = report.removal_set.rules.iter().map(String::as_str).collect();
    let indices = (0..).map(RuleIndex).zip(&timeline.rules).map(|(index, rule)| (rule.key(), index));
    let indices: HashMap<String, RuleIndex> =
        indices.filter(|(key, _)| wanted.contains(key.as_str())).collect();
    let steps = report.removal_set.steps.iter().filter_map(|step| {
        let (rule, row) = (*indices.get(&step.rule_key)?, rows.get(step.rule_key.as_str())?);
        let mut because = step.ground.as_str().replace('_', " ");
        if let Some(confidence) = row.usage.confidence {
            let _ = write!(because, ", {} confidence", confidence.as_str());
        }
        let doubts: Vec<String> = row.usage.evidence.values().map(doubts::words).collect();
        if !doubts.is_empty() {
            let _ = write!(because, "; {}", doubts.join(", "));
        }
        let rare = row.usage.reasons.contains(&Reason::RareByName);
        Some(Advice { rule, because, ask: if rare { Ask::Owner } else { Ask::No } })
    });
    steps.collect()
}

/// The last moment a reviewer reads.
pub fn made_at(remediation: &mut Remediation, now: crate::flow::Seconds) {
    for (_, text) in &mut remediation.files {
        *text = text.replacen("@MADE@", &time::format(now), 1);
    }
}

const REMOVING: Heads =
    Heads { apply: APPLY, undo: UNDO, list: REMOVAL, instead: "take that out of the configuration" };

const APPLY: &str = "#!/bin/sh
# Made by flowaudit on @MADE@. Nothing has been executed. Read every line before you run any.
#
# Connections that are open keep working when a rule goes, as they are tracked until they end: what breaks may show
# days later. Take a few rules at a time, and keep undo.sh at hand.
#
# The first command that fails ends the script.
set -eu
";

/// What stands between is run with the credentials of one account at a time.
const ACCOUNT: &str = "
# The rules are of several accounts: what is not of the account of the present credentials is left out.
present=$(aws sts get-caller-identity --query Account --output text)
account() {
    [ \"$1\" = \"$present\" ] || { echo \"left out: rules of account $1; these are the credentials of $present\" >&2; false; }
}
";

const UNDO: &str = "#!/bin/sh
# Made by flowaudit on @MADE@. Puts back exactly the rules that apply.sh takes away, and takes out what it puts in.
# A rule that comes back has a new id.
#
# A command that fails because the rule is there already does no harm; the others go on.
";

const REMOVAL: &str = "# Made by flowaudit on @MADE@. Take out the lines of rules that are to stay, then see what the rest would do:
#   flowaudit replay LOG... --snapshot PATH --proposed removal.txt
";
