//! At most so many pieces that cover some, at the least over-exposure.
//!
//! Exact where there are few: every way to put them into so many groups is looked at. Where there are more, those two are
//! put together again and again that cost least, until few are left.

use serde::Serialize;

use super::piece::{Piece, union_size};

/// So many are put together in every way that may be the best.
const FEW: usize = 8;
/// More than this are made fewer first, port by port and network by network.
const MANY: usize = 240;

/// Whether no other pieces open less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    Exact,
    Greedy,
}

/// Pieces that cover all of `used`, at most `most` of them (but one at least, where there is any).
///
/// They are sorted; none holds another.
pub(super) fn replacement(used: &[Piece], most: usize, reference: u128) -> (Vec<Piece>, Method) {
    let most = most.max(1);
    let mut pieces = without_doubles(used);
    if pieces.len() > MANY {
        pieces = fewer(&pieces);
    }
    pieces = without_held(pieces);
    let method = if pieces.len() <= FEW && used.len() <= MANY { Method::Exact } else { Method::Greedy };
    if pieces.len() > FEW {
        pieces = merged(pieces, most.max(FEW), reference);
    }
    if pieces.len() > FEW {
        return (without_held(pieces), method);
    }
    (without_held(best(&pieces, most, reference)), method)
}

/// Those that no other one holds.
fn without_held(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_unstable();
    pieces.dedup();
    let held = |piece: &Piece| pieces.iter().any(|other| other != piece && other.holds(piece));
    pieces.iter().filter(|piece| !held(piece)).copied().collect()
}

/// What two cost more together than apart; negative where they overlap.
fn cost(one: &Piece, other: &Piece, reference: u128) -> i128 {
    let size = |piece: &Piece| i128::try_from(piece.size(reference)).unwrap_or(i128::MAX / 4);
    size(&one.hull(other)) - size(one) - size(other)
}

/// Puts together what costs nothing, and then what costs least until so many are left.
fn merged(mut pieces: Vec<Piece>, most: usize, reference: u128) -> Vec<Piece> {
    // By piece: the later one that it costs least to put it together with.
    let nearest = |pieces: &[Piece], at: usize| -> Option<(i128, usize)> {
        let others =
            (at + 1..pieces.len()).map(|other| (cost(&pieces[at], &pieces[other], reference), other));
        others.min()
    };
    let mut near: Vec<Option<(i128, usize)>> = (0..pieces.len()).map(|at| nearest(&pieces, at)).collect();
    loop {
        let least = near
            .iter()
            .enumerate()
            .filter_map(|(at, near)| near.map(|(cost, other)| (cost, at, other)))
            .min();
        let Some((cost, at, other)) = least else { return pieces };
        if pieces.len() <= most && cost > 0 {
            return pieces;
        }
        pieces[at] = pieces[at].hull(&pieces[other]);
        pieces.swap_remove(other);
        near.swap_remove(other);
        // What pointed at either, or at the one that has moved, looks again.
        let moved = pieces.len();
        for place in 0..pieces.len() {
            let stale = near[place].is_none_or(|(_, to)| to == at || to == other || to == moved);
            if stale || place == at || place == other {
                near[place] = nearest(&pieces, place);
            } else if place < at {
                let now = (self::cost(&pieces[place], &pieces[at], reference), at);
                near[place] = near[place].min(Some(now));
            }
        }
    }
}

/// Of all ways to put the pieces into groups, the one that opens least; of equal ones, that of the fewest rules.
fn best(pieces: &[Piece], most: usize, reference: u128) -> Vec<Piece> {
    // What is not worse than this is looked for.
    let known = merged(pieces.to_vec(), most, reference);
    let worth = (union_size(&known, reference), known.len());
    let mut search = Search { pieces, most, reference, found: known, worth };
    search.go(0, &mut Vec::new());
    search.found
}

struct Search<'a> {
    pieces: &'a [Piece],
    most: usize,
    reference: u128,
    found: Vec<Piece>,
    worth: (u128, usize),
}

impl Search<'_> {
    /// Puts the pieces from `at` on into the groups there are, or into new ones.
    fn go(&mut self, at: usize, groups: &mut Vec<Piece>) {
        // Groups only grow.
        let worth = (union_size(groups, self.reference), groups.len());
        if worth >= self.worth {
            return;
        }
        let Some(piece) = self.pieces.get(at) else {
            self.found.clone_from(groups);
            self.worth = worth;
            return;
        };
        for group in 0..groups.len() {
            let before = groups[group];
            groups[group] = before.hull(piece);
            self.go(at + 1, groups);
            groups[group] = before;
        }
        if groups.len() < self.most {
            groups.push(*piece);
            self.go(at + 1, groups);
            groups.pop();
        }
    }
}

/// Makes very many fewer: of each protocol, ports near each other become ranges, and then networks near each other one.
fn fewer(pieces: &[Piece]) -> Vec<Piece> {
    let mut wide: Vec<Piece> = Vec::new();
    for gap in [0_u16, 16, 256, 4_096, u16::MAX] {
        for bits in [0_u8, 4, 8, 16, 32, 128] {
            wide = without_doubles(&coarse(pieces, gap, bits));
            if wide.len() <= MANY {
                return wide;
            }
        }
    }
    wide
}

