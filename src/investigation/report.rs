//! An investigation as a value: what `investigate --format json` writes, key by key.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde::Serialize;

use super::conversations::{Conversation, Opener};
use super::firsts::firsts;
use super::follow::{Followed, Touched};
use super::patterns::{Thresholds, cut_off, patterns};
use super::summary::{Summary, summary};
use crate::attribution::Basis;
use crate::findings::attachment::Attachments;
use crate::findings::{self, Finding};
use crate::flow::{Action, Seconds};
use crate::report::build::{Run, coverage};
use crate::report::rows::text;
use crate::report::{Coverage, Generator, Window};
use crate::rules::{Rule, RuleIndex};
use crate::tally::inquiry::Sought;

/// The whole answer.
#[derive(Debug, Clone, Serialize)]
pub struct Investigation {
    /// `1`.
    pub schema_version: &'static str,
    /// Who wrote it.
    pub generator: Generator,
    /// Of all traffic records read.
    pub window: Window,
    /// What was asked for.
    pub sought: Question,
    /// Over all records asked for.
    pub summary: Summary,
    /// What conversations show together, worst first.
    pub findings: Vec<Finding>,
    /// In order of time.
    pub conversations: Vec<ConversationRow>,
    /// From this time on not all conversations are kept, for there are too many: ask for less. Null: all there are.
    pub conversations_until: Option<String>,
    /// Who else spoke with those in contact, afterwards, on the same port (`--follow`). Null: not asked for.
    pub followed: Option<Vec<Followed>>,
    /// What else those in contact went for (`--follow`). Null: not asked for.
    pub touched: Option<Vec<Touched>>,
    /// From this time on not all of what those in contact did was looked at. Null: all of it was.
    pub followed_until: Option<String>,
    /// Contacts that were not followed, for there are too many: the later ones.
    pub contacts_left_out: u64,
    /// Records in row groups that cannot hold what is asked for, which were not read (`--skip-row-groups`): who opened a
    /// connection, what counts twice, what is new and the coverage are told by the others. Of two readings (`--follow`), the
    /// larger number.
    pub records_not_read: u64,
    /// What was read, and what was not.
    pub coverage: Coverage,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    /// Addresses of either end.
    pub addresses: Vec<String>,
    /// Interfaces.
    pub interfaces: Vec<String>,
    /// Groups of the interface.
    pub groups: Vec<String>,
    /// Ports of either end, first and last.
    pub ports: Vec<[u16; 2]>,
    /// `accept` or `reject`.
    pub action: Option<&'static str>,
}

/// A conversation. There are many, so that what they have in common is there once, and is put into words when it is written.
#[derive(Debug, Clone, Serialize)]
pub struct ConversationRow {
    /// As RFC 3339.
    #[serde(serialize_with = "written::time")]
    pub first_seen: Option<Seconds>,
    /// As RFC 3339.
    #[serde(serialize_with = "written::time")]
    pub last_seen: Option<Seconds>,
    /// From first to last.
    pub duration_seconds: Option<i64>,
    /// Interface id.
    #[serde(serialize_with = "written::text")]
    pub interface_id: Arc<str>,
    /// As name or number.
    #[serde(serialize_with = "written::protocol")]
    pub protocol: u8,
    /// The interface's address.
    pub address: IpAddr,
    /// Its port.
    pub local_port: u16,
    /// The far side.
    pub peer: IpAddr,
    /// Its port.
    pub peer_port: u16,
    /// `peer` or `interface`; null where nothing tells.
    pub opened_by: Option<Opener>,
    /// Records let through.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
    /// To the interface.
    pub packets_in: u64,
    /// To the interface.
    pub bytes_in: u64,
    /// From the interface.
    pub packets_out: u64,
    /// From the interface.
    pub bytes_out: u64,
    /// TCP flags of all its records, put together.
    pub tcp_flags: u8,
    /// What told who opened it.
    pub basis: BTreeSet<Basis>,
    /// Rules that let it through, or may have.
    #[serde(serialize_with = "written::texts")]
    pub rules: Vec<Arc<str>>,
    /// Why it was refused.
    pub causes: Vec<&'static str>,
}

/// How values are written.
mod written {
    use std::sync::Arc;

    use serde::Serializer;

