#!/usr/bin/env bash
# snapshot capture, by the real AWS CLI against a moto server on loopback: two regions and two accounts, more rules than a page
# has, a role, a call that is not permitted; what was captured is what is there. Skips, and says so, where moto or the CLI is
# absent.
#
# usage: tests/capture.sh PATH/TO/flowaudit
set -euo pipefail
flowaudit=$(realpath "${1:?usage: tests/capture.sh PATH/TO/flowaudit}")

# shellcheck source=tests/common/moto.bash
source "$(dirname "$0")/common/moto.bash"
export AWS_CONFIG_FILE="$work/config"
unset AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE
printf '[default]\nregion = eu-central-1\n' >config

# Two accounts (a role of another one leads to it), two regions; one group with rules of every kind of peer.
role=arn:aws:iam::222222222222:role/audit
fill() {
    local region=$1
    local vpc list group
    vpc=$(aws ec2 create-vpc --region "$region" --cidr-block 10.0.0.0/16 --query Vpc.VpcId --output text)
    aws ec2 create-subnet --region "$region" --vpc-id "$vpc" --cidr-block 10.0.0.0/24 >subnet.json
    list=$(aws ec2 create-managed-prefix-list --region "$region" --prefix-list-name offices --max-entries 5 \
        --address-family IPv4 --entries Cidr=198.51.100.0/24 --query PrefixList.PrefixListId --output text)
    group=$(aws ec2 create-security-group --region "$region" --vpc-id "$vpc" --group-name made-up --description x \
        --query GroupId --output text)
    aws ec2 authorize-security-group-ingress --region "$region" --group-id "$group" --ip-permissions "[
        {\"IpProtocol\": \"tcp\", \"FromPort\": 22, \"ToPort\": 22, \"PrefixListIds\": [{\"PrefixListId\": \"$list\"}]},
        {\"IpProtocol\": \"tcp\", \"FromPort\": 443, \"ToPort\": 443, \"IpRanges\": [{\"CidrIp\": \"0.0.0.0/0\"}]},
        {\"IpProtocol\": \"udp\", \"FromPort\": 53, \"ToPort\": 53, \"UserIdGroupPairs\": [{\"GroupId\": \"$group\"}]}]" >/dev/null
}
fill eu-central-1
fill us-west-2
aws sts assume-role --role-arn "$role" --role-session-name maker >role.json
(
    eval "$(python3 - <<'PYTHON'
import json
c = json.load(open("role.json"))["Credentials"]
for name, key in (("ACCESS_KEY_ID", "AccessKeyId"), ("SECRET_ACCESS_KEY", "SecretAccessKey"), ("SESSION_TOKEN", "SessionToken")):
    print(f"export AWS_{name}='{c[key]}'")
PYTHON
)"
    fill eu-central-1
)

one=$("$flowaudit" snapshot capture --out one | head -1)
two=$("$flowaudit" snapshot capture --out two --region eu-central-1 us-west-2 | head -1)
other=$("$flowaudit" snapshot capture --out other --role "$role" | head -1)

# The folder is a snapshot: the same as by hand, with the parts that groups refer to.
mkdir hand
for what in security-groups security-group-rules network-interfaces subnets vpcs network-acls flow-logs managed-prefix-lists; do
    aws ec2 "describe-$what" >"hand/$what.json"
done
for list in $(aws ec2 describe-managed-prefix-lists --query 'PrefixLists[].PrefixListId' --output text); do
    aws ec2 get-managed-prefix-list-entries --prefix-list-id "$list" >"hand/$list.json"
done
"$flowaudit" snapshot show "$one" >one.json
"$flowaudit" snapshot show hand >hand.json
cmp one.json hand.json
"$flowaudit" snapshot check one --format json >check.json
"$flowaudit" snapshot diff hand "$two" --format json >more.json

# Every region that there is, here two of them.
mkdir few bin
real=$(command -v aws)
cat >few/aws <<FEW
#!/bin/sh
case "\$*" in
*describe-regions*) echo '{"Regions": [{"RegionName": "us-west-2"}, {"RegionName": "eu-central-1"}]}' ;;
*) exec "$real" "\$@" ;;
esac
FEW
chmod +x few/aws
PATH="$PWD/few:$PATH" "$flowaudit" snapshot capture --out all --region all >all.txt