fn without_doubles(pieces: &[Piece]) -> Vec<Piece> {
    let mut pieces = pieces.to_vec();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// Each with its ports as wide as the range of used ports that they lie in, where gaps up to `gap` do not count, and with its
/// network so many bits wider, but no wider than what holds them all.
fn coarse(pieces: &[Piece], gap: u16, bits: u8) -> Vec<Piece> {
    let mut ranges: Vec<(Option<u8>, (u16, u16))> =
        pieces.iter().map(|piece| (piece.protocol, piece.ports)).collect();
    ranges.sort_unstable();
    ranges.dedup();
    let mut joined: Vec<(Option<u8>, (u16, u16))> = Vec::new();
    for (protocol, (from, to)) in ranges {
        match joined.last_mut() {
            Some((own, (_, last)))
                if *own == protocol && from <= last.saturating_add(gap).saturating_add(1) =>
            {
                *last = to.max(*last);
            }
            _ => joined.push((protocol, (from, to))),
        }
    }
    let all = pieces.iter().copied().reduce(|one, other| one.hull(&other)).and_then(|all| all.peers);
    let widened = |piece: &Piece| {
        let at = joined.partition_point(|(own, (from, _))| (*own, *from) <= (piece.protocol, piece.ports.0));
        let ports = at.checked_sub(1).and_then(|at| joined.get(at)).map_or(piece.ports, |(_, ports)| *ports);
        let peers = piece.peers.zip(all).and_then(|(net, all)| {
            let length = net.prefix_len().saturating_sub(bits).max(all.prefix_len());
            ipnet::IpNet::new(net.addr(), length).ok().map(|net| net.trunc())
        });
        Piece::new(piece.protocol, ports, peers)
    };
    pieces.iter().map(widened).collect()
}

#[cfg(test)]
mod tests {
    use ipnet::{IpNet, Ipv4Net};
    use proptest::prelude::*;

    use super::*;
    use crate::flow::{TCP, UDP};

    prop_compose! {
        fn small()(
            protocol in prop::sample::select(vec![Some(TCP), Some(TCP), Some(TCP), Some(UDP), Some(1)]),
            from in 0_u16..40,
            length in prop::sample::select(vec![0_u16, 0, 0, 3]),
            peer in 0_u32..64,
            bits in prop::sample::select(vec![28_u8, 32, 32]),
        ) -> Piece {
            let net = Ipv4Net::new((0x0a00_0000 + peer * 3).into(), bits).unwrap().trunc();
            Piece::new(protocol, (from, from + length), Some(IpNet::V4(net)))
        }
    }

    /// By definition: of all maps of the pieces to so many groups.
    fn least(pieces: &[Piece], most: usize) -> u128 {
        let ways = most.pow(u32::try_from(pieces.len()).unwrap());
        let all = (0..ways).map(|way| {
            let mut groups: Vec<Option<Piece>> = vec![None; most];
            let mut rest = way;
            for piece in pieces {
                let group = &mut groups[rest % most];
                rest /= most;
                *group = Some(group.map_or(*piece, |own| own.hull(piece)));
            }
            union_size(&groups.into_iter().flatten().collect::<Vec<_>>(), 1)
        });
        all.min().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn few_are_replaced_at_the_least_over_exposure(
            used in prop::collection::vec(small(), 0..7),
            most in 1_usize..5,
        ) {
            let (found, method) = replacement(&used, most, 1);
            prop_assert!(found.len() <= most && method == Method::Exact);
            prop_assert_eq!(union_size(&found, 1), least(&used, most));
        }

        #[test]
        fn many_are_covered_by_no_more_than_allowed(
            used in prop::collection::vec(small(), 0..400),
            most in 1_usize..61,
        ) {
            let (found, _) = replacement(&used, most, 1);
            prop_assert!(found.len() <= most && (used.is_empty() == found.is_empty()));
            for piece in &used {
                prop_assert!(found.iter().any(|own| own.holds(piece)), "{:?}", piece);
            }
            // The order in which they are told makes no difference.
            let mut turned = used.clone();
            turned.reverse();
            prop_assert_eq!(replacement(&turned, most, 1).0, found);
        }
    }

    #[test]
    fn ten_thousand_pieces_are_no_trouble() {
        let scattered = (0..10_000_u32).map(|at| {
            let net = Ipv4Net::from(std::net::Ipv4Addr::from(
                0x0a00_0000 + at.wrapping_mul(2_654_435_761) % 0x00ff_ffff,
            ));
            let port = u16::try_from(at * 7 % 65_536).unwrap();
            Piece::new(Some(TCP), (port, port), Some(IpNet::V4(net)))
        });
        let used: Vec<Piece> = scattered.collect();
        let (found, _) = replacement(&used, 5, 1);
        assert!(found.len() <= 5);
        assert!(used.iter().all(|piece| found.iter().any(|own| own.holds(piece))));
    }
}
