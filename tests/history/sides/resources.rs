//! Groups, interfaces, prefix lists and ACLs.

use super::{Case, LAN, OPEN, Source, T, eni_a, eni_b, sg_a};
use crate::events::{self, egress, ingress};
use crate::fixture::{Object, acl, group, interface, prefix_list, subnet};

/// Of eni-a, in these groups.
fn in_groups(groups: &[&str]) -> Object {
    interface("eni-a", "10.0.0.5", groups)
}

fn sg_new() -> Object {
    group("sg-new").ingress("tcp", 443, 443, LAN).egress("-1", -1, -1, "0.0.0.0/0")
}

const NEW: &str = "sg-new:ingress:tcp:443-443:10.0.0.0/24; not_security_group";

/// The packet may also be the reply to one that the group let out.
const PERHAPS_NEW: &str =
    "perhaps sg-new:ingress:tcp:443-443:10.0.0.0/24 + sg-new:egress:-1:-1--1:0.0.0.0/0; security_group";

#[test]
fn a_group_comes() {
    let made = |join| {
        vec![
            events::create_group(T, "sg-new"),
            events::authorize_nested(T, "sg-new", ingress(443, LAN)),
            join,
        ]
    };
    let both = ["sg-a", "sg-new"];
    Case::new("create group", vec![sg_a(), eni_a()], vec![sg_a(), sg_new(), in_groups(&both)])
        .call(made(events::interface_groups(T, "eni-a", &both)))
        .expect(PERHAPS_NEW, NEW)
        // What it was in before nobody says: the next state that says is asked, and it names a group that is not there.
        .but(Source::Backwards, "unknown_group; unknown_group", NEW)
        .check();
    // What it lets out by itself.
    Case::new(
        "a new group lets everything out",
        vec![sg_a(), eni_a()],
        vec![sg_a(), sg_new(), in_groups(&both)],
    )
    .call(made(events::interface_groups(T, "eni-a", &both)))
    .flow("eni-a 10.0.0.5 192.0.2.1 40000 9999 17")
    .expect(
        "perhaps sg-new:egress:-1:-1--1:0.0.0.0/0; security_group",
        "sg-new:egress:-1:-1--1:0.0.0.0/0; not_security_group",
    )
    .but(
        Source::Backwards,
        "unknown_group; unknown_group",
        "sg-new:egress:-1:-1--1:0.0.0.0/0; not_security_group",
    )
    .check();
    let shut_at_once = events::revoke_nested(
        T,
        "sg-new",
        events::Traffic { protocol: "-1", from: -1, to: -1, ..egress(0, "0.0.0.0/0") },
    );
    let bare = group("sg-new").ingress("tcp", 443, 443, LAN);
    let mut calls = made(events::interface_groups(T, "eni-a", &both));
    calls.push(shut_at_once);
    Case::new("unless it is revoked", vec![sg_a(), eni_a()], vec![sg_a(), bare, in_groups(&both)])
        .call(calls)
        .flow("eni-a 10.0.0.5 192.0.2.1 40000 9999 17")
        .expect("unexplained; security_group", "unexplained; security_group")
        .but(Source::Backwards, "unknown_group; unknown_group", "unexplained; security_group")
        .check();
}

#[test]
fn a_group_goes() {
    Case::new("delete group", vec![sg_a(), sg_new(), in_groups(&["sg-a", "sg-new"])], vec![sg_a(), eni_a()])
        .call(vec![events::interface_groups(T, "eni-a", &["sg-a"]), events::delete_group(T, "sg-new")])
        .expect(NEW, PERHAPS_NEW)
        // Neither the group nor that the interface was in it is told by what came after.
        .but(Source::Backwards, "unexplained; security_group", "unexplained; security_group")
        .check();
}

/// sg-a lets the members of sg-b in.
fn lets_members_in() -> Vec<Object> {
    vec![sg_a().ingress("tcp", 443, 443, "sg-b"), group("sg-b"), eni_a()]
}

