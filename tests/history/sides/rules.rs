//! Rules that are authorized, revoked and modified.

use super::{Case, LAN, OPEN, SHUT, Source, T, eni_a, ids, sg_a};
use crate::events::{self, Traffic, egress, ingress};
use crate::fixture::{Object, interface};

fn without() -> Vec<Object> {
    vec![sg_a(), eni_a()]
}

fn with() -> Vec<Object> {
    vec![sg_a().ingress("tcp", 443, 443, LAN), eni_a()]
}

#[test]
fn authorized_ingress() {
    let web = ingress(443, LAN);
    // Host bits are written as they were asked for, and mean the same.
    let host_bits = ingress(443, "10.0.0.77/24");
    Case::new("authorize ingress", without(), with())
        .call(vec![events::authorize_nested(T, "sg-a", web)])
        .call(vec![events::authorize(T, "sg-a", &[("sgr-1", web)])])
        .call(vec![events::flat(T, "Authorize", "sg-a", web)])
        .call(vec![events::flat(T, "Authorize", "sg-a", host_bits)])
        .check();
}

#[test]
fn authorized_egress() {
    let key = "sg-a:egress:tcp:443-443:10.0.0.0/24; not_security_group";
    let perhaps = "perhaps sg-a:egress:tcp:443-443:10.0.0.0/24; security_group";
    let web = egress(443, LAN);
    Case::new("authorize egress", without(), vec![sg_a().egress("tcp", 443, 443, LAN), eni_a()])
        .call(vec![events::authorize_nested(T, "sg-a", web)])
        .call(vec![events::authorize(T, "sg-a", &[("sgr-1", web)])])
        .call(vec![events::flat(T, "Authorize", "sg-a", web)])
        .flow("eni-a 10.0.0.5 10.0.0.9 40000 443 6")
        .expect(perhaps, key)
        .check();
}

#[test]
fn every_peer_and_protocol() {
    let cases = [
        (Traffic { protocol: "-1", from: -1, to: -1, ..ingress(0, LAN) }, "-1:-1--1:10.0.0.0/24"),
        (Traffic { to: 500, ..ingress(400, LAN) }, "tcp:400-500:10.0.0.0/24"),
        (ingress(443, "sg-a"), "tcp:443-443:sg-a"),
    ];
    for (of, key) in cases {
        let peer = interface("eni-z", "10.0.0.9", &["sg-a"]);
        let before = vec![sg_a(), eni_a(), peer.clone()];
        let after = vec![sg_a().ingress(of.protocol, of.from, of.to, of.peer), eni_a(), peer];
        let (open, shut) = (
            format!("sg-a:ingress:{key}; not_security_group"),
            format!("perhaps sg-a:ingress:{key}; security_group"),
        );
        Case::new("authorize", before, after)
            .call(vec![events::authorize_nested(T, "sg-a", of)])
            .call(vec![events::authorize(T, "sg-a", &[("sgr-1", of)])])
            .expect(shut.leak(), open.leak())
            .check();
    }
}

#[test]
fn revoked_ingress() {
    let web = ingress(443, LAN);
    Case::new("revoke ingress", with(), without())
        .call(vec![events::revoke_nested(T, "sg-a", web)])
        .call(vec![events::revoke(T, "sg-a", &[("sgr-1", web)])])
        .call(vec![events::flat(T, "Revoke", "sg-a", web)])
        .expect(OPEN, SHUT)
        .check();
}

#[test]
fn revoked_by_id_alone() {
    let web = ingress(443, LAN);
    let mut before = with();
    before.extend(ids(&[("sg-a", "sgr-1", web), ("sg-a", "sgr-2", ingress(22, "10.0.0.0/8"))]));
    let mut after = without();
    after.extend(ids(&[("sg-a", "sgr-2", ingress(22, "10.0.0.0/8"))]));
    Case::new("revoke by id", before, after)
        .call(vec![events::revoke_ids(T, "sg-a", false, &["sgr-1"])])
        .expect(OPEN, SHUT)
        // Nobody says what it was, so nothing is said of the group.
        .but(Source::Backwards, "unknown_group; unknown_group", "unexplained; security_group")
        .check();
}

#[test]
fn revoked_egress() {
    let before = vec![sg_a().egress("tcp", 443, 443, LAN), eni_a()];
    let web = egress(443, LAN);
    Case::new("revoke egress", before, without())
        .call(vec![events::revoke_nested(T, "sg-a", web)])
        .call(vec![events::revoke(T, "sg-a", &[("sgr-1", web)])])
        .call(vec![events::flat(T, "Revoke", "sg-a", web)])
        .flow("eni-a 10.0.0.5 10.0.0.9 40000 443 6")
        .expect(
            "sg-a:egress:tcp:443-443:10.0.0.0/24; not_security_group",
            "perhaps sg-a:egress:tcp:443-443:10.0.0.0/24; security_group",
        )
        .check();
}

#[test]
fn modified() {
    let (web, alternative) = (ingress(443, LAN), ingress(8443, LAN));
    let with_ids = |mut objects: Vec<Object>, of| {
        objects.extend(ids(&[("sg-a", "sgr-1", of), ("sg-a", "sgr-2", ingress(22, "10.0.0.0/8"))]));
        objects
    };
    let before = with_ids(vec![sg_a().ingress("tcp", 8443, 8443, LAN), eni_a()], alternative);
    let after = with_ids(with(), web);
    Case::new("modify", before.clone(), after.clone())
        .call(vec![events::modify(T, "sg-a", "sgr-1", web)])
        .but(Source::Backwards, "unknown_group; unknown_group", OPEN)
        .check();
    // The old content is not in force any more.
    Case::new("modify away", after.clone(), before.clone())
        .call(vec![events::modify(T, "sg-a", "sgr-1", alternative)])
        .expect(OPEN, SHUT)
        .but(Source::Backwards, "unknown_group; unknown_group", "unexplained; security_group")
        .check();
    // Somebody tells what it was: the call that made it.
    let made = events::authorize(T - 60, "sg-a", &[("sgr-1", alternative)]);
    Case::new("modify what was authorized", before, after)
        .call(vec![made, events::modify(T, "sg-a", "sgr-1", web)])
        .check();
}

#[test]
fn one_of_several_rules() {
    let (web, other) = (ingress(443, LAN), ingress(80, LAN));
    Case::new("authorize two", without(), vec![with()[0].clone().ingress("tcp", 80, 80, LAN), eni_a()])
        .call(vec![events::authorize(T, "sg-a", &[("sgr-1", web), ("sgr-2", other)])])
        .check();
    let both = vec![with()[0].clone().ingress("tcp", 80, 80, LAN), eni_a()];
    Case::new("revoke the other", both, with())
        .call(vec![events::revoke(T, "sg-a", &[("sgr-2", other)])])
        .expect(OPEN, OPEN)
        .check();
}
