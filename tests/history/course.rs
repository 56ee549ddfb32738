//! A random account and a random course of changes, each with the call that makes it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::account::Dice;
use crate::events;
use crate::fixture::{HOUR, T0};
use crate::world::{Content, Eni, Held, World};

/// Which changes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Every one.
    All,
    /// Those of which the call tells what was before.
    Invertible,
}

/// What is true, and what a trail tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    /// The account from each time on; the first one was there before.
    pub(crate) worlds: Vec<(i64, World)>,
    /// Calls that changed something, those that did not, and calls of others.
    pub(crate) events: Vec<Value>,
}

impl Course {
    pub(crate) fn random(dice: &mut Dice, kinds: Kinds, changes: usize) -> Self {
        let mut maker = Maker { dice, kinds, serial: 0 };
        let mut world = maker.world();
        let mut course = Self { worlds: vec![(T0, world.clone())], events: Vec::new() };
        let mut at = T0 + 1;
        // States are of whole seconds: a resource changes once in each.
        let mut touched: BTreeSet<String> = BTreeSet::new();
        while course.worlds.len() <= changes {
            if maker.dice.chance(70) {
                at += 1 + i64::try_from(maker.dice.below(5_000)).unwrap();
                touched.clear();
            }
            let mut next = world.clone();
            let made = if maker.dice.chance(10) {
                maker.twice(&mut next, at)
            } else {
                maker.change(&mut next, at).map(|(id, event)| (id, vec![event]))
            };
            let Some((id, events)) = made else { continue };
            if !touched.insert(id) {
                continue;
            }
            course.events.extend(events.last().and_then(|event| maker.noise(event)));
            course.events.extend(events);
            course.worlds.push((at, next.clone()));
            world = next;
        }
        course
    }

    /// What is true at a time.
    pub(crate) fn at(&self, at: i64) -> &World {
        let after = self.worlds.partition_point(|(from, _)| *from <= at);
        &self.worlds[after.saturating_sub(1)].1
    }

    /// Times at, before and after every change.
    pub(crate) fn times(&self) -> BTreeSet<i64> {
        let around = self.worlds.iter().flat_map(|(at, _)| [at - 1, *at, at + 1]);
        around.chain([T0 - HOUR, self.end() + HOUR]).collect()
    }

    pub(crate) fn end(&self) -> i64 {
        self.worlds.last().unwrap().0
    }
}

struct Maker<'a> {
    dice: &'a mut Dice,
    kinds: Kinds,
    serial: usize,
}

