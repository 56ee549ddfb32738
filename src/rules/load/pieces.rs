//! What two snapshots of the same account say alike, object by object: only what is new is parsed.
//!
//! An answer is a list of objects. Where its text stands as in the file of the same name in a folder before, with some
//! objects otherwise, added or left out, only those are read. Whatever is not such a list is left to the slow way, which
//! is the definition.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;
use serde_json::value::RawValue;

use crate::rules::aws::Objects;

/// Answers worth it: lists of many or large objects.
const LISTS: [&str; 3] = ["SecurityGroups", "SecurityGroupRules", "NetworkInterfaces"];

/// An answer, taken apart.
#[derive(Debug)]
pub(super) struct Pieces {
    wrapper: &'static str,
    /// Where its list begins in its text, behind the bracket, and where it ends, in front of the other one.
    list: Range<usize>,
    /// In the order of the text.
    items: Vec<Piece>,
    /// What all of them say, sorted.
    pub(super) objects: Objects,
    repeats: Repeats,
}

/// Whether two pieces say the same: then what goes with the one stays with the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Some,
    None,
}

#[derive(Debug)]
struct Piece {
    /// Where it stands in the text.
    place: Range<usize>,
    says: Arc<Objects>,
    /// What stood in its place before, or behind it: a change may be taken back.
    former: Option<Arc<Former>>,
}

impl Piece {
    fn moved_to(&self, start: usize) -> Self {
        let place = start..start + self.place.len();
        Self { place, says: Arc::clone(&self.says), former: self.former.clone() }
    }
}

/// So many changed objects of an answer may be found again when they are taken back.
const MOST_FORMER: usize = 64;

/// An object that stood in an earlier text.
#[derive(Debug)]
struct Former {
    text: Box<[u8]>,
    says: Arc<Objects>,
}

impl Pieces {
    /// Takes an answer apart. None: it is not a single answer of this kind, or something in it is odd.
    pub(super) fn of(text: &str) -> Option<Self> {
        let map: BTreeMap<&str, &RawValue> = serde_json::from_str(text).ok()?;
        let wrapper = LISTS.into_iter().find(|wrapper| map.contains_key(wrapper))?;
        if map.keys().any(|key| *key != wrapper && Objects::may_tell(key)) {
            return None;
        }
        let list = map.get(wrapper)?.get();
        let place = |part: &str| {
            let start = part.as_ptr().addr() - text.as_ptr().addr();
            start..start + part.len()
        };
        let values: Vec<&RawValue> = serde_json::from_str(list).ok()?;
        let piece = |value: &&RawValue| {
            let says = Arc::new(Objects::of_item(wrapper, value.get())?);
            Some(Piece { place: place(value.get()), says, former: None })
        };
        let items: Vec<Piece> = values.par_iter().map(piece).collect::<Option<_>>()?;
        let Range { start, end } = place(list);
        let (objects, repeats) = sum(wrapper, &items);
        Some(Self { wrapper, list: start + 1..end - 1, items, objects, repeats })
    }

    /// Takes an answer apart that is `known`, the text of these pieces, with some objects otherwise. None: it is not. What
    /// is the same as in a text is text, so that only the rest must be looked at.
    pub(super) fn next(&self, known: &str, text: &[u8]) -> Option<Self> {
        let known = known.as_bytes();
        let (head, tail) = (&known[..self.list.start], &known[self.list.end..]);
        let rest = text.strip_prefix(head)?;
        let list = head.len()..head.len() + rest.strip_suffix(tail)?.len();
        let mut walk = Walk {
            pieces: self,
            known,
            text,
            end: list.end,
            used: vec![false; self.items.len()],
            formers: 0,
            by_text: None,
        };
        let (items, new) = walk.items(list.start)?;
        let gone = self.items.iter().zip(&walk.used).filter(|(_, used)| !**used).map(|(piece, _)| piece);
        let gone: Vec<&Objects> = gone.map(|piece| piece.says.as_ref()).collect();
        let new: Vec<&Objects> = new.iter().map(AsRef::as_ref).collect();
        let exchanged = match self.repeats {
            Repeats::None => self.objects.exchanged(&gone, &new),
            Repeats::Some => None,
        };
        let (objects, repeats) = match exchanged {
            Some(objects) => (objects, Repeats::None),
            None => sum(self.wrapper, &items),
        };
        Some(Self { wrapper: self.wrapper, list, items, objects, repeats })
    }
}

/// What all pieces say, sorted.
fn sum(wrapper: &str, items: &[Piece]) -> (Objects, Repeats) {
    let mut objects = Objects::answer(wrapper);
    for piece in items {
        objects.add_up((*piece.says).clone());
    }
    let said = objects.listed();
    objects.sort();
    let repeats = if objects.listed() == said { Repeats::None } else { Repeats::Some };
    (objects, repeats)
}