    use crate::flow::{Seconds, protocol_name};
    use crate::time;

    #[expect(clippy::ref_option, reason = "as serde hands it over")]
    pub(super) fn time<S: Serializer>(time: &Option<Seconds>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&time::format(*time)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn text<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde hands it over")]
    pub(super) fn protocol<S: Serializer>(protocol: &u8, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&protocol_name(*protocol))
    }

    pub(super) fn texts<S: Serializer>(texts: &[Arc<str>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(texts.iter().map(AsRef::<str>::as_ref))
    }
}

/// Makes the answer.
pub fn report(
    run: &Run<'_>,
    sought: &Sought,
    conversations: &[Conversation<'_>],
    thresholds: Thresholds,
) -> Investigation {
    let attachments = Attachments::of(run.timeline, run.tally);
    let found = || {
        rayon::join(
            || patterns(conversations, thresholds),
            || firsts(run.tally, sought, conversations, thresholds),
        )
    };
    let told = || {
        let names = Names::of(run);
        let rows = || conversations.par_iter().map(|conversation| row(run, &names, conversation)).collect();
        rayon::join(|| summary(run, sought, conversations), rows)
    };
    let ((mut findings, firsts), (summary, rows)) = rayon::join(found, told);
    findings.extend(firsts);
    let cut = run.tally.inquiry.cut();
    findings.extend(cut.map(cut_off));
    findings::sort(&mut findings);
    Investigation {
        schema_version: "1",
        generator: Generator::OURS,
        window: Window::of(run.tally.window),
        sought: question(sought),
        summary,
        findings,
        conversations: rows,
        conversations_until: text(cut),
        followed: None,
        touched: None,
        followed_until: None,
        contacts_left_out: 0,
        records_not_read: run.tally.inquiry.unread,
        coverage: coverage(run, &attachments),
    }
}

fn question(sought: &Sought) -> Question {
    Question {
        addresses: sought.addresses.iter().map(ToString::to_string).collect(),
        interfaces: sought.interfaces.clone(),
        groups: sought.groups.clone(),
        ports: sought.ports.iter().map(|ports| [*ports.start(), *ports.end()]).collect(),
        action: sought.action.map(|action| match action {
            Action::Accept => "accept",
            Action::Reject => "reject",
        }),
    }
}

/// The names of interfaces and rules, each once: many conversations have the same ones.
pub(super) struct Names<'a> {
    interfaces: Vec<Arc<str>>,
    rules: &'a [Rule],
    keys: Vec<OnceLock<Arc<str>>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(run: &Run<'a>) -> Self {
        let rules = run.timeline.rules.as_slice();
        Self {
            interfaces: run.tally.slots.names().into_iter().map(Arc::from).collect(),
            rules,
            keys: rules.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    fn interface(&self, slot: u32) -> Arc<str> {
        self.interfaces.get(slot as usize).map_or_else(|| Arc::from(""), Arc::clone)
    }

    fn rule(&self, rule: RuleIndex) -> Arc<str> {
        let key = self.keys[rule.index()].get_or_init(|| self.rules[rule.index()].key().into());
        Arc::clone(key)
    }
}

pub(super) fn row(run: &Run<'_>, names: &Names<'_>, it: &Conversation<'_>) -> ConversationRow {
    let connection = &it.connection;
    let (first, last) = (it.first(), it.last());
    ConversationRow {
        first_seen: first,
        last_seen: last,
        duration_seconds: first.zip(last).map(|(first, last)| last.saturating_sub(first)),
        interface_id: names.interface(connection.interface),
        protocol: connection.protocol,
        address: connection.address,
        local_port: connection.local_port,
        peer: connection.peer,
        peer_port: connection.peer_port,
        opened_by: it.opened_by,
        accepted: it.accepted(),
        rejected: it.piece.rejected,
        packets_in: it.piece.ingress.packets,
        bytes_in: it.piece.ingress.bytes,
        packets_out: it.piece.egress.packets,
        bytes_out: it.piece.egress.bytes,
        tcp_flags: it.piece.tcp_flags,
        basis: it.bases(),
        rules: it.rules(&run.tally.sets).into_iter().map(|rule| names.rule(rule)).collect(),
        causes: it.causes().iter().map(|cause| cause.as_str()).collect(),
    }
}
