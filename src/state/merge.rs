//! Several states as the one that a run over all their logs would have left, or the reason why that cannot be.

use hashbrown::HashMap;

use super::deliveries::{self, Overlap};
use super::snapshots::{self, Beyond, Contradiction, Snapshots};
use super::{State, Terms};
use crate::error::Error;
use crate::flow::Seconds;
use crate::ledger::{Input, Ledger, Likeness};
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::flow_logs::FlowLogs;
use crate::tally::selection::Selection;
use crate::time;

/// One of the states to be merged.
#[derive(Debug)]
pub struct Part {
    /// What messages call it: its file, or the run.
    pub name: String,
    /// The state.
    pub state: State,
    /// How it came about.
    pub counted: Counted,
}

/// What a part knew of the others when it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nothing: its own snapshots and files.
    Alone,
    /// The snapshots of all, and what the flow logs of all delivered.
    KnowingAll,
}

/// A merged state with its states in force.
#[derive(Debug)]
pub struct Merged {
    /// The state.
    pub state: State,
    /// Those of its snapshots.
    pub timeline: Timeline,
}

/// Merges states; the order makes no difference.
///
/// # Errors
/// States of other settings or snapshots, with the same input, or of which one run would have left out other records.
/// The first part, if there is none to merge, is an error of the caller: the answer is then an empty state.
pub fn merge(parts: Vec<Part>) -> Result<Merged, Error> {
    refuse_other_terms(&parts)?;
    refuse_same_inputs(&parts)?;
    let snapshots = union(&parts)?;
    let timeline = snapshots.timeline();
    let mut moved = Vec::new();
    for part in parts {
        moved.push(into_history(part, &snapshots, &timeline)?);
    }
    let flow_logs =
        moved.iter().fold(FlowLogs::default(), |sum, part| sum.union(&part.state.ledger.flow_logs));
    for part in &mut moved {
        let ledger = std::mem::take(&mut part.state.ledger);
        part.state.ledger = ledger.renumbered(&flow_logs);
    }
    refuse_overlaps(&moved, &flow_logs)?;
    let terms = moved.first().map(|part| part.state.terms.clone());
    let mut ledger = Ledger { flow_logs, ..Ledger::default() };
    for part in moved {
        ledger.merge(part.state.ledger);
    }
    let terms = terms.ok_or_else(|| Error::Usage("no state given".to_owned()))?;
    Ok(Merged { state: State { terms, snapshots, ledger }, timeline })
}

fn refusal(part: &Part, message: String) -> Error {
    Error::State { path: part.name.clone(), message }
}

/// Refuses parts that were counted or are judged under other settings.
///
/// # Errors
/// Names the setting and both values.
pub fn refuse_other_terms(parts: &[Part]) -> Result<(), Error> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    for part in rest {
        check_terms(&part.name, &part.state.terms, &first.name, &first.state.terms)?;
    }
    Ok(())
}

/// The same of one pair.
///
/// # Errors
/// Names the setting and both values.
pub fn check_terms(name: &str, terms: &Terms, other: &str, others: &Terms) -> Result<(), Error> {
    let Some(difference) = terms.difference(others) else { return Ok(()) };
    let (option, first, second) = (difference.option, difference.first, difference.second);
    let message = format!(
        "made with other settings than {other}: {option} is {first} here and {second} there; states add up only \
         under the same settings"
    );
    Err(Error::State { path: name.to_owned(), message })
}

fn refuse_same_inputs(parts: &[Part]) -> Result<(), Error> {
    let mut paths: HashMap<&str, (&Part, &Input)> = HashMap::new();
    let mut copies: HashMap<Likeness<'_>, (&Part, &Input)> = HashMap::new();
    for part in parts {
        let files = part.state.ledger.inputs.iter();
        let known = files.filter_map(|input| Some((input, input.identity.as_ref()?)));
        for (input, identity) in known.clone() {
            let same = paths.get(identity.path.as_str()).or_else(|| copies.get(&identity.likeness()));
            if let Some((other, theirs)) = same {
                let copy = if theirs.name == input.name {
                    input.name.clone()
                } else {
                    format!("{} (there {})", input.name, theirs.name)
                };
                return Err(refusal(
                    part,
                    format!("{copy} was counted in {} already; a file counts once", other.name),
                ));
            }
        }
        // Files of one state are different files, whatever they look like.
        for (input, identity) in known {
            paths.insert(identity.path.as_str(), (part, input));
            copies.insert(identity.likeness(), (part, input));
        }
    }
    Ok(())
}

fn union(parts: &[Part]) -> Result<Snapshots, Error> {
    let mut sum = Snapshots::default();
    for part in parts {
        let result = sum.union(part.state.snapshots.clone());
        sum = result.map_err(|Contradiction { at }| contradiction(part, parts, at))?;
    }
    Ok(sum)
}

