//! Pieces of connections → conversations: both ways of a connection put together, with who opened it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;

use rayon::prelude::*;
use serde::Serialize;

use crate::attribution::judge::Role;
use crate::attribution::sets::SetTable;
use crate::attribution::{Basis, Cause};
use crate::flow::{Direction, Seconds};
use crate::rules::RuleIndex;
use crate::tally::inquiry::{Connection, Ending, Inquiry, Piece, is_attempt};

/// A connection that is silent for longer than this (seconds) is another conversation when it goes on.
pub const IDLE: Seconds = 600;

/// Which end opened a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opener {
    /// The far side.
    Peer,
    /// The interface.
    Interface,
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation<'a> {
    /// The connection.
    pub connection: Connection,
    /// Who opened it; None: nothing tells.
    pub opened_by: Option<Opener>,
    /// Its records.
    pub piece: Whole<'a>,
    times: Times,
}

/// The pieces of a conversation, put together. Nearly all have one, which is not copied.
#[derive(Debug, Clone)]
pub enum Whole<'a> {
    /// As it is.
    One(&'a Piece),
    /// The sum of several.
    Several(Box<Piece>),
}

impl Deref for Whole<'_> {
    type Target = Piece;

    fn deref(&self) -> &Piece {
        match self {
            Self::One(piece) => piece,
            Self::Several(sum) => sum,
        }
    }
}

impl Conversation<'_> {
    /// When it began; None: no record has a time.
    pub fn first(&self) -> Option<Seconds> {
        self.times.0
    }

    /// When it ended.
    pub fn last(&self) -> Option<Seconds> {
        self.times.1
    }

    /// Records that were let through.
    pub fn accepted(&self) -> u64 {
        self.piece.records() - self.piece.rejected
    }

    /// Whether the target let the source in. What an interface of ours lets out may still be refused at the other end, so that
    /// there something has to come back.
    pub fn is_let_in(&self) -> bool {
        let back = match self.opened_by {
            Some(Opener::Interface) => self.piece.ingress.records,
            _ => 1,
        };
        self.accepted() > 0 && back > 0
    }

    /// Who opened it, to whom, at which port there. None where nothing tells.
    pub fn attempt(&self) -> Option<Attempt> {
        let Connection { address, local_port, peer, peer_port, .. } = self.connection;
        Some(match self.opened_by? {
            Opener::Peer => Attempt { source: peer, target: address, port: local_port },
            Opener::Interface => Attempt { source: address, target: peer, port: peer_port },
        })
    }

    /// Rules that let some of it through, or may have.
    pub fn rules(&self, sets: &SetTable) -> BTreeSet<RuleIndex> {
        let all = self.piece.endings.kinds().flat_map(Ending::sets);
        all.flat_map(|set| sets.rules(set).iter().copied()).collect()
    }

    /// Records of attempts that were refused.
    pub fn refused(&self) -> u64 {
        let of = |(ending, records): (&Ending, u64)| match ending {
            Ending::Refused(_, cause) if is_attempt(*cause) => records,
            _ => 0,
        };
        self.piece.endings.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Why some of it was refused.
    pub fn causes(&self) -> BTreeSet<Cause> {
        let of = |ending: &Ending| match ending {
            Ending::Refused(_, cause) => Some(*cause),
            _ => None,
        };
        self.piece.endings.kinds().filter_map(of).collect()
    }

    /// What told the roles of what was let through.
    pub fn bases(&self) -> BTreeSet<Basis> {
        let of = |ending: &Ending| match ending {
            Ending::Admitted(_, basis) => *basis,
            _ => None,
        };
        self.piece.endings.kinds().filter_map(of).collect()
    }
}

/// Who opened a conversation, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// Who.
    pub source: IpAddr,
    /// To whom.
    pub target: IpAddr,
    /// The target's port.
    pub port: u16,
}

/// The conversations of the records asked for, by time, and then by connection. `names` are what interface slots are called:
/// their numbers differ from run to run.
pub fn conversations<'a>(inquiry: &'a Inquiry, names: &[String]) -> Vec<Conversation<'a>> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|slot| &names[*slot]);
    let mut places = vec![0; names.len()];
    for (place, slot) in order.into_iter().enumerate() {
        places[slot] = place;
    }
    let place = |interface: u32| places.get(interface as usize).copied().unwrap_or(usize::MAX);
    let pieces: Vec<(&Connection, &'a Piece)> = inquiry.pieces().collect();
    let timed = |(connection, piece): (&Connection, _)| (*connection, times(piece), piece);
    let mut pieces: Vec<Timed<'a>> = pieces.into_par_iter().map(timed).collect();
    pieces.par_sort_unstable_by(|(a, one, _), (b, other, _)| (a, one).cmp(&(b, other)));
    let of_one = pieces.par_chunk_by(|(a, ..), (b, ..)| a == b);
    let key = |it: &Course<'_, '_>| {
        let Connection { protocol, address, local_port, peer, peer_port, interface } = it.connection;
        let (first, last) = it.times;
        (first, address, local_port, peer, peer_port, protocol, place(interface), last)
    };
    // They are put in order first, and put together then.
    let mut courses: Vec<Course<'_, 'a>> = of_one.flat_map_iter(courses).collect();
    // Nearly always the time alone tells.
    courses.par_sort_unstable_by(|a, b| a.times.0.cmp(&b.times.0).then_with(|| key(a).cmp(&key(b))));
    courses.par_iter().map(Course::conversation).collect()
}

