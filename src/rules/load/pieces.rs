//! What two snapshots of the same account say alike, object by object: only what is new is parsed.
//!
//! An answer is a list of objects. One whose text is that of an object in the file of the same name in the folder before
//! says the same. Whatever is not such a list is left to the slow way, which is the definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use serde_json::value::RawValue;

use crate::rules::aws::Objects;

/// Objects by their text.
pub(super) type Pieces = HashMap<Box<str>, Arc<Objects>>;

/// Answers worth it: lists of many or large objects.
const LISTS: [&str; 3] = ["SecurityGroups", "SecurityGroupRules", "NetworkInterfaces"];

/// What a document says, with its pieces; `known` are those of its namesake. None: it is not a single answer of this kind,
/// or something in it is odd.
pub(super) fn read(text: &str, known: &Pieces) -> Option<(Objects, Pieces)> {
    let map: BTreeMap<&str, &RawValue> = serde_json::from_str(text).ok()?;
    let wrapper = LISTS.into_iter().find(|wrapper| map.contains_key(wrapper))?;
    if map.keys().any(|key| *key != wrapper && Objects::may_tell(key)) {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(map.get(wrapper)?.get()).ok()?;
    let mut objects = Objects::of_list(wrapper, &[]).ok()??;
    let mut pieces = Pieces::with_capacity(items.len());
    for item in items {
        let text = item.get();
        let piece = match known.get(text) {
            Some(piece) => Arc::clone(piece),
            None => Arc::new(Objects::of_list(wrapper, &[serde_json::from_str(text).ok()?]).ok()??),
        };
        objects.add_up((*piece).clone());
        pieces.insert(text.into(), piece);
    }
    Some((objects, pieces))
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

    #[test]
    fn pieces_say_what_the_whole_says() {
        let group = |id: &str, port: u16| {
            format!(
                r#"{{"GroupId":"{id}","OwnerId":"111122223333","IpPermissions":[{{"IpProtocol":"tcp","FromPort":{port},
                "ToPort":{port},"IpRanges":[{{"CidrIp":"192.0.2.0/24"}}]}}],"IpPermissionsEgress":[]}}"#
            )
        };
        let interface =
            r#"{"NetworkInterfaceId":"eni-1","PrivateIpAddress":"192.0.2.5","Groups":[{"GroupId":"sg-1"}]}"#;
        let taken = [
            format!(r#"{{"SecurityGroups":[{},{}]}}"#, group("sg-2", 22), group("sg-1", 443)),
            format!(r#"{{"SecurityGroups":[{},{}],"NextToken":null}}"#, group("sg-2", 22), group("sg-1", 80)),
            format!(r#"{{ "NetworkInterfaces" : [ {interface}, {interface} ] }}"#),
            r#"{"SecurityGroups":[]}"#.to_owned(),
            r#"{"SecurityGroupRules":[{"GroupId":"sg-1","IsEgress":true,"IpProtocol":"-1","CidrIpv4":"0.0.0.0/0"}]}"#
                .to_owned(),
        ];
        let mut known = Pieces::new();
        for text in &taken {
            let (mut objects, pieces) = read(text, &known).unwrap();
            objects.sort();
            assert_eq!(Some(objects), whole(text), "{text}");
            known.extend(pieces);
        }
        // With all pieces known, the same.
        for text in &taken {
            let (mut objects, _) = read(text, &known).unwrap();
            objects.sort();
            assert_eq!(Some(objects), whole(text), "{text}");
        }
        let left = [
            format!("[{}]", group("sg-1", 22)),
            group("sg-1", 22),
            format!(r#"{{"SecurityGroups":[{}]}} {{}}"#, group("sg-1", 22)),
            format!(r#"{{"SecurityGroups":[{}],"NetworkInterfaces":[{interface}]}}"#, group("sg-1", 22)),
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
            assert!(read(&text, &known).is_none(), "{text}");
        }
    }
}