/// A walk along the list of a new text beside that of the known one.
struct Walk<'a> {
    pieces: &'a Pieces,
    known: &'a [u8],
    text: &'a [u8],
    /// Where its list ends.
    end: usize,
    /// Which of the known pieces stand in the new text.
    used: Vec<bool>,
    /// How many changed objects are kept to be found again.
    formers: usize,
    /// Known pieces by their text, for those that are not where they are looked for.
    by_text: Option<HashMap<&'a [u8], usize>>,
}

impl Walk<'_> {
    /// The pieces of the new text, and what those say that are not known, or stand there more often than before.
    fn items(&mut self, start: usize) -> Option<(Vec<Piece>, Vec<Arc<Objects>>)> {
        let (mut items, mut new) = (Vec::with_capacity(self.pieces.items.len() + 1), Vec::new());
        let mut expected = 0;
        let mut at = self.behind_space(start);
        while at < self.end {
            let (piece, known) = self.piece_at(at, expected)?;
            if known.is_none_or(|index| std::mem::replace(&mut self.used[index], true)) {
                new.push(Arc::clone(&piece.says));
            }
            expected = known.unwrap_or(expected) + 1;
            at = piece.place.end;
            items.push(piece);
            at = self.behind_comma(at)?;
        }
        Some((items, new))
    }

    /// What stands here, and which of the known pieces it is: the one expected, one of its neighbours, or another one. What
    /// is new mostly says nearly the same as the one expected, and shares that with it.
    fn piece_at(&mut self, at: usize, expected: usize) -> Option<(Piece, Option<usize>)> {
        // Left out, or put in between.
        let near = [Some(expected), expected.checked_add(1), expected.checked_sub(1)];
        let near = near.into_iter().flatten().find(|index| self.stands(*index, at));
        if let Some(index) = near {
            return Some((self.pieces.items[index].moved_to(at), near));
        }
        if let Some(piece) = self.former_at(at, expected) {
            return Some((piece, None));
        }
        let text = value_at(&self.text[at..self.end])?;
        // One that is otherwise, and all goes on behind it as it did.
        let goes_on = self.behind_comma(at + text.len()).is_some_and(|next| self.stands(expected + 1, next));
        let known = if goes_on { None } else { self.by_text().get(text.as_bytes()).copied() };
        let piece = if let Some(index) = known {
            self.pieces.items[index].moved_to(at)
        } else {
            let mut says = Objects::of_item(self.pieces.wrapper, text)?;
            if let Some(before) = self.pieces.items.get(expected) {
                says.share(&before.says);
            }
            Piece { place: at..at + text.len(), says: Arc::new(says), former: self.former(expected) }
        };
        Some((piece, known))
    }

    /// What stands here, if that is what stood in the place of the piece expected.
    fn former_at(&mut self, at: usize, expected: usize) -> Option<Piece> {
        let pieces = self.pieces;
        let former = pieces.items.get(expected)?.former.as_ref()?;
        self.text[at..self.end].starts_with(&former.text).then(|| Piece {
            place: at..at + former.text.len(),
            says: Arc::clone(&former.says),
            former: self.former(expected),
        })
    }

    /// A known piece, to be found again when it comes back. Its last brace tells where it ends.
    fn former(&mut self, index: usize) -> Option<Arc<Former>> {
        let Piece { place, says, .. } = self.pieces.items.get(index)?;
        if self.formers == MOST_FORMER {
            return None;
        }
        self.formers += 1;
        let text = &self.known[place.clone()];
        text.starts_with(b"{").then(|| Arc::new(Former { text: text.into(), says: Arc::clone(says) }))
    }

    /// Whether a known piece stands here. An object that is another one's beginning cannot: its last brace closes it.
    fn stands(&self, index: usize, at: usize) -> bool {
        let piece = self.pieces.items.get(index).filter(|piece| self.known[piece.place.start] == b'{');
        piece.is_some_and(|piece| self.text[at..self.end].starts_with(&self.known[piece.place.clone()]))
    }

    fn by_text(&mut self) -> &HashMap<&[u8], usize> {
        self.by_text.get_or_insert_with(|| {
            let pieces = self.pieces.items.iter().enumerate();
            pieces.map(|(index, piece)| (&self.known[piece.place.clone()], index)).collect()
        })
    }

    /// Where the next object begins behind one, or the list ends. None: that is not JSON.
    fn behind_comma(&self, at: usize) -> Option<usize> {
        let comma = self.behind_space(at);
        if comma == self.end {
            return Some(comma);
        }
        let next = self.behind_space(comma + 1);
        (self.text[comma] == b',' && next < self.end).then_some(next)
    }

    fn behind_space(&self, at: usize) -> usize {
        let rest = &self.text[at..self.end];
        at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
    }
}