type Times = (Option<Seconds>, Option<Seconds>);

/// A piece with its connection and its times.
type Timed<'a> = (Connection, Times, &'a Piece);

fn times(piece: &Piece) -> Times {
    let span = piece.span();
    (span.first(), span.last())
}

/// The pieces of a conversation, and what is told of them together.
struct Course<'p, 'a> {
    connection: Connection,
    times: Times,
    opened_by: Option<Opener>,
    pieces: &'p [Timed<'a>],
}

impl<'a> Course<'_, 'a> {
    fn conversation(&self) -> Conversation<'a> {
        let Self { connection, times, opened_by, pieces } = *self;
        let piece = match pieces {
            [(.., piece)] => Whole::One(piece),
            _ => Whole::Several(Box::new(together(pieces))),
        };
        Conversation { connection, opened_by, piece, times }
    }
}

fn together(pieces: &[Timed<'_>]) -> Piece {
    let mut sum = Piece::default();
    for (.., piece) in pieces {
        sum.merge(piece);
    }
    sum
}

/// The conversations of one connection, whose pieces are in order of time. What came later, and was only refused, belongs to what
/// was open before: it opened nothing itself.
fn courses<'p, 'a>(pieces: &'p [Timed<'a>]) -> impl Iterator<Item = Course<'p, 'a>> + use<'p, 'a> {
    let (mut rest, mut before) = (pieces, None);
    std::iter::from_fn(move || {
        let (&(connection, (mut first, mut last), piece), later) = rest.split_first()?;
        let mut len = 1;
        for (_, next, _) in later {
            if !goes_on(last, next.0) {
                break;
            }
            // Those without a beginning come first.
            (first, last, len) = (first.or(next.0), last.max(next.1), len + 1);
        }
        let (own, later) = rest.split_at(len);
        rest = later;
        let told = |piece: &Piece| {
            let only_refused = piece.rejected == piece.records() && piece.opening == (0, 0);
            (only_refused, opener(piece))
        };
        let (only_refused, own_opener) = if len == 1 { told(piece) } else { told(&together(own)) };
        let opened_by = if only_refused && before.is_some() { before } else { own_opener };
        before = opened_by.or(before);
        Some(Course { connection, times: (first, last), opened_by, pieces: own })
    })
}

/// Whether what begins then is part of what ended at another time.
fn goes_on(last: Option<Seconds>, next: Option<Seconds>) -> bool {
    match (last, next) {
        (Some(last), Some(next)) => next.saturating_sub(last) <= IDLE,
        (None, None) => true,
        _ => false,
    }
}

/// The end that most records show as the one that opened it.
fn opener(piece: &Piece) -> Option<Opener> {
    let (mut peer, mut own) = piece.opening;
    for (ending, records) in piece.endings.iter() {
        let sender = match ending {
            Ending::Admitted(admitted, _) => match (admitted.direction, admitted.role) {
                (Some(Direction::Ingress), Role::Forward) | (Some(Direction::Egress), Role::Reply) => {
                    Some(Opener::Peer)
                }
                (Some(Direction::Egress), Role::Forward) | (Some(Direction::Ingress), Role::Reply) => {
                    Some(Opener::Interface)
                }
                _ => None,
            },
            // What is refused late, or may be a reply, says nothing of who began.
            Ending::Refused(_, cause) if !is_attempt(*cause) => None,
            Ending::Refused(Some(Direction::Ingress), _) => Some(Opener::Peer),
            Ending::Refused(Some(Direction::Egress), _) => Some(Opener::Interface),
            _ => None,
        };
        match sender {
            Some(Opener::Peer) => peer += records,
            Some(Opener::Interface) => own += records,
            None => {}
        }
    }
    match peer.cmp(&own) {
        std::cmp::Ordering::Greater => Some(Opener::Peer),
        std::cmp::Ordering::Less => Some(Opener::Interface),
        std::cmp::Ordering::Equal => None,
    }
}
