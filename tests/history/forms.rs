//! One course of changes, told in every form: what is said of any time is true, and all that can be known is said.

use std::path::Path;

use flowaudit::rules::load;
use flowaudit::rules::timeline::Timeline;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::Dice;
use crate::course::{Course, Kinds};
use crate::events;
use crate::fixture::{HOUR, T0, documents, gzip};
use crate::items;
use crate::world::{View, World};

/// Documents on disk, and what `--snapshot` is given.
pub(crate) struct Documents {
    folder: TempDir,
    arguments: Vec<String>,
}

impl Documents {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), arguments: Vec::new() }
    }

    fn place(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.place(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn argue(&mut self, time: Option<i64>, path: &Path) {
        let time = time.map(|time| format!("{}=", flowaudit::time::format(time))).unwrap_or_default();
        self.arguments.push(format!("{time}{}", path.display()));
    }

    /// The account as it was then, as describe-* answers.
    pub(crate) fn snapshot(&mut self, at: i64, world: &World) {
        let name = format!("s{}", self.arguments.len());
        // Of what there is none, there is an empty answer.
        let mut answers = documents(&world.objects());
        for kind in ["SecurityGroups", "SecurityGroupRules", "NetworkInterfaces"] {
            answers.entry(kind).or_insert_with(|| json!({ kind: [] }));
        }
        for (kind, document) in answers {
            self.write(&format!("{name}/{kind}.json"), document.to_string());
        }
        self.argue(Some(at), &self.place(&name));
    }

    /// Events in any order, in files of every form.
    pub(crate) fn trail(&mut self, dice: &mut Dice, events: &[Value]) {
        let events = shuffled(dice, events);
        let name = format!("t{}", self.arguments.len());
        std::fs::create_dir_all(self.place(&name)).unwrap();
        let mut rest = events.as_slice();
        while let Some(most) = Some(rest.len()).filter(|most| *most > 0) {
            let (now, later) = rest.split_at(1 + dice.below(most));
            // A file may hold what another one holds already.
            let now = if dice.chance(20) { &events } else { now };
            let file = format!("{name}/{}", rest.len());
            match dice.below(5) {
                0 => self.write(&format!("{file}.json.gz"), events::packed(now)),
                1 => self.write(&format!("{file}.json"), json!(now).to_string()),
                2 => {
                    let bridged =
                        |event| json!({ "detail-type": "AWS API Call via CloudTrail", "detail": event });
                    let lines = now.iter().map(|event| bridged(event).to_string() + "\n");
                    self.write(&format!("{file}.json.gz"), gzip(lines.collect::<String>().as_bytes()));
                }
                3 => {
                    let found = now.iter().map(|event| json!({ "CloudTrailEvent": event.to_string() }));
                    self.write(
                        &format!("{file}.json"),
                        json!({ "Events": found.collect::<Vec<_>>() }).to_string(),
                    );
                }
                _ => self.write(&format!("{file}.json"), events::records(now)),
            }
            rest = later;
        }
        self.argue(None, &self.place(&name));
    }

    /// AWS Config items of the whole course, in any order, in some files.
    pub(crate) fn items(&mut self, dice: &mut Dice, course: &Course) {
        let name = format!("c{}", self.arguments.len());
        let resources = |world: &World| items::resources(&world.objects());
        let mut told: Vec<Value> = Vec::new();
        for object in resources(&course.worlds[0].1) {
            let status = dice.pick(&["OK", "ResourceDiscovered"]);
            told.push(items::told(T0, status, &object));
        }
        for pair in course.worlds.windows(2) {
            let [(_, before), (at, after)] = pair else { unreachable!("windows of two") };
            told.extend(items::changed(*at, &resources(before), &resources(after)));
        }
        for (number, part) in shuffled(dice, &told).chunks(7).enumerate() {
            self.write(&format!("{name}/{number}.json.gz"), gzip(items::file(part).as_bytes()));
        }
        self.argue(None, &self.place(&name));
    }

    pub(crate) fn timeline(&self, dice: &mut Dice) -> Timeline {
        let loaded = load::load(&shuffled(dice, &self.arguments)).unwrap();
        for note in &loaded.documents {
            assert_eq!((&note.left_aside, &note.missed), (&None, &None), "{}", note.file);
        }
        let timeline = Timeline::with_changes(loaded.snapshots, &loaded.trail);
        assert!(timeline.states.is_sorted_by(|a, b| a.from < b.from));
        timeline
    }
}

fn shuffled<T: Clone>(dice: &mut Dice, all: &[T]) -> Vec<T> {
    let mut rest = all.to_vec();
    let mut dealt = Vec::new();
    while !rest.is_empty() {
        dealt.push(rest.swap_remove(dice.below(rest.len())));
    }
    dealt
}

/// Nothing that is said is false.
pub(crate) fn is_true(form: &str, timeline: &Timeline, course: &Course) -> Result<(), TestCaseError> {
    for at in course.times() {
        if let Some(said) = View::at(timeline, at) {
            let checked = said.is_part_of(&course.at(at).view());
            prop_assert!(checked.is_ok(), "{form}, at {}: {}", at - T0, checked.unwrap_err());
        }
    }
    Ok(())
}

/// Everything is said from a time on.
pub(crate) fn is_whole(
    form: &str,
    since: i64,
    timeline: &Timeline,
    course: &Course,
) -> Result<(), TestCaseError> {
    for at in course.times().range(since..) {
        let said = View::at(timeline, *at);
        prop_assert_eq!(said, Some(course.at(*at).view()), "{}, at {}", form, at - T0);
    }
    Ok(())
}

/// A snapshot taken at the time of a change may or may not show it.
fn shown(dice: &mut Dice, course: &Course, number: usize) -> (i64, World) {
    let at = course.worlds[number].0;
    let in_that_second = course.worlds.iter().filter(|(from, _)| *from == at);
    let worlds: Vec<&World> =
        std::iter::once(course.at(at - 1)).chain(in_that_second.map(|(_, world)| world)).collect();
    let late = i64::try_from(dice.below(3)).unwrap();
    if late == 0 && number > 0 {
        (at, dice.pick(&worlds).clone())
    } else {
        (at + late, course.at(at + late).clone())
    }
}

/// A snapshot of the last time, and one of some time between, each with the whole trail: by name, when it was taken, and
/// what comes of it.
fn shown_late<'a>(
    dice: &'a mut Dice,
    course: &'a Course,
) -> impl Iterator<Item = (&'static str, i64, Timeline)> + 'a {
    let middle = dice.below(course.worlds.len());
    [("last", course.worlds.len() - 1), ("middle", middle)].into_iter().map(move |(form, number)| {
        let mut documents = Documents::new();
        let (at, world) = shown(dice, course, number);
        documents.snapshot(at, &world);
        documents.trail(dice, &begin(course));
        (form, at, documents.timeline(dice))
    })
}

/// A trail says when it began.
fn begin(course: &Course) -> Vec<Value> {
    let mut events = course.events.clone();
    events.push(events::call(T0 - 60, "DescribeInstances", json!({}), Value::Null));
    events
}

fn course() -> impl Strategy<Value = (u64, usize)> {
    (any::<u64>(), 0_usize..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_change_forwards((seed, changes) in course()) {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, changes);

        let mut snapshots = Documents::new();
        // The last of a second is what it came to.
        for at in course.worlds.iter().map(|(at, _)| *at) {
            snapshots.snapshot(at, course.at(at));
        }
        // Several of one time add up; so one of each.
        snapshots.arguments.dedup_by_key(|argument| argument.split('=').next().unwrap().to_owned());
        let timeline = snapshots.timeline(&mut dice);
        for at in course.times().range(T0..) {
            let truth = course.at(*at).view();
            // A list that is not described again stays as it was: an answer holds one.
            let lists_that_are = |mut said: View| {
                said.lists.retain(|id, _| truth.lists.contains_key(id));
                said
            };
            prop_assert_eq!(View::at(&timeline, *at).map(lists_that_are), Some(truth.clone()), "at {}", at - T0);
        }

        let mut first = Documents::new();
        first.snapshot(T0, &course.worlds[0].1);
        first.trail(&mut dice, &begin(&course));
        let timeline = first.timeline(&mut dice);
        is_whole("first", T0, &timeline, &course)?;
        is_true("first", &timeline, &course)?;
        prop_assert_eq!((timeline.unapplied.unknown_resource, timeline.unapplied.unknown_rule), (0, 0));

        let mut config = Documents::new();
        config.items(&mut dice, &course);
        let timeline = config.timeline(&mut dice);
        is_whole("config", T0, &timeline, &course)?;
        is_true("config", &timeline, &course)?;
    }

    #[test]
    fn every_change_backwards((seed, changes) in course()) {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, changes);
        for (form, at, timeline) in shown_late(&mut dice, &course) {
            is_true(form, &timeline, &course)?;
            is_whole(form, at, &timeline, &course)?;
        }
    }

    #[test]
    fn what_can_be_taken_back_is_known_from_the_beginning((seed, changes) in course()) {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::Invertible, changes);
        for (form, at, timeline) in shown_late(&mut dice, &course) {
            is_true(form, &timeline, &course)?;
            // Without a change before it, nothing leads back from a snapshot.
            let is_led_back = course.worlds.iter().skip(1).any(|(from, _)| *from < at);
            is_whole(form, if is_led_back { T0 } else { at }, &timeline, &course)?;
        }
    }

    #[test]
    fn everything_at_once((seed, changes) in course()) {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, changes);
        let mut documents = Documents::new();
        for number in 0..course.worlds.len() {
            if dice.chance(20) {
                let (at, world) = shown(&mut dice, &course, number);
                documents.snapshot(at, &world);
            }
        }
        documents.arguments.sort();
        documents.arguments.dedup_by_key(|argument| argument.split('=').next().unwrap().to_owned());
        if dice.chance(50) {
            documents.items(&mut dice, &course);
        }
        documents.trail(&mut dice, &begin(&course));
        is_true("mixed", &documents.timeline(&mut dice), &course)?;
    }
}

#[test]
fn a_trail_without_a_snapshot_says_only_what_it_made() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let course = Course::random(&mut dice, Kinds::All, 12);
        let mut documents = Documents::new();
        documents.trail(&mut dice, &begin(&course));
        let timeline = documents.timeline(&mut dice);
        is_true("alone", &timeline, &course).unwrap();
        let said = View::at(&timeline, course.end() + HOUR).unwrap_or_default();
        let was_there = &course.worlds[0].1;
        assert!(said.groups.keys().all(|id| !was_there.groups.contains_key(id)), "{seed}");
    }
}