const MEMBER: &str = "sg-a:ingress:tcp:443-443:sg-b; not_security_group";
const STRANGER: &str = "perhaps sg-a:ingress:tcp:443-443:sg-b; security_group";
const FROM_B: &str = "eni-a 10.0.0.6 10.0.0.5 40000 443 6";

fn with(objects: Vec<Object>, more: Object) -> Vec<Object> {
    [objects, vec![more]].concat()
}

#[test]
fn an_interface_comes() {
    let on_instance = eni_b().with("Attachment", serde_json::json!({ "InstanceId": "i-1" }));
    Case::new("create interface", lets_members_in(), with(lets_members_in(), eni_b()))
        .call(vec![events::create_interface(T, "eni-b", &["10.0.0.6"], &["sg-b"])])
        .flow(FROM_B)
        .expect(STRANGER, MEMBER)
        .check();
    Case::new("run instance", lets_members_in(), with(lets_members_in(), on_instance))
        .call(vec![events::run_instance(T, "i-1", "eni-b", &["10.0.0.6"], &["sg-b"])])
        .flow(FROM_B)
        .expect(STRANGER, MEMBER)
        .check();
}

#[test]
fn an_interface_goes() {
    Case::new("delete interface", with(lets_members_in(), eni_b()), lets_members_in())
        .call(vec![events::delete_interface(T, "eni-b")])
        .flow(FROM_B)
        .expect(MEMBER, STRANGER)
        .but(Source::Backwards, "unexplained; security_group", "unexplained; security_group")
        .check();
}

#[test]
fn groups_of_an_interface_change() {
    let objects = |eni: Object| vec![sg_a(), group("sg-b").ingress("tcp", 443, 443, LAN), eni];
    let on_instance =
        |groups: &[&str]| in_groups(groups).with("Attachment", serde_json::json!({ "InstanceId": "i-1" }));
    let key = "sg-b:ingress:tcp:443-443:10.0.0.0/24";
    let (open, shut) =
        (format!("{key}; not_security_group").leak(), format!("perhaps {key}; security_group").leak());
    Case::new("join", objects(on_instance(&["sg-a"])), objects(on_instance(&["sg-b"])))
        .call(vec![events::interface_groups(T, "eni-a", &["sg-b"])])
        .call(vec![events::instance_groups(T, "i-1", &["sg-b"])])
        .expect(shut, open)
        // Not known; the next state that says is asked.
        .but(Source::Backwards, open, open)
        .check();
    Case::new("leave", objects(on_instance(&["sg-a", "sg-b"])), objects(on_instance(&["sg-a"])))
        .call(vec![events::interface_groups(T, "eni-a", &["sg-a"])])
        .call(vec![events::instance_groups(T, "i-1", &["sg-a"])])
        .expect(open, shut)
        .but(Source::Backwards, "unexplained; security_group", "unexplained; security_group")
        .check();
    // Told by an earlier call, it is known.
    let joined = events::interface_groups(T - 60, "eni-a", &["sg-a", "sg-b"]);
    Case::new("leave again", objects(on_instance(&["sg-a", "sg-b"])), objects(on_instance(&["sg-a"])))
        .call(vec![joined, events::interface_groups(T, "eni-a", &["sg-a"])])
        .expect(open, shut)
        .check();
}

#[test]
fn addresses_of_a_member_change() {
    let two = |first: &str, second: &str| {
        let addresses = [first, second].map(|it| serde_json::json!({ "PrivateIpAddress": it }));
        interface("eni-b", first, &["sg-b"]).with("PrivateIpAddresses", addresses.to_vec())
    };
    let (one, both) = (interface("eni-b", "10.0.0.66", &["sg-b"]), two("10.0.0.66", "10.0.0.6"));
    let (before, after) = (with(lets_members_in(), one), with(lets_members_in(), both));
    Case::new("assign", before.clone(), after.clone())
        .call(vec![events::addresses(T, "Assign", "eni-b", &["10.0.0.6"])])
        .flow(FROM_B)
        .expect(STRANGER, MEMBER)
        .check();
    Case::new("unassign", after, before)
        .call(vec![events::addresses(T, "Unassign", "eni-b", &["10.0.0.6"])])
        .flow(FROM_B)
        .expect(MEMBER, STRANGER)
        .check();
}

