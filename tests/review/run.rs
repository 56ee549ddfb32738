//! The figures of a run over records in memory.

use std::collections::BTreeMap;

use flowaudit::attribution::index::Index;
use flowaudit::findings::attachment::Attachments;
use flowaudit::findings::ineffective::ineffective;
use flowaudit::findings::ports::{PROFILES, PortProfile};
use flowaudit::findings::redundant::Redundant;
use flowaudit::findings::redundant::proof::Proof;
use flowaudit::findings::removal::Case;
use flowaudit::findings::settings::Settings;
use flowaudit::findings::verdict::{Bench, Confidence, Judged, Unread, Verdict};
use flowaudit::flow::OwnedFlow;
use flowaudit::ingest::Sink;
use flowaudit::rules::RuleIndex;
use flowaudit::rules::timeline::Timeline;
use flowaudit::tally::Tally;
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::selection::Selection;
use flowaudit::tally::usage::RuleUse;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;

/// A settled tally.
pub(crate) fn tally(timeline: &Timeline, flows: &[OwnedFlow]) -> Tally {
    let watch = PortWatch::new(Vec::new()).unwrap();
    let index = Index::build(timeline);
    let (selection, progress) = (Selection::none(false), Progress::default());
    let brief = Brief {
        timeline,
        index: &index,
        watch: &watch,
        window: Window::ALL,
        selection: &selection,
        services: Services::WhereNeeded,
        progress: &progress,
        proposed: None,
        asking: None,
    };
    let mut counter = Counter::new(&brief);
    for flow in flows {
        counter.flow(&flow.borrow());
    }
    let mut tally = counter.finish();
    tally.settle();
    tally
}

/// What a removal set is found from.
pub(crate) fn with_case<T>(timeline: &Timeline, tally: &Tally, work: impl FnOnce(&Case<'_>) -> T) -> T {
    let watch = PortWatch::new(Vec::new()).unwrap();
    let uses: Vec<RuleUse> = tally.rule_uses(&timeline.rules, &watch);
    let attachments = Attachments::of(timeline, tally);
    let profile = PortProfile::named(PROFILES[0]).unwrap();
    let settings = Settings::new(86_400, &["dr"], profile);
    let bench = Bench::new(timeline, tally, &attachments, &settings, Unread::default());
    let judge = |(at, uses)| bench.judge(RuleIndex(u32::try_from(at).unwrap()), uses);
    let mut judged: Vec<Judged> = uses.iter().enumerate().map(judge).collect();
    // Such short logs could hardly show anything: as if they could, so that there is something to choose from.
    for judged in judged.iter_mut().filter(|judged| judged.verdict == Verdict::CannotDecide) {
        (judged.verdict, judged.confidence) = (Verdict::NotSeen, Some(Confidence::High));
    }
    let ineffective: BTreeMap<_, _> = ineffective(timeline);
    let redundant = Redundant::of(timeline, &uses, &ineffective);
    let proof = Proof::of(timeline, &uses);
    work(&Case {
        timeline,
        tally,
        uses: &uses,
        judged: &judged,
        bench: &bench,
        attachments: &attachments,
        ineffective: &ineffective,
        redundant: &redundant,
        proof: &proof,
    })
}
