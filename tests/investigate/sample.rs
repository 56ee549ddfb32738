//! The sample logs hold a story, and the README tells it.

use std::process::Command;

use serde_json::Value;

fn ask(question: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_flowaudit"))
        .args(["investigate", "sample-logs/gz", "--snapshot", "sample-logs/snapshot", "--format", "json"])
        .args(question)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn titles(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().map(|finding| finding["title"].as_str().unwrap()).collect()
}

#[test]
fn a_scan_a_login_a_hop_and_the_data_on_its_way_out() {
    let stranger = ask(&["--address", "198.51.100.77"]);
    assert_eq!(
        titles(&stranger),
        [
            "198.51.100.77 tried 45 ports of 10.20.1.10",
            "198.51.100.77 was refused by 10.20.1.10, and then let in on tcp/22",
            "eni-0e343b027f251d116 let in on tcp/22, for the first time, 198.51.100.77"
        ]
    );
    let login = stranger["conversations"].as_array().unwrap().iter().find(|it| it["accepted"] != 0).unwrap();
    assert_eq!(login["rules"], serde_json::json!(["sg-027baaf7fc42c95d7:ingress:tcp:22-22:0.0.0.0/0"]));

    let bastion = login["interface_id"].as_str().unwrap();
    let window = ["--since", "2026-03-05T02:40:00Z", "--until", "2026-03-05T05:00:00Z"];
    let after = ask(&[&["--interface", bastion, "--port", "22", "--action", "accept"], &window[..]].concat());
    let hop =
        after["conversations"].as_array().unwrap().iter().find(|it| it["opened_by"] == "interface").unwrap();
    assert_eq!((&hop["peer"], &hop["peer_port"]), (&"10.20.12.27".into(), &22.into()));

    let server = ask(&[&["--address", "10.20.12.27"], &window[..]].concat());
    assert!(titles(&server).contains(&"10.20.12.27 sent 3.8 GB to 203.0.113.200"), "{:?}", titles(&server));

    // Of the bastion in that window, one hop further shows where the hop went on to.
    let further = ask(&[&["--interface", bastion, "--action", "accept", "--follow"], &window[..]].concat());
    assert_eq!(further["followed"], serde_json::json!([]));
    let went_for = |it: &Value| {
        let targets = it["targets"].as_array().unwrap().iter();
        let targets: Vec<String> = targets.map(|to| format!("{} {}", to["target"], to["port"])).collect();
        format!("{} {}", it["peer"], targets.join(", "))
    };
    let touched: Vec<String> = further["touched"].as_array().unwrap().iter().map(went_for).collect();
    assert_eq!(touched, [r#""10.20.12.27" "203.0.113.200" 443"#]);
}
