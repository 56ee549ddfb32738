//! Closed sets as the words that a state has for them, and interface ids as text.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::attribution::judge::Role;
use crate::attribution::{Basis, Cause, Drift};
use crate::flow::Direction;
use crate::flow::field::FIELDS;
use crate::ingest::RowFault;
use crate::tally::tracks::seen::Answer;
use crate::tally::waiting::End;

/// A closed set, each member with its word.
pub(super) trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(member, _)| *member == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(member, _)| *member)
    }
}

impl Words for Direction {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Ingress, "ingress"), (Self::Egress, "egress")];
}

impl Words for Role {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Forward, "forward"), (Self::Reply, "reply"), (Self::Undecided, "undecided")];
}

impl Words for End {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Local, "local"), (Self::Remote, "remote")];
}

impl Words for Answer {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::HitInternal, "hit_internal"),
        (Self::HitInternet, "hit_internet"),
        (Self::UsedInternal, "used_internal"),
        (Self::UsedInternet, "used_internet"),
    ];
}

impl Words for Basis {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::TcpFlags, "tcp_flags"),
        (Self::Contradicted, "contradicted"),
        (Self::Rules, "rules"),
        (Self::RulePorts, "rule_ports"),
        (Self::LowPort, "low_port"),
        (Self::KnownService, "known_service"),
        (Self::FanIn, "fan_in"),
        (Self::Ambiguous, "ambiguous"),
    ];
}

impl Words for Drift {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::StaleInterface, "stale_interface"),
        (Self::UnresolvedReference, "unresolved_reference"),
        (Self::TrackedConnection, "tracked_connection"),
        (Self::NewConnection, "new_connection"),
        (Self::Untold, "untold"),
    ];
}

impl Words for Cause {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Unattributed, "unattributed"),
        (Self::BlockPublicAccess, "block_public_access"),
        (Self::EncryptionControl, "encryption_control"),
        (Self::NetworkAcl, "network_acl"),
        (Self::BlockedReply, "blocked_reply"),
        (Self::LatePacket, "late_packet"),
        (Self::LateReplyOrScan, "late_reply_or_scan"),
        (Self::Undetermined, "undetermined"),
        (Self::UnknownGroup, "unknown_group"),
        (Self::SecurityGroupAndNetworkAcl, "security_group_and_network_acl"),
        (Self::SecurityGroup, "security_group"),
        (Self::NotSecurityGroup, "not_security_group"),
    ];
}

/// The fault of this description.
pub(super) fn fault(text: &str) -> Option<RowFault> {
    let plain = [
        RowFault::TooFewFields,
        RowFault::TooManyFields,
        RowFault::TooLong,
        RowFault::NoMessage,
        RowFault::NotJson,
        RowFault::NoLayout,
    ];
    let of_fields = FIELDS.iter().flat_map(|(field, _)| {
        [
            RowFault::NotANumber(*field),
            RowFault::NotAnAddress(*field),
            RowFault::UnknownWord(*field),
            RowFault::NoValue(*field),
        ]
    });
    plain.into_iter().chain(of_fields).find(|fault| fault.to_string() == text)
}

/// Bytes as pairs of digits, each behind a mark.
pub(super) fn hex(bytes: &[u8], mark: &str) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{mark}{byte:02x}");
        text
    })
}

/// An interface id as text. AWS gives plain ones; what else a log may hold is written byte by byte.
pub(super) fn id_text(id: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(id) {
        Ok(text) if !text.contains('\\') => text.into(),
        _ => hex(id, "\\").into(),
    }
}

/// The interface id of a text. None: no id is written so.
pub(super) fn id_bytes(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains('\\') {
        return Some(text.as_bytes().into());
    }
    let bytes = text.split('\\').skip(1).map(|byte| match byte.len() {
        2 => u8::from_str_radix(byte, 16).ok(),
        _ => None,
    });
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    (id_text(&bytes) == text).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{BASES, DRIFTS};
    use crate::flow::Field;

    #[test]
    fn every_member_has_a_word_of_its_own() {
        fn check<T: Words + std::fmt::Debug>() {
            for (member, word) in T::WORDS {
                assert_eq!((<T as Words>::of(word), member.word()), (Some(*member), *word));
            }
        }
        check::<Direction>();
        check::<Role>();
        check::<End>();
        check::<Answer>();
        check::<Basis>();
        check::<Cause>();
        check::<Drift>();
        assert!(Answer::ALL.iter().all(|answer| !answer.word().is_empty()));
        assert!(BASES.iter().all(|basis| !basis.word().is_empty()));
        assert!(DRIFTS.iter().all(|drift| drift.word() == drift.as_str()));
        assert!(Cause::WORDS.iter().all(|(cause, word)| cause.as_str() == *word));
    }

    #[test]
    fn faults_are_known_by_what_they_say() {
        for expected in
            [RowFault::TooLong, RowFault::NoValue(Field::Srcaddr), RowFault::NotANumber(Field::End)]
        {
            assert_eq!(fault(&expected.to_string()), Some(expected));
        }
        assert_eq!(fault("bytes: too many"), None);
    }

    #[test]
    fn every_interface_id_survives_as_text() {
        for id in [&b"eni-0a1b"[..], b"", b"eni\xff", b"a\\b", "e\u{301}ni".as_bytes()] {
            assert_eq!(id_bytes(&id_text(id)).as_deref(), Some(id), "{id:?}");
        }
        for text in ["\\zz", "a\\61", "\\61", "\\6"] {
            assert_eq!(id_bytes(text), None, "{text}");
        }
    }
}