#[test]
fn entries_of_a_prefix_list_change() {
    let objects =
        |nets: &[&str]| vec![sg_a().ingress("tcp", 443, 443, "pl-1"), eni_a(), prefix_list("pl-1", nets)];
    let key = "sg-a:ingress:tcp:443-443:pl-1";
    let (open, shut) =
        (format!("{key}; not_security_group").leak(), format!("perhaps {key}; security_group").leak());
    let (far, near) = (objects(&["192.0.2.0/24"]), objects(&["192.0.2.0/24", LAN]));
    Case::new("add entry", far.clone(), near.clone())
        .call(vec![events::modify_list(T, "pl-1", &[LAN], &[])])
        .expect(shut, open)
        .check();
    Case::new("remove entry", near.clone(), far)
        .call(vec![events::modify_list(T, "pl-1", &[], &[LAN])])
        .expect(open, shut)
        .check();
    let swapped = objects(&["192.0.2.0/24", "198.51.100.0/24"]);
    Case::new("swap entries", near, swapped)
        .call(vec![events::modify_list(T, "pl-1", &["198.51.100.0/24"], &[LAN])])
        .expect(open, shut)
        .check();
}

#[test]
fn a_prefix_list_comes_and_goes() {
    let without = vec![sg_a().ingress("tcp", 443, 443, "pl-1"), eni_a()];
    let with = with(without.clone(), prefix_list("pl-1", &[LAN]));
    let open = "sg-a:ingress:tcp:443-443:pl-1; not_security_group";
    let unresolved = "perhaps sg-a:ingress:tcp:443-443:pl-1; undetermined";
    Case::new("create list", without.clone(), with.clone())
        .call(vec![events::create_list(T, "pl-1", &[LAN])])
        .expect(unresolved, open)
        .check();
    Case::new("delete list", with, without)
        .call(vec![events::delete_list(T, "pl-1")])
        .expect(open, unresolved)
        // A list that the second snapshot does not have again stays as it was: an answer holds one list.
        .but(Source::Snapshots, open, open)
        .but(Source::Backwards, "unexplained; undetermined", "unexplained; undetermined")
        .check();
}

#[test]
fn a_network_acl_changes() {
    let objects = |action: &str| {
        let subnet = subnet("subnet-1", "10.0.1.0/24");
        let acl = acl("acl-1").entry(100, false, action, "0.0.0.0/0").entry(100, true, "allow", "0.0.0.0/0");
        vec![sg_a().ingress("tcp", 443, 443, LAN), eni_a(), subnet, acl]
    };
    let request = serde_json::json!({ "networkAclId": "acl-1", "ruleNumber": 100, "egress": false });
    let calls = ["CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry"];
    let refused = "sg-a:ingress:tcp:443-443:10.0.0.0/24; network_acl";
    let mut case = Case::new("shut the door", objects("allow"), objects("deny"));
    let mut back = Case::new("open the door", objects("deny"), objects("allow"));
    for name in calls {
        case = case.call(vec![events::call(T, name, request.clone(), events::done())]);
        back = back.call(vec![events::call(T, name, request.clone(), events::done())]);
    }
    // The call does not tell what the entries come to: only a document of the right side does.
    case.expect(OPEN, refused).but(Source::Forwards, OPEN, OPEN).but(Source::Backwards, OPEN, OPEN).check();
    back.expect(refused, OPEN)
        .but(Source::Forwards, refused, OPEN)
        .but(Source::Backwards, OPEN, OPEN)
        .check();
}