#[allow(clippy::unnecessary_wraps, reason = "a change may be one that cannot be made")]
impl Maker<'_> {
    fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}-{:04x}", self.serial)
    }

    fn address(&mut self) -> String {
        self.serial += 1;
        format!("10.0.{}.{}", self.serial / 250, 1 + self.serial % 250)
    }

    fn world(&mut self) -> World {
        let mut world = World::default();
        for _ in 0..=self.dice.below(3) {
            world.groups.insert(self.id("sg"), Vec::new());
        }
        for _ in 0..self.dice.below(3) {
            let id = self.id("pl");
            world.lists.insert(id, ["198.51.100.0/24".to_owned()].into());
        }
        for group in world.groups.keys().cloned().collect::<Vec<_>>() {
            for _ in 0..self.dice.below(4) {
                if let Some(content) = self.content(&world, &group) {
                    let held = Held { id: self.id("sgr"), content, labelled: true };
                    world.groups.get_mut(&group).unwrap().push(held);
                }
            }
        }
        for _ in 0..self.dice.below(4) {
            let eni = self.eni(&world);
            world.interfaces.insert(self.id("eni"), eni);
        }
        world
    }

    fn eni(&mut self, world: &World) -> Eni {
        let mut addresses = vec![self.address()];
        if self.dice.chance(30) {
            addresses.push(self.address());
        }
        let instance = self.dice.chance(50).then(|| self.id("i"));
        Eni { addresses, groups: self.some_groups(world), instance }
    }

    fn some_groups(&mut self, world: &World) -> Vec<String> {
        let mut groups: Vec<String> = world.groups.keys().filter(|_| self.dice.chance(50)).cloned().collect();
        if groups.is_empty() {
            groups.extend(world.groups.keys().next().cloned());
        }
        groups
    }

    /// Something that the group does not let through yet: AWS refuses a rule that is there.
    fn content(&mut self, world: &World, group: &str) -> Option<Content> {
        let mut peers = vec!["10.0.0.0/8", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "203.0.113.7/32"];
        peers.extend(world.groups.keys().map(String::as_str));
        peers.extend(world.lists.keys().map(String::as_str));
        let (protocol, from, to) = self.dice.pick(&[
            ("tcp", 443, 443),
            ("tcp", 1024, 2048),
            ("udp", 53, 53),
            ("icmp", -1, -1),
            ("-1", -1, -1),
        ]);
        let content = Content {
            egress: self.dice.chance(40),
            protocol,
            from,
            to,
            peer: self.dice.pick(&peers).to_owned(),
        };
        world.groups[group].iter().all(|held| held.content != content).then_some(content)
    }

    /// Makes a change, if it can be made: what it is made to, and the call.
    fn change(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        match self.dice.below(if self.kinds == Kinds::All { 13 } else { 8 }) {
            0 | 1 => self.authorize(world, at),
            2 => self.revoke(world, at),
            3 => self.create_group(world, at),
            4 => self.create_interface(world, at),
            5 => self.addresses(world, at),
            6 => self.entries(world, at),
            7 => self.create_list(world, at),
            8 => self.modify(world, at),
            9 => self.join(world, at),
            10 => self.delete_group(world, at),
            11 => self.delete_interface(world, at),
            _ => self.delete_list(world, at),
        }
    }

    fn one<T: Clone>(&mut self, of: impl Iterator<Item = T>) -> Option<T> {
        let all: Vec<T> = of.collect();
        (!all.is_empty()).then(|| self.dice.pick(&all.iter().collect::<Vec<_>>()).clone())
    }

    fn authorize(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let group = self.one(world.groups.keys().cloned())?;
        let content = self.content(world, &group)?;
        let id = self.id("sgr");
        let of = content.traffic();
        let is_flat = of.protocol != "-1"
            && of.peer.starts_with(|first: char| first.is_ascii_digit())
            && !of.peer.contains(':');
        let (event, labelled) = match self.dice.below(4) {
            0 => (events::authorize_nested(at, &group, of), false),
            1 if is_flat => (events::flat(at, "Authorize", &group, of), false),
            _ => (events::authorize(at, &group, &[(&id, of)]), true),
        };
        world.groups.get_mut(&group)?.push(Held { id, content, labelled });
        Some((group, event))
    }

    fn revoke(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let group = self.one(world.groups.keys().cloned())?;
        let Held { id, content, labelled } = self.one(world.groups[&group].iter().cloned())?;
        let of = content.traffic();
        let event = match self.dice.below(4) {
            0 => events::revoke_nested(at, &group, of),
            1 if labelled && self.kinds == Kinds::All => events::revoke_ids(at, &group, of.egress, &[&id]),
            _ => events::revoke(at, &group, &[(&id, of)]),
        };
        world.groups.get_mut(&group)?.retain(|held| held.content != content);
        Some((group, event))
    }

    fn modify(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let group = self.one(world.groups.keys().cloned())?;
        let old = self.one(world.groups[&group].iter().filter(|held| held.labelled).cloned())?;
        let new = self.content(world, &group).filter(|new| new.egress == old.content.egress)?;
        let event = events::modify(at, &group, &old.id, new.traffic());
        let held = world.groups.get_mut(&group)?.iter_mut().find(|held| held.id == old.id)?;
        held.content = new;
        Some((group, event))
    }

    /// Two changes of one rule in one second.
    fn twice(&mut self, world: &mut World, at: i64) -> Option<(String, Vec<Value>)> {
        let group = self.one(world.groups.keys().cloned())?;
        let id = self.id("sgr");
        let content = self.content(world, &group)?;
        let of = content.traffic();
        let held = world.groups.get_mut(&group)?;
        let events = match held.iter_mut().find(|held| held.labelled) {
            // Revoked, and authorized again.
            Some(old) if self.dice.chance(40) => {
                let same = old.content.traffic();
                let events = vec![
                    events::revoke_nested(at, &group, same),
                    events::authorize(at, &group, &[(&id, same)]),
                ];
                old.id = id;
                events
            }
            // Modified, and revoked.
            Some(old) if self.kinds == Kinds::All && old.content.egress == content.egress => {
                let id = old.id.clone();
                held.retain(|held| held.id != id);
                let revoked = match self.dice.below(2) {
                    0 => events::revoke(at, &group, &[(&id, of)]),
                    _ => events::revoke_ids(at, &group, of.egress, &[&id]),
                };
                vec![events::modify(at, &group, &id, of), revoked]
            }
            // Authorized, and revoked.
            _ => {
                let revoked = match self.dice.below(3) {
                    0 => events::revoke_nested(at, &group, of),
                    1 => events::revoke(at, &group, &[(&id, of)]),
                    _ => events::revoke_ids(at, &group, of.egress, &[&id]),
                };
                vec![events::authorize(at, &group, &[(&id, of)]), revoked]
            }
        };
        Some((group, events))
    }

    fn create_group(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let group = self.id("sg");
        let out = Held { id: self.id("sgr"), content: Content::everything_out(), labelled: false };
        world.groups.insert(group.clone(), vec![out]);
        let event = events::create_group(at, &group);
        Some((group, event))
    }

    fn delete_group(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let is_free = |id: &&String| world.interfaces.values().all(|eni| !eni.groups.contains(id));
        let group = self.one(world.groups.keys().filter(is_free).cloned())?;
        // A rule may refer to a group that is gone.
        world.groups.remove(&group);
        let event = events::delete_group(at, &group);
        (!world.groups.is_empty()).then_some((group, event))
    }

    fn create_interface(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let (id, eni) = (self.id("eni"), self.eni(world));
        let [addresses, groups] =
            [&eni.addresses, &eni.groups].map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        let event = match &eni.instance {
            Some(instance) => events::run_instance(at, instance, &id, &addresses, &groups),
            None => events::create_interface(at, &id, &addresses, &groups),
        };
        world.interfaces.insert(id.clone(), eni);
        Some((id, event))
    }

    fn delete_interface(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.one(world.interfaces.keys().cloned())?;
        world.interfaces.remove(&id);
        let event = events::delete_interface(at, &id);
        Some((id, event))
    }

    fn join(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.one(world.interfaces.keys().cloned())?;
        let groups = self.some_groups(world);
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let event = match &world.interfaces[&id].instance {
            Some(instance) if self.dice.chance(50) => events::instance_groups(at, instance, &names),
            _ => events::interface_groups(at, &id, &names),
        };
        world.interfaces.get_mut(&id)?.groups = groups;
        Some((id, event))
    }

    fn addresses(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.one(world.interfaces.keys().cloned())?;
        let address = self.address();
        let addresses = &mut world.interfaces.get_mut(&id)?.addresses;
        let event = if addresses.len() > 1 && self.dice.chance(50) {
            events::addresses(at, "Unassign", &id, &[&addresses.pop()?])
        } else {
            let event = events::addresses(at, "Assign", &id, &[&address]);
            addresses.push(address);
            event
        };
        Some((id, event))
    }

    fn entries(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.one(world.lists.keys().cloned())?;
        let nets = world.lists.get_mut(&id)?;
        let fresh: Vec<String> = (0..self.dice.below(3)).map(|_| format!("{}/32", self.address())).collect();
        let gone: Vec<String> = nets.iter().filter(|_| self.dice.chance(30)).cloned().collect();
        if fresh.is_empty() && gone.is_empty() {
            return None;
        }
        nets.retain(|net| !gone.contains(net));
        nets.extend(fresh.iter().cloned());
        let [fresh, gone] = [&fresh, &gone].map(|nets| nets.iter().map(String::as_str).collect::<Vec<_>>());
        let event = events::modify_list(at, &id, &fresh, &gone);
        Some((id, event))
    }

    fn create_list(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.id("pl");
        let nets: Vec<String> = (0..=self.dice.below(2)).map(|_| format!("{}/32", self.address())).collect();
        let event = events::create_list(at, &id, &nets.iter().map(String::as_str).collect::<Vec<_>>());
        world.lists.insert(id.clone(), nets.into_iter().collect());
        Some((id, event))
    }

    fn delete_list(&mut self, world: &mut World, at: i64) -> Option<(String, Value)> {
        let id = self.one(world.lists.keys().cloned())?;
        world.lists.remove(&id);
        let event = events::delete_list(at, &id);
        Some((id, event))
    }

    /// What else stands in a trail and changes nothing.
    fn noise(&mut self, event: &Value) -> Option<Value> {
        let mut noise = event.clone();
        noise["eventID"] = json!(format!("noise of {}", event["eventID"]));
        match self.dice.below(8) {
            0 => noise["errorCode"] = json!("Client.UnauthorizedOperation"),
            1 => noise["eventName"] = json!("DescribeSecurityGroups"),
            2 => noise["eventSource"] = json!("sts.amazonaws.com"),
            3 => noise["responseElements"] = json!({ "_return": false }),
            // The same change under another id, as the accounts that share a VPC are told of it.
            4 => {}
            _ => return None,
        }
        Some(noise)
    }
}