/// The JSON value that a text begins with.
fn value_at(text: &[u8]) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    values.next()?.ok().map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The slow way.
    fn whole(text: &str) -> Option<Objects> {
        let mut objects = Objects::default();
        let document: Value = serde_json::from_str(text).ok()?;
        objects.add(&document, None).ok()?;
        objects.sort();
        Some(objects)
    }

    fn group(id: &str, port: u16) -> String {
        format!(
            r#"{{"GroupId":"{id}","OwnerId":"111122223333","IpPermissions":[{{"IpProtocol":"tcp","FromPort":{port},
            "ToPort":{port},"IpRanges":[{{"CidrIp":"192.0.2.0/24"}}]}}],"IpPermissionsEgress":[]}}"#
        )
    }

    fn answer(groups: &[String]) -> String {
        format!("{{\n \"SecurityGroups\" : [ {} ] }}\n", groups.join(" ,\n"))
    }

    const INTERFACE: &str =
        r#"{"NetworkInterfaceId":"eni-1","PrivateIpAddress":"192.0.2.5","Groups":[{"GroupId":"sg-1"}]}"#;

    #[test]
    fn pieces_say_what_the_whole_says() {
        let (a, b) = (group("sg-2", 22), group("sg-1", 443));
        let taken = [
            answer(&[a.clone(), b.clone()]),
            answer(&[a.clone(), a.clone(), b.clone()]),
            format!(r#"{{"SecurityGroups":[{a},{b}],"NextToken":null}}"#),
            format!(r#"{{ "NetworkInterfaces" : [ {INTERFACE}, {INTERFACE} ] }}"#),
            r#"{"SecurityGroups":[]}"#.to_owned(),
            r#"{"SecurityGroupRules":[{"GroupId":"sg-1","IsEgress":true,"IpProtocol":"-1","CidrIpv4":"0.0.0.0/0"}]}"#
                .to_owned(),
        ];
        for text in &taken {
            assert_eq!(Some(Pieces::of(text).unwrap().objects), whole(text), "{text}");
        }
        let left = [
            format!("[{a}]"),
            a.clone(),
            format!(r#"{{"SecurityGroups":[{a}]}} {{}}"#),
            format!(r#"{{"SecurityGroups":[{a}],"NetworkInterfaces":[{INTERFACE}]}}"#),
            r#"{"SecurityGroups":null}"#.to_owned(),
            r#"{"SecurityGroups":[{"GroupName":"no id"}]}"#.to_owned(),
            r#"{"SecurityGroups":[7]}"#.to_owned(),
            r#"{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","PrivateIpAddress":"nowhere"}]}"#
                .to_owned(),
            r#"{"Records":[]}"#.to_owned(),
            r#"{"SecurityGroups":["#.to_owned(),
            String::new(),
        ];
        for text in left {
            assert!(Pieces::of(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_next_answer_says_what_its_whole_says() {
        let [a, b, c, d] =
            [("sg-4", 22), ("sg-1", 443), ("sg-3", 80), ("sg-2", 25)].map(|(id, port)| group(id, port));
        let other = group("sg-1", 8443);
        let courses: [(&str, Vec<&String>); 13] = [
            ("the same", vec![&a, &b, &c, &d]),
            ("one is otherwise", vec![&a, &other, &c, &d]),
            ("the first is gone", vec![&b, &c, &d]),
            ("two are gone", vec![&a, &d]),
            ("the last is gone", vec![&a, &b, &c]),
            ("all are gone", vec![]),
            ("one more in front", vec![&other, &a, &b, &c, &d]),
            ("one more between", vec![&a, &b, &other, &c, &d]),
            ("one more behind", vec![&a, &b, &c, &d, &other]),
            ("another order", vec![&d, &b, &a, &c]),
            ("one twice", vec![&a, &b, &b, &c, &d]),
            ("one otherwise, once more as it was", vec![&a, &other, &b, &c, &d, &b]),
            ("all others", vec![&other]),
        ];
        for (_, before) in &courses {
            let before = answer(&before.iter().map(|it| (*it).clone()).collect::<Vec<_>>());
            let pieces = Pieces::of(&before).unwrap();
            for (name, after) in &courses {
                let after = answer(&after.iter().map(|it| (*it).clone()).collect::<Vec<_>>());
                // Spaces within the brackets are not told from spaces between the objects.
                let Some(next) = pieces.next(&before, after.as_bytes()) else {
                    panic!("{name}: {before} {after}")
                };
                assert_eq!(Some(&next.objects), whole(&after).as_ref(), "{name}: {before} {after}");
                let once_more = next.next(&after, before.as_bytes()).unwrap();
                assert_eq!(Some(&once_more.objects), whole(&before).as_ref(), "{name}: {before} {after}");
            }
        }
    }

    #[test]
    fn what_a_changed_group_still_says_is_there_once() {
        let with = |ports: &[u16]| {
            let permission = |port: &u16| {
                format!(
                    r#"{{"IpProtocol":"tcp","FromPort":{port},"ToPort":{port},"IpRanges":[{{"CidrIp":"192.0.2.0/24"}}]}}"#
                )
            };
            let permissions: Vec<String> = ports.iter().map(permission).collect();
            let permissions = permissions.join(",");
            answer(&[group("sg-2", 22), format!(r#"{{"GroupId":"sg-1","IpPermissions":[{permissions}]}}"#)])
        };
        let before = with(&[1, 2, 3, 4]);
        let pieces = Pieces::of(&before).unwrap();
        // (the ports of the changed group, how many of its rules were there before)
        let cases: [(&[u16], usize); 6] = [
            (&[1, 2, 3, 4, 5], 4),
            (&[5, 1, 2, 3, 4], 4),
            (&[1, 3, 4], 3),
            (&[1, 2, 9, 4], 3),
            (&[2, 9], 1),
            (&[9], 0),
        ];
        for (ports, kept) in cases {
            let after = with(ports);
            let next = pieces.next(&before, after.as_bytes()).unwrap();
            assert_eq!(Some(&next.objects), whole(&after).as_ref(), "{ports:?}");
            let (gone, new) = pieces.objects.rules.difference(&next.objects.rules);
            assert_eq!((gone.len(), new.len()), (4 - kept, ports.len() - kept), "{ports:?}");
            let known = |rule: &&Arc<_>| pieces.objects.rules.iter().any(|known| Arc::ptr_eq(known, rule));
            assert_eq!(next.objects.rules.iter().filter(known).count(), kept + 1, "{ports:?}");
        }
    }

    #[test]
    fn what_is_taken_back_is_there_once() {
        let text = |port: u16| answer(&[group("sg-2", 22), group("sg-1", port), group("sg-3", 80)]);
        let texts = [443, 8443, 443, 8443, 25, 8443].map(text);
        let mut known = vec![Pieces::of(&texts[0]).unwrap()];
        for pair in texts.windows(2) {
            let next = known.last().unwrap().next(&pair[0], pair[1].as_bytes()).unwrap();
            assert_eq!(Some(&next.objects), whole(&pair[1]).as_ref(), "{}", pair[1]);
            known.push(next);
        }
        for (one, other) in [(0, 2), (1, 3), (3, 5)] {
            let rules = |at: usize| known[at].objects.rules.iter();
            assert!(
                rules(one).zip(rules(other)).all(|(one, other)| Arc::ptr_eq(one, other)),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn what_comes_twice_goes_once_and_is_still_there() {
        let both = r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"192.0.2.0/24"}]},{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"192.0.2.0/24"}]}]}"#;
        let one = r#"{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"192.0.2.0/24"}]}]}"#;
        let (first, new) = (group("sg-5", 80), group("sg-9", 80));
        let text = |groups: &[&str]| answer(&groups.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        // Both of the second answer take the place of the one that was there.
        let texts = [text(&[&first, both]), text(&[&new, one, &first, one]), text(&[&new, one, &first])];
        let mut known = Pieces::of(&texts[0]).unwrap();
        for pair in texts.windows(2) {
            known = known.next(&pair[0], pair[1].as_bytes()).unwrap();
            assert_eq!(Some(&known.objects), whole(&pair[1]).as_ref(), "{}", pair[1]);
        }
    }

    #[test]
    fn what_is_no_answer_is_left_to_the_slow_way() {
        let (a, b) = (group("sg-2", 22), group("sg-1", 443));
        let before = format!(r#"{{"SecurityGroups":[{a},{b}],"Next":1}}"#);
        let pieces = Pieces::of(&before).unwrap();
        let left = [
            format!(r#"{{"SecurityGroups":[{a},{b}],"Next":2}}"#),
            format!(r#"{{"SecurityGroups":[{a},{b},],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[,{a},{b}],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a}{b}],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a};{b}],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a},{b}]],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a},7],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a},{{"GroupName":"no id"}}],"Next":1}}"#),
            format!(r#"{{"SecurityGroups":[{a},{}],"Next":1}}"#, &b[..b.len() - 1]),
            format!(r#"{{"SecurityGroups":[{a}, "],"Next":1}}"#),
            before[1..].to_owned(),
            String::new(),
        ];
        for text in left {
            assert!(pieces.next(&before, text.as_bytes()).is_none(), "{text}");
        }
    }
}
