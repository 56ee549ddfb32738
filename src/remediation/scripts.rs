//! The lines of the scripts and of the list, rule by rule.

use std::fmt::Write;

use super::{Addition, Advice, Ask, Deed, Step, Subject};
use crate::render::sanitize::terminal;
use crate::rules::Rule;
use crate::rules::ranked::Standing;
use crate::rules::state::{Group, State};
use crate::rules::terraform::Written;
use crate::rules::timeline::Timeline;

/// The texts of a change in the making.
pub(super) struct Scripts<'a> {
    pub(super) apply: String,
    pub(super) undo: String,
    pub(super) list: String,
    pub(super) instead: &'static str,
    pub(super) written: &'a [Written],
}

impl Scripts<'_> {
    /// A line of either script.
    pub(super) fn both(&mut self, text: &str) {
        line(&mut self.apply, text);
        line(&mut self.undo, text);
    }

    /// What is new is there before the old goes; and what was there before is again, or the new stays.
    pub(super) fn step(&mut self, step: &Step, timeline: &Timeline, group: &Group, state: &State) {
        let is_there = |rule: &Rule| group.rules.iter().any(|own| timeline.rules[own.index()] == *rule);
        if let Some(why) = step.held {
            line(&mut self.apply, &format!("# {why}"));
            line(&mut self.list, &format!("# {why}"));
        }
        let held = if step.held.is_some() { "# " } else { "" };
        for Addition { rule, label } in &step.added {
            if is_there(rule) {
                line(&mut self.apply, &format!("# {}\n# is there already", terminal(&rule.key())));
            } else {
                let subject = Subject { rule, label, group, state };
                comment(&mut self.apply, &subject);
                command(&mut self.apply, &subject, Deed::Authorize, held);
                entry(&mut self.list, &format!("{held}+ "), rule);
            }
        }
        let added: Vec<&Addition> = step.added.iter().filter(|it| !is_there(&it.rule)).collect();
        let swapped = !added.is_empty() && !step.removed.is_empty();
        if swapped {
            line(&mut self.undo, &format!("{held}back=yes"));
        }
        for advice in &step.removed {
            let index = advice.rule.index();
            let (rule, label) = (&timeline.rules[index], &timeline.labels[index]);
            if rule.ranked.as_ref().is_none_or(|ranked| ranked.standing != Standing::Default) {
                let after = if swapped { " || back=no" } else { "" };
                self.remove(&Subject { rule, label, group, state }, advice, (held, after));
            }
        }
        if swapped {
            line(&mut self.undo, &format!("{held}if [ \"$back\" = yes ]; then :"));
        }
        for Addition { rule, label } in added {
            command(&mut self.undo, &Subject { rule, label, group, state }, Deed::Revoke, held);
        }
        if swapped {
            line(&mut self.undo, &format!("{held}else {STAYS}; fi"));
        }
    }

    fn remove(
        &mut self,
        subject: &Subject<'_>,
        Advice { because, ask, .. }: &Advice,
        (held, after): (&str, &str),
    ) {
        comment(&mut self.apply, subject);
        for hint in hints(subject, self.written, self.instead) {
            line(&mut self.apply, &format!("# {hint}"));
        }
        if !because.is_empty() {
            line(&mut self.apply, &format!("# because: {}", terminal(because)));
            line(&mut self.list, &format!("# {}", terminal(because)));
        }
        let held = if *ask == Ask::Owner { "# ask its owner first: " } else { held };
        comment(&mut self.undo, subject);
        command(&mut self.apply, subject, Deed::Revoke, held);
        match subject.command(Deed::Authorize) {
            Ok(command) => line(&mut self.undo, &format!("{held}{command}{after}")),
            Err(why) => {
                line(&mut self.undo, &format!("# no command for this rule: {why}"));
                if !after.is_empty() {
                    line(&mut self.undo, &format!("{held}back=no"));
                }
            }
        }
        entry(&mut self.list, held, subject.rule);
    }
}

/// What an undo says where the old rule is not back for sure.
const STAYS: &str =
    "echo 'what was put in stays: see that the old rule is back, and revoke the new ones by hand' >&2";

fn command(text: &mut String, subject: &Subject<'_>, deed: Deed, held: &str) {
    match subject.command(deed) {
        Ok(command) => line(text, &format!("{held}{command}")),
        Err(why) => line(text, &format!("# no command for this rule: {why}")),
    }
}

/// A key in a list. It may hold what begins a comment, or ends the line: then it cannot stand there.
fn entry(text: &mut String, before: &str, rule: &Rule) {
    let key = rule.key();
    let listed = key == terminal(&key) && !key.contains(" #") && !key.starts_with(['#', '+']);
    if listed {
        line(text, &format!("{before}{key}"));
    } else {
        line(text, "# a rule whose key cannot stand in a list");
    }
}

/// Writing to a String cannot fail.
fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}

pub(super) fn heading(text: &mut String, id: &str, group: &Group) {
    let named = [
        ("name", &group.name),
        ("VPC", &group.vpc_id),
        ("account", &group.owner_id),
        ("region", &group.region),
    ];
    let named = named.iter().filter(|(_, value)| !value.is_empty());
    let named: Vec<String> = named.map(|(what, value)| format!("{what} {}", terminal(value))).collect();
    line(text, &format!("\n# {}: {}", terminal(id), named.join(", ")));
}

fn comment(text: &mut String, subject: &Subject<'_>) {
    let label = subject.label;
    let id = label.rule_id.as_deref().map_or_else(String::new, |id| format!(" ({})", terminal(id)));
    let about = label.description.as_deref().filter(|it| !it.is_empty());
    let about = about.map_or_else(String::new, |about| format!(": {}", terminal(about)));
    line(text, &format!("# {}{id}{about}", terminal(&subject.rule.key())));
}

/// What to edit where Terraform writes the rule: what is revoked by hand, it puts back.
fn hints(subject: &Subject<'_>, written: &[Written], instead: &str) -> Vec<String> {
    let own = written.iter().filter(|it| it.rule.as_ref() == Some(subject.rule));
    let mut hints: Vec<String> = own
        .map(|it| format!("Terraform writes it as {}: {instead} instead", terminal(&it.address)))
        .collect();
    if hints.is_empty() {
        let group = written.iter().filter(|it| it.rule.is_none() && it.group_id == subject.rule.group_id);
        hints.extend(group.map(|it| {
            format!(
                "Terraform writes the group as {}: if the rule is among its inline rules, {instead} instead",
                terminal(&it.address)
            )
        }));
    }
    hints
}
