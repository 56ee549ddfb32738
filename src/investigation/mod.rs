//! `flowaudit investigate`: what one address, interface, group or port did, in order of time.
//!
//! ```text
//! records asked for ─▶ tally::inquiry ─┬▶ summary: who it is, with whom, how much, by which rules
//!                                      ├▶ conversations: both ways of a connection, who opened it, how long
//!                                      └▶ patterns: scans, sweeps, refused and then let in, transfers, beacons
//! ```

pub(crate) mod bytes;
pub mod conversations;
pub mod patterns;
pub mod report;
pub mod summary;

use std::ops::RangeInclusive;
use std::path::Path;

use ipnet::IpNet;

use crate::cli::Investigate;
use crate::conclude::conclude_with;
use crate::config;
use crate::error::Error;
use crate::flow::Action;
use crate::ingest;
use crate::progress::Show;
use crate::reading::{
    self, By, Kept, failure, leave_out, refuse_empty_snapshots, refuse_nothing, require_logs,
    require_snapshots,
};
use crate::rules::load;
use crate::state::rolling::News;
use crate::state::{Snapshots, Terms};
use crate::tally::inquiry::Sought;
use patterns::Thresholds;
use report::Investigation;

/// Investigates, on the threads of the pool it is called in.
///
/// # Errors
/// A missing input, a broken snapshot, no log that could be read, or nothing to look for.
pub fn investigate(arguments: &Investigate) -> Result<Investigation, Error> {
    let input = &arguments.input;
    let sought = sought(arguments)?;
    require_logs(input, "investigate")?;
    require_snapshots(input)?;
    let terms = Terms {
        settings: config::default_settings(),
        since: input.since,
        until: input.until,
        fields: input.fields.clone(),
        flow_logs: input.flow_log.clone(),
    };
    let snapshots = Snapshots::of(load::load(&input.snapshot)?);
    refuse_empty_snapshots(input, &snapshots)?;
    let documents = snapshots.documents.clone();
    let timeline = snapshots.into_timeline();
    let mut found = ingest::find(&input.logs).map_err(|failure| Error::Input(failure.to_string()))?;
    let files = documents.iter().filter(|document| document.left_aside.is_none());
    let own = files.map(|document| Path::new(&document.file)).chain(arguments.output.as_deref());
    let met = found.sources.len();
    leave_out(&mut found.sources, own);
    let all = found.sources.len();
    let identities = found.sources.iter().map(|_| None).collect();
    let news = News { sources: found.sources, identities };
    let show = if arguments.quiet { Show::Never } else { Show::OnTerminal };
    let by = By { terms: &terms, timeline: &timeline, proposed: None, sought: Some(&sought), show };
    let mut ledger = reading::read(input, by, news, None, Kept::Report)?;
    ledger.failures.extend(found.failures.into_iter().map(failure));
    refuse_nothing(input, (met, all), &ledger, None)?;
    let thresholds = Thresholds {
        scan_ports: arguments.scan_ports,
        sweep_targets: arguments.sweep_targets,
        large_transfer: arguments.large_transfer,
        beacon_times: arguments.beacon_times,
    };
    conclude_with(&timeline, &documents, ledger, &terms, |run| report::report(run, &sought, thresholds))
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
