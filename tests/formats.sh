#!/usr/bin/env bash
# Findings in the formats of other systems, held against what those publish: SARIF against its schema, OCSF against the models
# of py-ocsf-models, ASFF against the model of the AWS API in botocore. Skips, and says so, what is absent.
#
# usage: tests/formats.sh PATH/TO/flowaudit
set -euo pipefail
flowaudit=$(realpath "${1:?usage: tests/formats.sh PATH/TO/flowaudit}")
cd "$(dirname "$0")/.."

if ! python3 -c 'import botocore, jsonschema, py_ocsf_models' 2>/dev/null; then
    echo "skipped: no validators (pip install botocore jsonschema py-ocsf-models)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The schema of SARIF comes with a package that is made from it.
mkdir -p "$work/schema/src"
cat >"$work/schema/Cargo.toml" <<'MANIFEST'
[package]
name = "schema"
version = "0.0.0"
edition = "2021"

[dependencies]
serde-sarif = "=0.8.0"

[workspace]
MANIFEST
touch "$work/schema/src/lib.rs"
schema=
if cargo vendor --quiet --manifest-path "$work/schema/Cargo.toml" "$work/vendor" >/dev/null 2>&1; then
    schema="$work/vendor/serde-sarif/src/schema.json"
else
    echo "skipped: SARIF, for its schema is not to be had"
fi

findings() {
    "$flowaudit" analyze "$1" --snapshot "$2" --quiet "${@:3}" \
        --format sarif="$work/$n.sarif" --format ocsf="$work/$n.ocsf" --format asff="$work/$n.asff" \
        --format ndjson="$work/$n.ndjson" --format json="$work/$n.json"
}
n=aws findings sample-logs/text sample-logs/snapshot --account 123456789012 --region eu-west-1
n=alibaba findings sample-logs/alibaba/csv sample-logs/alibaba/snapshot

# Many findings, with names that are as long and as odd as names can be.
python3 - "$work" <<'PYTHON'
import json, sys
work = sys.argv[1]
world = {"CidrIp": "0.0.0.0/0", "Description": "<b>\u202e\n'\"" + "d" * 230}
groups = [
    {"GroupId": f"sg-{n:017x}", "GroupName": "n\u0000=1+1" + "g" * 240, "OwnerId": f"12345678901{n % 3}", "VpcId": "vpc-1",
     "SecurityGroupArn": f"arn:aws:ec2:{('eu-central-1', 'us-east-1')[n % 2]}:12345678901{n % 3}:security-group/sg-{n:017x}",
     "IpPermissions": [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [world]} for port in (22, 3389)],
     "IpPermissionsEgress": []}
    for n in range(400)
]
json.dump({"SecurityGroups": groups}, open(f"{work}/many.json", "w"), indent=1)
open(f"{work}/empty.log", "w").write(
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
PYTHON
n=many findings "$work/empty.log" "$work/many.json" --account 123456789012 --region eu-central-1

python3 - "$work" "$schema" <<'PYTHON'
import json, sys
from botocore.session import Session
from botocore.validate import ParamValidator
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
import jsonschema

work, schema = sys.argv[1:]
operation = Session().get_service_model("securityhub").operation_model("BatchImportFindings")
classes = {2003: ComplianceFinding, 2004: DetectionFinding}
for name in ("aws", "alibaba", "many"):
    report = json.load(open(f"{work}/{name}.json"))
    ids = [finding["id"] for finding in report["findings"]]
    assert ids, name

    lines = open(f"{work}/{name}.asff", encoding="utf-8").read().splitlines()
    imported = []
    for line in lines:
        assert len(line.encode()) < 128 * 1024, len(line)
        batch = json.loads(line)
        assert 1 <= len(batch["Findings"]) <= 100
        assert len({(finding["AwsAccountId"], finding["Region"]) for finding in batch["Findings"]}) == 1
        errors = ParamValidator().validate(batch, operation.input_shape)
        assert not errors.has_errors(), errors.generate_report()
        for finding in batch["Findings"]:
            assert len(finding["Title"]) <= 256 and len(finding["Description"]) <= 1024 and len(finding["Id"]) <= 512
            assert len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
            fields = finding["ProductFields"]
            assert len(fields) <= 50 and all(len(k) <= 128 and 0 < len(v) <= 2048 for k, v in fields.items())
            imported.append(finding["Id"].removeprefix("flowaudit/"))
    assert sorted(imported) == ([] if name == "alibaba" else sorted(ids)), name

    events = [json.loads(line) for line in open(f"{work}/{name}.ocsf", encoding="utf-8")]
    for event in events:
        classes[event["class_uid"]].model_validate(event)
        assert event["metadata"]["version"] == "1.6.0" and 10**12 < event["time"] < 10**13, event["time"]
    assert [event["finding_info"]["uid"] for event in events] == ids, name

    findings = [json.loads(line) for line in open(f"{work}/{name}.ndjson", encoding="utf-8")]
    assert findings == report["findings"], name

    log = json.load(open(f"{work}/{name}.sarif"))
    if schema:
        jsonschema.Draft7Validator(json.load(open(schema))).validate(log)
    results = log["runs"][0]["results"]
    assert [result["partialFingerprints"]["findingId/v1"] for result in results] == ids, name
    print(f"{name}: {len(ids)} findings; asff {len(lines)} batches, ocsf {len(events)}, sarif {len(results)}: valid")
PYTHON
