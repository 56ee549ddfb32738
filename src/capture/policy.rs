//! The least that a capture must be allowed.

use serde_json::{Value, json};

use super::{Options, alibaba, aws, target};
use crate::rules::state::Cloud;

/// A policy of IAM, or of RAM, as JSON.
pub fn policy(options: &Options) -> Value {
    let all = options.regions.iter().any(|region| region == target::ALL);
    match options.cloud {
        Cloud::Aws => {
            let mut actions = aws::actions();
            if all {
                actions.push("ec2:DescribeRegions".to_owned());
                actions.sort();
            }
            // None of them can be narrowed to a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
            let mut statements = vec![
                json!({ "Sid": "FlowauditCapture", "Effect": "Allow", "Action": actions, "Resource": "*" }),
            ];
            if !options.roles.is_empty() {
                statements.push(json!({
                    "Sid": "FlowauditRoles",
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Resource": options.roles,
                }));
            }
            json!({ "Version": "2012-10-17", "Statement": statements })
        }
        Cloud::Alibaba => {
            let mut actions = alibaba::actions();
            if all {
                actions.push("ecs:DescribeRegions".to_owned());
                actions.sort();
            }
            json!({ "Version": "1", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
        }
    }
}
