#!/usr/bin/env bash
# The commands of --remediation, run by the real AWS CLI against a moto server on loopback: apply.sh leaves exactly the rules
# that are not in the removal set, and undo.sh restores all of them; narrow.sh puts exactly the narrower rules in place of the
# wide ones, and narrow-undo.sh restores those. Skips, and says so, where moto or the CLI is absent.
#
# usage: tests/moto.sh PATH/TO/flowaudit
set -euo pipefail
flowaudit=$(realpath "${1:?usage: tests/moto.sh PATH/TO/flowaudit}")

# shellcheck source=tests/common/moto.bash
source "$(dirname "$0")/common/moto.bash"
export AWS_DEFAULT_REGION=eu-central-1 AWS_CONFIG_FILE=/dev/null

# An account with rules of every kind of peer, and one interface.
vpc=$(aws ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId --output text)
subnet=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.0.0/24 --query Subnet.SubnetId --output text)
list=$(aws ec2 create-managed-prefix-list --prefix-list-name offices --max-entries 5 --address-family IPv4 \
    --entries Cidr=192.0.2.0/24 --query PrefixList.PrefixListId --output text)
other=$(aws ec2 create-security-group --group-name other --description other --vpc-id "$vpc" --query GroupId --output text)
web=$(aws ec2 create-security-group --group-name "web's; group" --description web --vpc-id "$vpc" --query GroupId --output text)
ingress() { aws ec2 authorize-security-group-ingress --group-id "$web" --ip-permissions "$1" >/dev/null; }
ingress '[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]'
ingress '[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"10.9.0.0/16","Description":"from the old office"}]}]'
ingress '[{"IpProtocol":"udp","FromPort":1000,"ToPort":2000,"Ipv6Ranges":[{"CidrIpv6":"2001:db8::/32","Description":"old VPN"}]}]'
ingress '[{"IpProtocol":"icmp","FromPort":8,"ToPort":-1,"IpRanges":[{"CidrIp":"10.8.0.0/16"}]}]'
ingress '[{"IpProtocol":"tcp","FromPort":9000,"ToPort":9999,"IpRanges":[{"CidrIp":"10.0.0.0/16","Description":"services, all of them"}]}]'
ingress "[{\"IpProtocol\":\"-1\",\"UserIdGroupPairs\":[{\"GroupId\":\"$other\"}]}]"
ingress "[{\"IpProtocol\":\"tcp\",\"FromPort\":8080,\"ToPort\":8080,\"PrefixListIds\":[{\"PrefixListId\":\"$list\"}]}]"
aws ec2 authorize-security-group-egress --group-id "$web" \
    --ip-permissions '[{"IpProtocol":"tcp","FromPort":5432,"ToPort":5432,"IpRanges":[{"CidrIp":"10.0.1.0/24"}]}]' >/dev/null
interface=$(aws ec2 create-network-interface --subnet-id "$subnet" --groups "$web" --private-ip-address 10.0.0.10 \
    --query NetworkInterface.NetworkInterfaceId --output text)
aws ec2 create-network-interface --subnet-id "$subnet" --groups "$other" --private-ip-address 10.0.0.11 >/dev/null

capture() {
    mkdir -p "$1"
    aws ec2 describe-security-groups >"$1/security-groups.json"
    aws ec2 describe-network-interfaces >"$1/network-interfaces.json"
    aws ec2 describe-subnets >"$1/subnets.json"
    aws ec2 get-managed-prefix-list-entries --prefix-list-id "$list" >"$1/$list.json"
}
capture before

# A day in which 443 is used by one source, and two ports of a thousand.
{
    echo "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    for hour in $(seq 0 24); do
        start=$((1767225600 + hour * 3600))
        echo "2 123456789012 $interface 198.51.100.7 10.0.0.10 40000 443 6 5 500 $start $((start + 60)) ACCEPT OK"
        for port in 9092 9200; do
            echo "2 123456789012 $interface 10.0.0.77 10.0.0.10 40000 $port 6 5 500 $start $((start + 60)) ACCEPT OK"
            echo "2 123456789012 $interface 10.0.0.10 10.0.0.77 $port 40000 6 5 500 $start $((start + 60)) ACCEPT OK"
        done
    done
} >log
"$flowaudit" analyze log --snapshot before --review-period 1d --format json=report.json --remediation fix

sh fix/apply.sh >apply.log
capture applied
"$flowaudit" snapshot diff before applied --format json >applied.json
sh fix/undo.sh >undo.log
capture undone
"$flowaudit" snapshot diff before undone --format json >undone.json
sh fix/narrow.sh >narrow.log
capture narrowed
"$flowaudit" snapshot diff before narrowed --format json >narrowed.json
sh fix/narrow-undo.sh >widened.log
capture widened
"$flowaudit" snapshot diff before widened --format json >widened.json
# What is to be changed can be seen before.
"$flowaudit" replay log --snapshot before --proposed fix/narrow.txt --format json --fail-on changed >replayed.json

python3 - <<'CHECK'
import json
names = ("report.json", "applied.json", "undone.json", "narrowed.json", "widened.json", "replayed.json")
report, applied, undone, narrowed, widened, replayed = (json.load(open(name)) for name in names)
gone = sorted(rule["rule_key"] for rule in applied["rules"]["removed"])
wanted = sorted(report["removal_set"]["rules"])
assert len(wanted) >= 5, wanted
assert gone == wanted, (gone, wanted)
assert applied["rules"]["added"] == [] and applied["rules"]["changed"] == [], applied["rules"]
assert undone["rules"] == {"added": [], "removed": [], "changed": []}, undone["rules"]
wide = [finding for finding in report["findings"] if finding["kind"] == "wider_than_used"]
assert len(wide) == 2, wide
keys = lambda rules: sorted(rule["rule_key"] for rule in rules)
# What was open to the world waits for its owner.
wide = [finding for finding in wide if not finding["rule_key"].endswith(":0.0.0.0/0")]
assert keys(narrowed["rules"]["removed"]) == keys(wide), narrowed["rules"]
new = [rule for finding in wide for rule in finding["evidence"]["replacement"]]
assert keys(narrowed["rules"]["added"]) == keys(new) and len(new) == 2, narrowed["rules"]
assert widened["rules"] == {"added": [], "removed": [], "changed": []}, widened["rules"]
assert replayed["newly_blocked"]["records"] == 0, replayed["newly_blocked"]
print(f"ok: {len(gone)} rules revoked, and restored with their descriptions; one made narrower, and wide again")
CHECK