fn contradiction(part: &Part, parts: &[Part], at: Option<Seconds>) -> Error {
    let mine = part.state.snapshots.by_time.get(&at);
    let other = parts.iter().find(|other| {
        let theirs = other.state.snapshots.by_time.get(&at);
        theirs.is_some() && theirs != mine
    });
    let other = other.map(|other| other.name.as_str()).unwrap_or_default();
    refusal(
        part,
        match at {
            Some(at) => format!(
                "contradictory snapshots for {}: this one and {other} hold different objects for the same time; give \
                 both runs the same snapshot",
                time::format(at)
            ),
            None => format!(
                "contradictory snapshots without a time: this one and {other} hold different objects, each in force \
                 always; say since when with --snapshot TIME=PATH"
            ),
        },
    )
}

/// The part in the history of all: with the rules numbered as in that.
fn into_history(mut part: Part, all: &Snapshots, whole: &Timeline) -> Result<Part, Error> {
    let known = &part.state.snapshots;
    let knows_all = all.beyond(known).next().is_none() && all.trail.watched == known.trail.watched;
    if part.counted == Counted::KnowingAll || knows_all {
        return Ok(part);
    }
    let ledger = &part.state.ledger;
    let judged = ledger.tally.records.accepted + ledger.tally.records.rejected > 0;
    let own = part.state.snapshots.timeline();
    let first = own.states.first().map(|state| state.from);
    // A trail that began earlier may lead further back, without another change.
    if ledger.tally.outcomes.before_first_snapshot > 0
        && let (Some(Some(from)), Some(Some(earlier))) = (first, whole.states.first().map(|state| state.from))
        && earlier < from
    {
        let message = format!(
            "its logs hold records from before {}, of which it knew nothing, and another state knows the rules since {}; \
             they must be read again, with all snapshots",
            time::format(from),
            time::format(earlier)
        );
        return Err(refusal(&part, message));
    }
    let last = last_start(&ledger.tally).max(first.flatten());
    let late = |beyond: &Beyond| match *beyond {
        Beyond::Snapshot(None) => false,
        Beyond::Snapshot(Some(at)) | Beyond::Change(at) => last.is_none_or(|last| at > last),
    };
    if let Some(beyond) = all.beyond(&part.state.snapshots).find(|beyond| judged && !late(beyond)) {
        return Err(refusal(&part, unknown_then(beyond)));
    }
    let otherwise = |at: Option<Seconds>| {
        let at = at.map_or_else(|| "of no time".to_owned(), |at| format!("of {}", time::format(at)));
        format!(
            "the snapshot {at} means something else beside the snapshots of the other states (they tell what it leaves out: \
             the account of a VPC, or the type of a group); its logs must be read again"
        )
    };
    let Some(moved) = snapshots::moved(&own, whole) else {
        // Rules that another snapshot shows to be none: a state that judged nothing by them has nothing of them.
        return if judged { Err(refusal(&part, otherwise(first.flatten()))) } else { Ok(part) };
    };
    if judged && let Some(at) = snapshots::judged_otherwise(&own, whole, &moved) {
        return Err(refusal(&part, otherwise(at)));
    }
    let tally = &mut part.state.ledger.tally;
    tally.sets = std::mem::take(&mut tally.sets).renumbered(&moved);
    let near = std::mem::take(&mut tally.near).into_iter();
    tally.near = near.map(|(rule, records)| (moved[rule.index()], records)).collect();
    Ok(part)
}

/// Why a part cannot get this snapshot or change.
fn unknown_then(beyond: Beyond) -> String {
    let what = match beyond {
        Beyond::Snapshot(Some(at)) => format!("the snapshot of {}", time::format(at)),
        Beyond::Snapshot(None) => "the snapshot without a time".to_owned(),
        Beyond::Change(at) => format!("the change at {}", time::format(at)),
    };
    format!(
        "its logs were judged without {what} and hold records from after that time (or judged before there was any \
         other); they must be read again, with all snapshots"
    )
}

/// The largest start of a record that rules judged.
fn last_start(tally: &Tally) -> Option<Seconds> {
    tally.interfaces.iter().flat_map(|it| it.deliveries.values()).filter_map(|it| it.last_start).max()
}

fn refuse_overlaps(parts: &[Part], flow_logs: &FlowLogs) -> Result<(), Error> {
    let Some(first) = parts.first() else { return Ok(()) };
    let preferred = &first.state.terms.flow_logs;
    let sums = deliveries::sum(parts.iter().map(|part| &part.state.ledger));
    let whole = Selection::of(
        sums.iter().map(|(id, deliveries)| (id.as_ref(), deliveries)),
        &flow_logs.numbers(preferred),
    );
    for part in parts.iter().filter(|part| part.counted == Counted::Alone) {
        let own = part.state.ledger.selection(preferred);
        if let Some(Overlap { interface_id, flow_logs }) =
            deliveries::overlap(&part.state.ledger, &own, &whole)
        {
            let both = flow_logs.join(" and ");
            return Err(refusal(
                part,
                format!(
                    "{interface_id} is delivered by {both} at the same time, and one run over all the logs would count \
                     other records here; read the logs of both in one run, give every run those of the same one, or \
                     say in every run which one counts with --flow-log ID"
                ),
            ));
        }
    }
    Ok(())
}
