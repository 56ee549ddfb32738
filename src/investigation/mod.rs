//! `flowaudit investigate`: what one address, interface, group or port did, in order of time.
//!
//! ```text
//! records asked for ─▶ tally::inquiry ─┬▶ summary: who it is, with whom, how much, by which rules
//!                                      ├▶ conversations: both ways of a connection, who opened it, how long
//!                                      ├▶ patterns: scans, sweeps, refused and then let in, transfers, beacons
//!                                      └▶ follow: one hop further, by reading once more
//! ```

pub(crate) mod bytes;
pub mod conversations;
mod firsts;
pub mod follow;
pub mod patterns;
pub mod report;
pub mod summary;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use ipnet::IpNet;

use crate::cli::Investigate;
use crate::conclude::conclude_with;
use crate::config;
use crate::error::Error;
use crate::export::Place;
use crate::flow::Action;
use crate::ingest::Source;
use crate::progress::Show;
use crate::reading::{
    self, By, Kept, RowGroups, failure, leave_out, refuse_empty_snapshots, refuse_nothing, require_logs,
    require_snapshots,
};
use crate::report::build::Run;
use crate::rules::load::DocumentNote;
use crate::rules::timeline::Timeline;
use crate::state::rolling::News;
use crate::state::{Snapshots, Terms};
use crate::tally::inquiry::Sought;
use follow::Known;
use patterns::Thresholds;
use report::Investigation;

/// What a question is asked of.
struct Asked<'a> {
    arguments: &'a Investigate,
    terms: Terms,
    documents: BTreeSet<DocumentNote>,
    timeline: Timeline,
}

const FOLLOWS: &str = "--follow reads the logs twice, which standard input cannot be: give files or folders";

/// Investigates, on the threads of the pool it is called in.
///
/// # Errors
/// A missing input, a broken snapshot, no log that could be read, or nothing to look for.
pub fn investigate(arguments: &Investigate) -> Result<Investigation, Error> {
    let input = &arguments.input;
    let sought = sought(arguments)?;
    require_logs(input, "investigate")?;
    require_snapshots(input)?;
    let export = reading::export(arguments.export.as_deref(), arguments.output.as_deref())?;
    let terms = reading::terms(input, config::default_settings());
    let snapshots = Snapshots::of(reading::documents(&input.snapshot, &input.access)?);
    refuse_empty_snapshots(input, &snapshots)?;
    let documents = snapshots.documents.clone();
    let asked = Asked { arguments, terms, documents, timeline: snapshots.into_timeline() };
    let thresholds = Thresholds {
        scan_ports: arguments.scan_ports,
        sweep_targets: arguments.sweep_targets,
        large_transfer: arguments.large_transfer,
        beacon_times: arguments.beacon_times,
        new_after: arguments.new_after,
        new_most: arguments.new_most,
    };
    let (mut report, (contacts, left_out), known) = asked.look(&sought, export, |run| {
        let conversations = conversations::conversations(&run.tally.inquiry, &run.tally.slots.names());
        let report = report::report(run, &sought, &conversations, thresholds);
        // Whom to follow is asked only where it is wanted.
        let opened = if arguments.follow { conversations.as_slice() } else { &[] };
        let known: BTreeSet<Known> = opened.iter().map(Known::of).collect();
        (report, follow::contacts(opened), known)
    })?;
    if arguments.follow && !contacts.is_empty() {
        let peers = follow::question(&contacts);
        let further = asked.look(&peers, None, |run| follow::further(run, &contacts, &known))?;
        (report.followed, report.touched) = (Some(further.followed), Some(further.touched));
        (report.followed_until, report.contacts_left_out) = (further.until, left_out);
        report.records_not_read = report.records_not_read.max(further.not_read);
    } else if arguments.follow {
        (report.followed, report.touched) = (Some(Vec::new()), Some(Vec::new()));
    }
    Ok(report)
}

impl Asked<'_> {
    /// Reads the logs with a question, and makes something of the answer.
    fn look<T>(
        &self,
        sought: &Sought,
        export: Option<Place>,
        make: impl FnOnce(&Run<'_>) -> T,
    ) -> Result<T, Error> {
        let Self { arguments, terms, documents, timeline } = self;
        let input = &arguments.input;
        let mut found = reading::find(input)?;
        let files = documents.iter().filter(|document| document.left_aside.is_none());
        let own = files.map(|document| Path::new(&document.file)).chain(arguments.output.as_deref());
        let own = own.chain(arguments.export.as_deref());
        let met = found.sources.len();
        leave_out(&mut found.sources, own);
        let all = found.sources.len();
        if arguments.follow && found.sources.iter().any(Source::is_pipe) {
            return Err(Error::Usage(FOLLOWS.to_owned()));
        }
        let identities = found.sources.iter().map(|_| None).collect();
        let news = News { sources: found.sources, identities };
        let show = if arguments.quiet { Show::Never } else { Show::OnTerminal };
        let row_groups = if arguments.skip_row_groups { RowGroups::Matching } else { RowGroups::All };
        let by = By {
            terms,
            timeline,
            proposed: None,
            sought: Some(sought),
            row_groups,
            export: export.as_ref(),
            show,
        };
        let mut ledger = reading::read(input, by, news, None, Kept::Report)?;
        ledger.failures.extend(found.failures.into_iter().map(failure));
        ledger.left_out = found.left_out;
        refuse_nothing(input, (met, all), &ledger, None)?;
        if let Some(export) = export {
            export.commit()?;
        }
        conclude_with(timeline, documents, ledger, terms, make)
    }
}

fn sought(arguments: &Investigate) -> Result<Sought, Error> {
    let sought = Sought {
        addresses: arguments.address.clone(),
        interfaces: arguments.interface.clone(),
        groups: arguments.group.clone(),
        ports: arguments.port.clone(),
        action: arguments.action.map(Action::from),
    };
    if sought.is_empty() {
        return Err(Error::Usage(
            "investigate: expected what to look for (--address, --interface, --group, --port or --action), found none"
                .to_owned(),
        ));
    }
    Ok(sought)
}

/// An address or a range of addresses.
pub(crate) fn address(text: &str) -> Result<IpNet, String> {
    let expected = || format!("expected an address or a range such as 10.0.0.0/8, found \"{text}\"");
    let net: Result<IpNet, _> = text.parse();
    net.or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)).map_err(|_| expected())
}

/// A port or a range of ports.
pub(crate) fn port(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.trim().parse(), to.trim().parse()) {
        (Ok(from), Ok(to)) if from <= to => Ok(from..=to),
        _ => Err(format!("expected a port or a range such as 8000-8099, found \"{text}\"")),
    }
}
