//! A record on each side of every kind of change, whoever tells of the change: which rule it is credited to, and why the
//! same traffic would have been refused.

mod resources;
mod rules;

use serde_json::{Value, json};

use crate::events::{self, Traffic};
use crate::fixture::{Fixture, HOUR, Object, Run, T0, group, interface, row_at};
use crate::items;

/// When things change.
const T: i64 = T0 + 6 * HOUR;

/// Who tells of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Two snapshots, the second one at the time of the change.
    Snapshots,
    /// AWS Config items.
    Config,
    /// A snapshot, and CloudTrail after it.
    Forwards,
    /// CloudTrail, and a snapshot after it.
    Backwards,
}

const SOURCES: [Source; 4] = [Source::Snapshots, Source::Config, Source::Forwards, Source::Backwards];

struct Case {
    name: &'static str,
    before: Vec<Object>,
    after: Vec<Object>,
    /// The same change by CloudTrail, told in each of these ways.
    calls: Vec<Vec<Value>>,
    /// `INTERFACE SRCADDR DSTADDR SRCPORT DSTPORT PROTOCOL`.
    flow: &'static str,
    /// A second before the change, and in its second.
    expected: [&'static str; 2],
    /// Where less is known, and what is then said.
    except: Vec<(Source, [&'static str; 2])>,
}

/// What became of an ACCEPT, and the cause of a REJECT: `CREDIT; CAUSE`.
fn said(run: &Run) -> String {
    let rules = run.at("/rules").as_array().unwrap();
    let credited = |figures: [&str; 2]| {
        let is = |rule: &&Value| figures.iter().any(|figure| rule["usage"][*figure] != 0);
        rules.iter().filter(is).map(|rule| rule["rule_key"].as_str().unwrap()).collect::<Vec<_>>().join(" + ")
    };
    let outcomes = run.at("/coverage/attribution").as_object().unwrap();
    let notable = ["unexplained", "unknown_group", "unknown_interface", "no_group", "before_first_snapshot"];
    let mut words: Vec<String> = Vec::new();
    words.extend(Some(credited(["records", "reply_records"])).filter(|keys| !keys.is_empty()));
    let neighbour = credited(["possible_records", "possible_sole_records"]);
    words.extend(Some(neighbour).filter(|keys| !keys.is_empty()).map(|keys| format!("perhaps {keys}")));
    words.extend(notable.iter().filter(|word| outcomes[**word] != 0).map(|word| (*word).to_owned()));
    let causes: Vec<&str> =
        run.at("/blocked").as_array().unwrap().iter().map(|row| row["cause"].as_str().unwrap()).collect();
    format!("{}; {}", words.join(", "), causes.join(", "))
}

fn judged(fixture: &Fixture, at: i64, flow: &str, snapshots: &[&str]) -> String {
    fixture.log("log", &["ACCEPT", "REJECT"].map(|action| row_at(at, &format!("{flow} {action}"))));
    said(&fixture.analyze(&[&["log", "--snapshot"], snapshots].concat()).exit(0))
}

impl Case {
    fn new(name: &'static str, before: Vec<Object>, after: Vec<Object>) -> Self {
        let flow = "eni-a 10.0.0.9 10.0.0.5 40000 443 6";
        let expected = [SHUT, OPEN];
        Self { name, before, after, calls: Vec::new(), flow, expected, except: Vec::new() }
    }

    fn call(mut self, events: Vec<Value>) -> Self {
        self.calls.push(events);
        self
    }

    fn flow(self, flow: &'static str) -> Self {
        Self { flow, ..self }
    }

    fn expect(self, before: &'static str, after: &'static str) -> Self {
        Self { expected: [before, after], ..self }
    }

    fn but(mut self, source: Source, before: &'static str, after: &'static str) -> Self {
        self.except.push((source, [before, after]));
        self
    }

    #[track_caller]
    fn check(&self) {
        let early = flowaudit::time::format(T0);
        let late = flowaudit::time::format(T + HOUR);
        for source in SOURCES {
            let tellings = match source {
                Source::Snapshots | Source::Config => 1,
                Source::Forwards | Source::Backwards => self.calls.len(),
            };
            for told in 0..tellings {
                let fixture = Fixture::new();
                let snapshots = match source {
                    Source::Snapshots => {
                        fixture.snapshot("a", &self.before);
                        fixture.snapshot("b", &self.after);
                        vec![format!("{early}=a"), format!("{}=b", flowaudit::time::format(T))]
                    }
                    Source::Config => {
                        let first = items::changed(T0, &[], &items::resources(&self.before));
                        let then = items::changed(
                            T,
                            &items::resources(&self.before),
                            &items::resources(&self.after),
                        );
                        fixture.write("config.json", items::file(&[first, then].concat()));
                        vec!["config.json".to_owned()]
                    }
                    Source::Forwards => {
                        fixture.snapshot("a", &self.before);
                        fixture.write("trail.json.gz", events::packed(&self.calls[told]));
                        vec![format!("{early}=a"), "trail.json.gz".to_owned()]
                    }
                    Source::Backwards => {
                        fixture.snapshot("b", &self.after);
                        // The trail begins before the change, with something that changes nothing.
                        let begin = events::call(T - 600, "DescribeInstances", json!({}), Value::Null);
                        let calls = [vec![begin], self.calls[told].clone()].concat();
                        fixture.write("trail.json", events::records(&calls));
                        vec![format!("{late}=b"), "trail.json".to_owned()]
                    }
                };
                let snapshots: Vec<&str> = snapshots.iter().map(String::as_str).collect();
                let known = self.except.iter().find(|(which, _)| *which == source);
                let expected = known.map_or(self.expected, |(_, expected)| *expected);
                let got = [T - 1, T].map(|at| judged(&fixture, at, self.flow, &snapshots));
                assert_eq!(got, expected, "{}, by {source:?}, told in way {told}", self.name);
            }
        }
    }
}

/// The rule for 443 is in force.
const OPEN: &str = "sg-a:ingress:tcp:443-443:10.0.0.0/24; not_security_group";
/// It is not, but was before or is after: a tracked connection may outlive the one, a late snapshot explain the other.
const SHUT: &str = "perhaps sg-a:ingress:tcp:443-443:10.0.0.0/24; security_group";
const LAN: &str = "10.0.0.0/24";

fn sg_a() -> Object {
    group("sg-a").ingress("tcp", 22, 22, "10.0.0.0/8")
}

fn eni_a() -> Object {
    interface("eni-a", "10.0.0.5", &["sg-a"])
}

fn eni_b() -> Object {
    interface("eni-b", "10.0.0.6", &["sg-b"])
}

/// The rules of groups with their ids, as describe-security-group-rules answers.
fn ids(rules: &[(&str, &str, Traffic<'_>)]) -> Vec<Object> {
    let object = |(group, id, of): &(&str, &str, Traffic<'_>)| {
        let value = json!({
            "SecurityGroupRuleId": id, "GroupId": group, "GroupOwnerId": crate::fixture::ACCOUNT,
            "IsEgress": of.egress, "IpProtocol": of.protocol, "FromPort": of.from, "ToPort": of.to, "CidrIpv4": of.peer,
        });
        Object { kind: "SecurityGroupRules", value }
    };
    rules.iter().map(object).collect()
}