# A command that may not ask for everything leaves the rest, and says what is missing.
cat >bin/aws <<DENY
#!/bin/sh
case "\$*" in
*describe-network-acls*)
    echo "An error occurred (UnauthorizedOperation) when calling the DescribeNetworkAcls operation: You are not authorized" >&2
    exit 254 ;;
*--include-managed-resources*)
    echo "Unknown options: --include-managed-resources" >&2
    exit 252 ;;
esac
exec "$real" "\$@"
DENY
chmod +x bin/aws
status=0
PATH="$PWD/bin:$PATH" "$flowaudit" snapshot capture --out partial >partial.txt 2>partial.err || status=$?
[ "$status" = 3 ] || { echo "expected exit status 3, found $status"; cat partial.err; exit 1; }
"$flowaudit" snapshot check partial --format json >partial.json

# Nothing that may be asked at all is no snapshot.
status=0
AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=1 "$flowaudit" snapshot capture --out none >none.txt 2>none.err || status=$?
[ "$status" = 2 ] && [ -z "$(ls none)" ] || { echo "expected exit status 2 and no snapshot, found $status"; ls none; exit 1; }

python3 - "$one" "$two" "$other" <<'CHECK'
import hashlib, json, os, re, subprocess, sys
one, two, other = sys.argv[1:]
def manifest(folder):
    return json.load(open(f"{folder}/manifest.json"))
for folder, account, regions in ((one, "123456789012", ["eu-central-1"]), (two, "123456789012", ["eu-central-1", "us-west-2"]),
                                 (other, "222222222222", ["eu-central-1"])):
    assert re.fullmatch(r"\w+/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", folder), folder
    [note] = manifest(folder)["accounts"]
    assert note["account_id"] == account and [region["region"] for region in note["regions"]] == regions, note
    for region in note["regions"]:
        assert region["missing"] == [], region["missing"]
        assert {"security-groups.json", "network-interfaces.json", "vpcs.json"} <= {file["file"] for file in region["files"]}
        assert any(file["file"].startswith("pl-") for file in region["files"])
        for file in region["files"]:
            data = open(f"{folder}/{account}/{region['region']}/{file['file']}", "rb").read()
            assert hashlib.sha256(data).hexdigest() == file["sha256"] and len(data) == file["bytes"], file
            assert sum(len(v) for v in json.loads(data).values() if isinstance(v, list)) == file["count"], file
assert "assumed-role/audit" in manifest(other)["accounts"][0]["caller"]
everything = open("all.txt").read()
assert "123456789012 eu-central-1: " in everything and "123456789012 us-west-2: " in everything, everything
# The other region adds its groups and takes nothing away.
more = json.load(open("more.json"))
assert more["rules"]["removed"] == [] and more["rules"]["added"], more["rules"]

lacking = manifest(f"partial/{os.listdir('partial')[0]}")["accounts"][0]["regions"][0]
missing = sorted((missing["action"], missing["reason"]) for missing in lacking["missing"])
assert missing == [("ec2:DescribeNetworkAcls", "denied"), ("ec2:DescribeNetworkInterfaces", "failed")], missing
asked = [file["command"] for file in lacking["files"]]
assert not any("--include-managed-resources" in command for command in asked), asked
assert any(file["file"] == "network-interfaces.json" for file in lacking["files"])
warning = open("partial.err").read()
assert "ec2:DescribeNetworkAcls" in warning and "not authorized" in warning, warning
said = json.dumps(json.load(open("partial.json")))
assert "which lacks 123456789012 eu-central-1 ec2:DescribeNetwork" in said, said

# Credentials are nowhere.
secrets = ["made-up-secret"] + [json.load(open("role.json"))["Credentials"][key] for key in ("SecretAccessKey", "SessionToken")]
written = subprocess.run(["grep", "-rlF", "-e", secrets[0], "-e", "SecretAccessKey", "one", "two", "other", "all", "partial",
                          "all.txt", "partial.txt", "partial.err", "none.err"], capture_output=True, text=True)
assert written.stdout == "", written.stdout
print("ok: captured what is there, in two regions and two accounts; what may not be asked is told")
CHECK
