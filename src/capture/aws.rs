//! The calls of `aws`.

use serde_json::Value;

use super::Options;
use super::call::Call;

pub(super) const PROGRAM: &str = "aws";

/// Answers in full (the CLI asks for every page), without a pager.
const PLAIN: [&str; 2] = ["--output", "json"];

/// (command, list of its answer, file, an argument that not every version knows).
const CALLS: [(&str, &str, &str, Option<&str>); 8] = [
    ("describe-security-groups", "SecurityGroups", "security-groups.json", None),
    ("describe-security-group-rules", "SecurityGroupRules", "security-group-rules.json", None),
    (
        "describe-network-interfaces",
        "NetworkInterfaces",
        "network-interfaces.json",
        // Interfaces that services hide otherwise.
        Some("--include-managed-resources"),
    ),
    ("describe-subnets", "Subnets", "subnets.json", None),
    ("describe-vpcs", "Vpcs", "vpcs.json", None),
    ("describe-network-acls", "NetworkAcls", "network-acls.json", None),
    ("describe-flow-logs", "FlowLogs", "flow-logs.json", None),
    (LISTS, "PrefixLists", "managed-prefix-lists.json", None),
];

const LISTS: &str = "describe-managed-prefix-lists";
const ENTRIES: &str = "get-managed-prefix-list-entries";

/// `describe-network-acls` → `ec2:DescribeNetworkAcls`.
fn action(command: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    format!("ec2:{}", command.split('-').map(capital).collect::<String>())
}

/// The permissions that all calls take, in order.
pub(super) fn actions() -> Vec<String> {
    let commands = CALLS.iter().map(|(command, ..)| *command).chain([ENTRIES]);
    let mut actions: Vec<String> = commands.map(action).collect();
    actions.sort();
    actions
}

fn words(of: &[&str]) -> Vec<String> {
    of.iter().chain(&PLAIN).map(|word| (*word).to_owned()).collect()
}

/// What is asked of a region first.
pub(super) fn calls(region: &str) -> Vec<Call> {
    let call = |(command, list, file, newer): &(&str, &'static str, &str, Option<&'static str>)| Call {
        arguments: words(&["ec2", command, "--region", region]),
        newer: *newer,
        action: action(command),
        file: (*file).to_owned(),
        list,
    };
    CALLS.iter().map(call).collect()
}

/// What an answer leads to: the entries of every list that it names.
pub(super) fn follow(region: &str, call: &Call, answer: &Value) -> Vec<Call> {
    if call.list != "PrefixLists" {
        return Vec::new();
    }
    let ids = call.items(answer).unwrap_or_default().iter().filter_map(|list| list["PrefixListId"].as_str());
    ids.filter(|id| id.starts_with("pl-") && super::target::is_name(id))
        .map(|id| entries(region, id))
        .collect()
}

fn entries(region: &str, id: &str) -> Call {
    Call {
        arguments: words(&["ec2", ENTRIES, "--region", region, "--prefix-list-id", id]),
        newer: None,
        action: action(ENTRIES),
        file: format!("{id}.json"),
        list: "Entries",
    }
}

pub(super) fn identity() -> Vec<String> {
    words(&["sts", "get-caller-identity"])
}

pub(super) fn assume(role: &str) -> Vec<String> {
    words(&["sts", "assume-role", "--role-arn", role, "--role-session-name", "flowaudit"])
}

pub(super) fn configured_region() -> Vec<String> {
    ["configure", "get", "region"].map(str::to_owned).to_vec()
}

pub(super) fn regions(asked: &str) -> Vec<String> {
    words(&["ec2", "describe-regions", "--region", asked])
}

/// A script of all calls, with what only answers tell as variables of the shell, and the files that the answers go to.
pub(super) fn commands(options: &Options) -> String {
    let mut lines = Vec::new();
    for profile in &super::shown_profiles(options) {
        let call =
            |arguments: &[String], profile: &str| format!("{PROGRAM} {}{profile}", arguments.join(" "));
        if options.roles.is_empty() {
            lines.push(call(&identity(), profile));
            lines.extend(of_regions(options, profile));
        }
        for role in &options.roles {
            let mut assumed = assume(&super::word(role));
            assumed.extend(["--query".to_owned(), QUERY.to_owned()]);
            // As one line of text, which the shell takes apart.
            let assumed = call(&assumed, profile).replace("--output json", "--output text");
            lines.push(format!("read -r key secret token <<EOF\n$({assumed})\nEOF"));
            let names =
                ["AWS_ACCESS_KEY_ID=$key", "AWS_SECRET_ACCESS_KEY=$secret", "AWS_SESSION_TOKEN=$token"];
            lines.push(format!("export {}", names.join(" ")));
            lines.push(call(&identity(), ""));
            lines.extend(of_regions(options, ""));
            lines.push("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN".to_owned());
        }
    }
    lines.join("\n") + "\n"
}

const QUERY: &str = "'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]'";

fn of_regions(options: &Options, profile: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let regions: Vec<String> = match options.regions.as_slice() {
        [] => {
            lines.push(format!("region=$({PROGRAM} {}{profile})", configured_region().join(" ")));
            vec!["\"$region\"".to_owned()]
        }
        [all] if all == super::target::ALL => {
            lines.push(format!("{PROGRAM} {}{profile}", self::regions("us-east-1").join(" ")));
            vec!["\"$region\"".to_owned()]
        }
        regions => regions.iter().map(|region| super::word(region)).collect(),
    };
    for region in &regions {
        for Call { arguments, newer, file, .. } in calls(region) {
            let newer = newer.map(|newer| format!(" {newer}")).unwrap_or_default();
            lines.push(format!("{PROGRAM} {}{newer}{profile} > {file}", arguments.join(" ")));
        }
        let Call { arguments, .. } = entries(region, "\"$list\"");
        lines.push(format!("{PROGRAM} {}{profile} > \"$list.json\"", arguments.join(" ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn actions_are_spelled_as_policies_spell_them() {
        let cases = [
            ("describe-network-acls", "ec2:DescribeNetworkAcls"),
            ("describe-security-group-rules", "ec2:DescribeSecurityGroupRules"),
            ("get-managed-prefix-list-entries", "ec2:GetManagedPrefixListEntries"),
        ];
        for (command, action) in cases {
            assert_eq!(super::action(command), action);
        }
    }
}
