//! How records that are asked for ended.

use super::Connection;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;
use crate::attribution::{Basis, Cause, Drift};
use crate::flow::Direction;
use crate::tally::roles::{Roles, Told};

/// What ACCEPTs were let through by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Admitted {
    /// Which way they went.
    pub direction: Option<Direction>,
    /// Which end sent them.
    pub role: Role,
    /// Rules of the forward reading, where it is in question.
    pub forward: SetId,
    /// Rules of the reply reading.
    pub reply: SetId,
}

/// How records ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// Let through by rules; None: a neighbouring snapshot explains it.
    Admitted(Admitted, Option<Basis>),
    /// The whole input tells the role.
    Waiting(Direction, SetId, SetId),
    /// Let through, and no rule explains it.
    Unexplained(Drift),
    /// Let through, and nothing is known of the interface, its groups or the direction.
    Unknown,
    /// Refused, on its way in or out.
    Refused(Option<Direction>, Cause),
}

impl Ending {
    /// How a record of this verdict ended.
    pub(in crate::tally) fn of(direction: Option<Direction>, verdict: Verdict) -> Self {
        let admitted = |role, forward, reply| Admitted { direction, role, forward, reply };
        match verdict {
            Verdict::Decided { role: Role::Reply, set, basis } => {
                Self::Admitted(admitted(Role::Reply, SetId::EMPTY, set), Some(basis))
            }
            Verdict::Decided { role, set, basis } => {
                Self::Admitted(admitted(role, set, SetId::EMPTY), Some(basis))
            }
            Verdict::Undecided { forward, reply, basis } => {
                Self::Admitted(admitted(Role::Undecided, forward, reply), basis)
            }
            Verdict::Waiting { forward, reply } => {
                // Only records with a direction wait.
                Self::Waiting(direction.unwrap_or(Direction::Ingress), forward, reply)
            }
            Verdict::Unexplained(drift) => Self::Unexplained(drift),
            Verdict::Refused(cause) => Self::Refused(direction, cause),
            Verdict::UnknownInterface
            | Verdict::NoGroup
            | Verdict::UnknownDirection
            | Verdict::UnknownGroup => Self::Unknown,
        }
    }

    /// Rules that let the records through, or may have, by either reading.
    pub fn sets(&self) -> [SetId; 2] {
        match self {
            Self::Admitted(admitted, _) => [admitted.forward, admitted.reply],
            Self::Waiting(_, forward, reply) => [*forward, *reply],
            _ => [SetId::EMPTY; 2],
        }
    }
}

/// Whether what was refused so surely was an attempt to open a connection. What comes late, may be a reply, or is allowed by
/// the rules (mostly because the connection was closed) is none for sure.
pub fn is_attempt(cause: Cause) -> bool {
    let others = [Cause::LatePacket, Cause::BlockedReply, Cause::LateReplyOrScan, Cause::NotSecurityGroup];
    !others.contains(&cause)
}

/// How many records ended in which way, ascending. Nearly all pieces have one way or two, so that a list is small and fast.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endings(Vec<(Ending, u64)>);

impl Endings {
    /// Adds to a count.
    pub(super) fn add(&mut self, ending: Ending, records: u64) {
        match self.0.binary_search_by(|(known, _)| known.cmp(&ending)) {
            Ok(at) => self.0[at].1 += records,
            Err(at) => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (ending, records));
            }
        }
    }

    /// The same with other endings in place of these.
    pub(super) fn with(self, other: impl Fn(Ending) -> Ending) -> Self {
        let mut all = Self::default();
        for (ending, records) in self.0 {
            all.add(other(ending), records);
        }
        all
    }

    /// Every ending.
    pub fn kinds(&self) -> impl Iterator<Item = &Ending> {
        self.0.iter().map(|(ending, _)| ending)
    }

    /// Every ending with its records.
    pub fn iter(&self) -> impl Iterator<Item = (&Ending, u64)> {
        self.0.iter().map(|(ending, records)| (ending, *records))
    }
}

pub(super) fn renumbered(ending: Ending, sets: &[SetId]) -> Ending {
    let set = |id: SetId| sets[id.0 as usize];
    match ending {
        Ending::Admitted(admitted, basis) => {
            let (forward, reply) = (set(admitted.forward), set(admitted.reply));
            Ending::Admitted(Admitted { forward, reply, ..admitted }, basis)
        }
        Ending::Waiting(direction, forward, reply) => Ending::Waiting(direction, set(forward), set(reply)),
        other => other,
    }
}

pub(super) fn settled(ending: Ending, connection: &Connection, roles: &Roles) -> Ending {
    let Ending::Waiting(direction, forward, reply) = ending else { return ending };
    let told = Told {
        interface: connection.interface,
        protocol: connection.protocol,
        direction,
        sets: (forward, reply),
    };
    admitted(ending, roles.role(&told, (connection.local_port, connection.peer_port)))
}

/// What waited, in this role; anything else as it is.
pub(super) fn admitted(ending: Ending, role: Role) -> Ending {
    let Ending::Waiting(direction, forward, reply) = ending else { return ending };
    let keep = |set, kept: bool| if kept { set } else { SetId::EMPTY };
    let admitted = Admitted {
        direction: Some(direction),
        role,
        forward: keep(forward, role != Role::Reply),
        reply: keep(reply, role != Role::Forward),
    };
    let basis = if role == Role::Undecided { Basis::Ambiguous } else { Basis::KnownService };
    Ending::Admitted(admitted, Some(basis))
}
