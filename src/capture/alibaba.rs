//! The calls of `aliyun`.
//!
//! Answers come in pages: each is a file of its own, and `NextToken` leads to the next one.
//! Source: <https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-dir/>.

use serde_json::Value;

use super::Options;
use super::call::Call;

pub(super) const PROGRAM: &str = "aliyun";

/// (operation, list of its answer, file, largest page).
const CALLS: [(&str, &str, &str, &str); 4] = [
    ("DescribeSecurityGroups", "SecurityGroups.SecurityGroup", "security-groups", "100"),
    ("DescribeNetworkInterfaces", "NetworkInterfaceSets.NetworkInterfaceSet", "network-interfaces", "500"),
    ("DescribePrefixLists", "PrefixLists.PrefixList", "prefix-lists", "100"),
    ("DescribePortRangeLists", "PortRangeLists.PortRangeList", "port-range-lists", "100"),
];

/// (the call whose answer names things, how it names them, the operation that tells of one, its list).
const PARTS: [(&str, &str, &str, &str); 3] = [
    ("DescribeSecurityGroups", "SecurityGroupId", RULES, "Permissions.Permission"),
    ("DescribePrefixLists", "PrefixListId", "DescribePrefixListAttributes", "Entries.Entry"),
    ("DescribePortRangeLists", "PortRangeListId", "DescribePortRangeListEntries", "Entries"),
];

/// No account has so many pages of anything: tokens that lead round in a circle end.
const MOST_PAGES: u64 = 2_000;

const RULES: &str = "DescribeSecurityGroupAttribute";

fn action(operation: &str) -> String {
    format!("ecs:{operation}")
}

/// The permissions that all calls take, in order.
pub(super) fn actions() -> Vec<String> {
    let operations = CALLS.iter().map(|(operation, ..)| *operation).chain(PARTS.iter().map(|part| part.2));
    let mut actions: Vec<String> = operations.map(action).collect();
    actions.sort();
    actions
}

fn words(of: &[&str]) -> Vec<String> {
    of.iter().map(|word| (*word).to_owned()).collect()
}

/// What is asked of a region first.
pub(super) fn calls(region: &str) -> Vec<Call> {
    let call = |(operation, list, file, most): &(&str, &'static str, &str, &str)| Call {
        arguments: words(&["ecs", operation, "--RegionId", region, "--MaxResults", most]),
        newer: None,
        action: action(operation),
        file: format!("{file}.json"),
        list,
    };
    CALLS.iter().map(call).collect()
}

/// What an answer leads to: its next page, and the parts of what it names.
pub(super) fn follow(region: &str, call: &Call, answer: &Value) -> Vec<Call> {
    let mut next = Vec::new();
    // The same token again would lead nowhere.
    let new = |token: &&str| {
        let same = call.arguments.last().is_some_and(|last| last == token);
        !token.is_empty() && !same && page(&call.file) < MOST_PAGES
    };
    if let Some(token) = answer["NextToken"].as_str().filter(new) {
        let first =
            call.arguments.iter().position(|word| word == "--NextToken").unwrap_or(call.arguments.len());
        let mut arguments = call.arguments[..first].to_vec();
        arguments.extend(["--NextToken".to_owned(), token.to_owned()]);
        next.push(Call { arguments, file: after(&call.file), ..call.clone() });
    }
    let operation = call.arguments.get(1).map(String::as_str).unwrap_or_default();
    let Some((_, id_key, part, list)) = PARTS.iter().find(|(of, ..)| *of == operation) else { return next };
    let items = call.items(answer).unwrap_or_default();
    let named =
        |id: &&str| super::target::is_name(id) && ["sg-", "pl-", "prl-"].iter().any(|it| id.starts_with(it));
    let ids = items.iter().filter_map(|item| item[*id_key].as_str()).filter(named);
    next.extend(ids.map(|id| one(region, part, id_key, id, list)));
    next
}

fn one(region: &str, operation: &str, id_key: &str, id: &str, list: &'static str) -> Call {
    let mut arguments = words(&["ecs", operation, "--RegionId", region, &format!("--{id_key}"), id]);
    if operation == RULES {
        arguments.extend(words(&["--MaxResults", "1000"]));
    }
    Call { arguments, newer: None, action: action(operation), file: format!("{id}.json"), list }
}

/// Which page a file is: `groups.json` is the first, `groups.2.json` the second.
fn page(file: &str) -> u64 {
    let stem = file.strip_suffix(".json").unwrap_or(file);
    stem.rsplit_once('.').and_then(|(_, page)| page.parse().ok()).unwrap_or(1)
}

/// `groups.json` → `groups.2.json` → `groups.3.json`.
fn after(file: &str) -> String {
    let stem = file.strip_suffix(".json").unwrap_or(file);
    let page = page(file);
    let first = if page > 1 { stem.rsplit_once('.').map_or(stem, |(first, _)| first) } else { stem };
    format!("{first}.{}.json", page + 1)
}

pub(super) fn identity() -> Vec<String> {
    words(&["sts", "GetCallerIdentity"])
}

pub(super) fn regions() -> Vec<String> {
    words(&["ecs", "DescribeRegions"])
}

/// A script of all calls, with what only answers tell as variables of the shell.
pub(super) fn commands(options: &Options) -> String {
    let mut lines = Vec::new();
    for profile in &super::shown_profiles(options) {
        let mut own =
            |arguments: Vec<String>| lines.push(format!("{PROGRAM} {}{profile}", arguments.join(" ")));
        own(identity());
        let named: Vec<String> = match options.regions.as_slice() {
            [] => vec!["\"$region\"".to_owned()],
            [all] if all == super::target::ALL => {
                own(regions());
                vec!["\"$region\"".to_owned()]
            }
            regions => regions.iter().map(|region| super::word(region)).collect(),
        };
        for region in &named {
            for call in calls(region) {
                own(call.arguments);
            }
            for (_, id_key, part, list) in PARTS {
                own(one(region, part, id_key, "\"$id\"", list).arguments);
            }
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_the_next_one_and_to_what_it_names() {
        let first = calls("cn-hangzhou").swap_remove(0);
        let answer = serde_json::json!({
            "NextToken": "t1",
            "SecurityGroups": { "SecurityGroup": [{ "SecurityGroupId": "sg-a" }, { "SecurityGroupId": "../x" }] },
        });
        let next = follow("cn-hangzhou", &first, &answer);
        let shown: Vec<(String, &str)> =
            next.iter().map(|it| (it.arguments.join(" "), it.file.as_str())).collect();
        let page = "ecs DescribeSecurityGroups --RegionId cn-hangzhou --MaxResults 100 --NextToken";
        let group = "ecs DescribeSecurityGroupAttribute --RegionId cn-hangzhou --SecurityGroupId sg-a --MaxResults 1000";
        let second = format!("{page} t1");
        assert_eq!(shown, [(second, "security-groups.2.json"), (group.to_owned(), "sg-a.json")]);
        // A token takes the place of the one before.
        let next = follow("cn-hangzhou", &next[0], &serde_json::json!({ "NextToken": "t2" }));
        assert_eq!(
            (next[0].arguments.join(" "), next[0].file.as_str()),
            (format!("{page} t2"), "security-groups.3.json")
        );
    }
}
