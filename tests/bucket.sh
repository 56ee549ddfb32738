#!/usr/bin/env bash
# Logs and documents in buckets, against a moto server on loopback: whatever lies in a bucket is reported as the same files on
# disk are; folders that cannot match are not listed; a store that throttles, a connection that is cut, an object that changes,
# a permission that is missing. Skips, and says so, where moto or the CLI is absent.
#
# usage: tests/bucket.sh PATH/TO/flowaudit
set -euo pipefail
flowaudit=$(realpath "${1:?usage: tests/bucket.sh PATH/TO/flowaudit}")
here=$(realpath "$(dirname "$0")")
samples=$(realpath "$here/../sample-logs")

# shellcheck source=tests/common/moto.bash
source "$here/common/moto.bash"
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_CONFIG_FILE=/dev/null AWS_DEFAULT_REGION=eu-west-1
direct=$AWS_ENDPOINT_URL
unset AWS_ENDPOINT_URL
s3() { aws --endpoint-url "$direct" "$@" >/dev/null; }

doors=()
task_address=
close() {
    [ -z "$task_address" ] || ip addr del "$task_address" dev lo || true
    [ ${#doors[@]} = 0 ] || kill "${doors[@]}" 2>/dev/null || true
    finish
}
trap close EXIT
# A door to the server with a fault; its address is in $door then.
open_door() {
    rm -f "door-$1"
    python3 "$here/common/faulty.py" "$1" "door-$1" "$direct" &
    doors+=($!)
    for _ in $(seq 100); do
        [ -s "door-$1" ] && break
        sleep 0.1
    done
    door="http://127.0.0.1:$(cat "door-$1")"
}

# A log of 9 MB, so that it takes several ranges; 600,000 bytes of it in a Parquet file with row groups of its own.
python3 - <<'PYTHON'
import random
r = random.Random(1)
with open("big.log", "w") as out:
    for i in range(90_000):
        s, p = f"10.0.{r.randrange(4)}.{r.randrange(250)}", r.choice([22, 443, 5432, 40000 + r.randrange(9999)])
        t = 1772409600 + i
        out.write(f"2 123456789012 eni-0{r.randrange(40):016x} {s} 10.0.0.{r.randrange(250)} {40000 + i % 9999} {p} 6 {i % 90} "
                  f"{i % 9000} {t} {t + 59} {r.choice(['ACCEPT', 'REJECT'])} OK\n")
PYTHON
s3 s3 mb s3://logs
s3 s3 cp --recursive "$samples" s3://logs/samples
s3 s3 cp big.log s3://logs/plain/big.log
gzip -k big.log
s3 s3 cp big.log.gz s3://logs/packed/big.log.gz

# name, what on disk, what in the bucket, further options
same() {
    local name=$1 disk=$2 bucket=$3
    shift 3
    "$flowaudit" analyze "$disk" --snapshot "$samples/snapshot" --format json --quiet "$@" >disk.json || [ $? = 3 ]
    "$flowaudit" analyze "$bucket" --endpoint "${door:-$direct}" --snapshot "$samples/snapshot" --format json --quiet "$@" \
        >bucket.json || [ $? = 3 ]
    # A pattern's own characters are in no name.
    sed "s#${bucket%%\**}#${disk%%\**}#g" bucket.json | cmp - disk.json
    echo "$name: the same as on disk"
}
door=
for form in gz text parquet alibaba/json alibaba/csv alibaba/parquet; do
    same "$form" "$samples/$form" "s3://logs/samples/$form"
done
same "several ranges" "$work/big.log" s3://logs/plain/big.log
same "several ranges, one thread" "$work/big.log" s3://logs/plain/big.log --threads 1
same "several ranges, packed" "$work/big.log.gz" s3://logs/packed/big.log.gz
for fault in throttle cut late; do
    open_door $fault
    same "$fault" "$samples/gz" s3://logs/samples/gz
    same "$fault, several ranges" "$work/big.log" s3://logs/plain/big.log
    same "$fault, Parquet" "$samples/parquet" s3://logs/samples/parquet
done

# A thousand answers that each take a tenth of a second are waited for together.
mkdir small
for i in $(seq 400); do cp "$samples"/text/AWSLogs/*/*/*/*/*/*/*T0000Z*.log "small/$i.log" 2>/dev/null || true; done
python3 - <<'PYTHON'
import glob
row = open("big.log").readline()
for i in range(400):
    open(f"small/{i}.log", "w").write(row * (i + 1))
PYTHON
s3 s3 cp --recursive small s3://logs/small
start=$(date +%s%N)
same "400 objects, each late" "$work/small" s3://logs/small
took=$((($(date +%s%N) - start) / 1000000))
echo "400 objects, each a tenth of a second late: $took ms"
[ "$took" -lt 12000 ]

mkdir tables
for i in $(seq 200); do cp "$(find "$samples/parquet" -name '*.parquet' | head -1)" "tables/$i.parquet"; done
s3 s3 cp --recursive tables s3://logs/tables
: >door-late.asked
start=$(date +%s%N)
same "200 small tables, each late" "$work/tables" s3://logs/tables
took=$((($(date +%s%N) - start) / 1000000))
asked=$(grep -c 'bytes=' door-late.asked)
echo "200 small tables, each a tenth of a second late: $took ms, $asked requests"
[ "$took" -lt 12000 ] && [ "$asked" = 200 ]

# Whatever keys there are: odd ones are failures with a name, all others are read; folders made by hand are none.
for key in 'odd/good one+two%é#.log' 'odd/a//b.log' 'odd/x/../up.log' odd/.hidden.log; do
    s3 s3api put-object --bucket logs --key "$key" --body small/1.log
done
for key in odd/ odd/folder/; do s3 s3api put-object --bucket logs --key "$key"; done
door=
status=0
"$flowaudit" analyze s3://logs/odd --endpoint "$direct" --snapshot "$samples/snapshot" --format json --quiet >bucket.json || status=$?
[ $status = 3 ]
python3 - <<'PYTHON'
import json
files = json.load(open("bucket.json"))["coverage"]["files"]
assert files["read"] == 1, files
failed = [failure["file"] for failure in files["failures"]]
assert failed == ["s3://logs/odd/a//b.log", "s3://logs/odd/x/../up.log"], failed
PYTHON
echo "odd keys: told, and the rest is read"

# A pattern means what it means on disk, folders too.
for pattern in 'AWSLogs/*' 'AWSLogs/*/vpcflowlogs/eu-west-1' 'AWSLogs/**/0[23]' 'AWSLogs/**/03/*' 'AWSLogs/*/vpcflowlogs/*/2026/03/0[23]/*'; do
    same "pattern $pattern" "$samples/text/$pattern" "s3://logs/samples/text/$pattern"
done
# So does a window, though the files of the samples are longer than their names say.
for window in "2026-03-06T01:01:00Z 2026-03-06T11:01:00Z" "2026-03-04T12:58:00Z 2026-03-04T22:58:00Z" "2026-03-05 2026-03-07"; do
    # shellcheck disable=SC2086
    set -- $window
    for place in "$samples/gz" "s3://logs/samples/gz --endpoint $direct"; do
        # shellcheck disable=SC2086
        "$flowaudit" analyze $place --snapshot "$samples/snapshot" --since "$1" --until "$2" --format json --quiet |
            python3 -c 'import json, sys; r = json.load(sys.stdin); print(r["coverage"]["records"]["total"], r["coverage"]["records"]["accepted"])'
    done | uniq | { [ "$(wc -l)" = 1 ]; }
    echo "window $window: the same as on disk"
done

# Many teams, each with a layout of its own and other services in it.
for i in $(seq 210); do
    mkdir -p "teams/team$i/AWSLogs/111111111111/CloudTrail/eu-west-1/2026/03/01"
    echo '{"Records": []}' >"teams/team$i/AWSLogs/111111111111/CloudTrail/eu-west-1/2026/03/01/x.json"
done
mkdir -p teams/team1/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/03/01
cp big.log.gz "teams/team1/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/03/01/111111111111_vpcflowlogs_eu-west-1_fl-0a_20260301T0000Z_ab.log.gz"
s3 s3 cp --recursive teams s3://logs/teams
"$flowaudit" analyze s3://logs/teams --endpoint "$direct" --snapshot "$samples/snapshot" --format json --quiet >bucket.json
python3 -c 'import json; f = json.load(open("bucket.json"))["coverage"]["files"]; assert f["read"] == 1 and f["failed"] == 0, f'
echo "many teams: the logs alone"

# Documents in buckets, by folder and by name.
door=
"$flowaudit" snapshot show "$samples/snapshot" >disk.json
"$flowaudit" snapshot show s3://logs/samples/snapshot --endpoint "$direct" >bucket.json
cmp disk.json bucket.json
"$flowaudit" snapshot check s3://logs/samples/snapshot --endpoint "$direct" | grep -q '^s3://logs/samples/snapshot/subnets.json'
"$flowaudit" snapshot check 2026-03-01=s3://logs/samples/snapshot/subnets.json --endpoint "$direct" |
    grep -q 's3://logs/samples/snapshot/subnets.json'
printf '{"SecurityGroups": [{"GroupId": 5}' >broken.json
s3 s3 cp broken.json s3://logs/broken/broken.json
if "$flowaudit" snapshot check s3://logs/broken --endpoint "$direct" 2>complaint; then exit 1; fi
grep -q 's3://logs/broken/broken.json: line 1' complaint
# A folder made by hand, a document that is called as a folder is, and more arguments than ten.
s3 s3api put-object --bucket logs --key hand/
s3 s3 cp "$samples/snapshot/subnets.json" s3://logs/hand/a.json
s3 s3 cp "$samples/snapshot/security-groups.json" s3://logs/hand/a.json/b.json
"$flowaudit" snapshot check s3://logs/hand --endpoint "$direct" >check.txt
grep -q '^s3://logs/hand/a.json: describe' check.txt && grep -q '^s3://logs/hand/a.json/b.json: describe' check.txt
arguments=()
for letter in a b c d e f g h i j k l; do
    s3 s3 cp "$samples/snapshot/subnets.json" "s3://logs/n$letter/subnets.json"
    arguments+=("s3://logs/n$letter")
done
"$flowaudit" snapshot check "${arguments[@]}" --endpoint "$direct" >check.txt
for letter in a b c d e f g h i j k l; do grep -q "^s3://logs/n$letter/subnets.json" check.txt; done
echo "documents: the same as on disk"

# Folders that cannot match are not listed; what is left out is said.
for account in 111111111111 222222222222; do
    for region in eu-west-1 us-east-1; do
        for day in 01 02 03; do
            s3 s3 cp big.log.gz "s3://logs/org/AWSLogs/o-abc/$account/vpcflowlogs/$region/2026/03/$day/${account}_vpcflowlogs_${region}_fl-0a_202603${day}T1200Z_ab.log.gz"
            s3 s3 cp big.log.gz "s3://logs/hive/AWSLogs/aws-account-id=$account/aws-service=vpcflowlogs/aws-region=$region/year=2026/month=03/day=$day/hour=12/${account}_vpcflowlogs_${region}_fl-0a_202603${day}T1200Z_ab.log.gz"
        done
    done
    s3 s3 cp big.log "s3://logs/org/AWSLogs/o-abc/$account/CloudTrail/eu-west-1/2026/03/01/trail.json.gz"
done
for layout in org hive; do
    open_door late
    : >door-late.asked
    "$flowaudit" analyze "s3://logs/$layout/" --endpoint "$door" --snapshot "$samples/snapshot" --quiet --format json \
        --account 111111111111 --region eu-west-1 --since 2026-03-02 --until 2026-03-02T20:00:00Z >bucket.json
    if grep -E '222222222222%2F|us-east-1%2F|2026%2F03%2F0[13]|day%3D0[13]|CloudTrail%2F' door-late.asked; then exit 1; fi
    python3 - "$layout" <<'PYTHON'
import json, sys
files = json.load(open("bucket.json"))["coverage"]["files"]
assert files["read"] == 1 and files["failed"] == 0, files
assert files["left_out"]["folders"] >= 4, files
PYTHON
    echo "$layout: $(grep -c 'list-type' door-late.asked) lists, $(grep -c 'Range\|bytes=' door-late.asked) ranges"
done

# An object that changes while it is read is a failure of that object, and nothing of its second half counts.
open_door change
status=0
"$flowaudit" analyze s3://logs/plain --endpoint "$door" --snapshot "$samples/snapshot" --format json --threads 1 >bucket.json \
    2>complaint || status=$?
[ $status = 3 ]
grep -q 's3://logs/plain/big.log: .*has changed while it was read' complaint

# A permission that is missing is named, with what it is missing for; the rest is read.
s3 s3 cp big.log.gz s3://logs/mixed/a.log.gz
s3 s3 cp big.log.gz s3://logs/mixed/secret.log.gz
open_door deny
status=0
"$flowaudit" analyze s3://logs/mixed --endpoint "$door" --snapshot "$samples/snapshot" --format json >bucket.json 2>complaint || status=$?
[ $status = 3 ]
grep -q 's3://logs/mixed/secret.log.gz: access denied: needs s3:GetObject on arn:aws:s3:::logs/mixed/secret.log.gz' complaint
status=0
"$flowaudit" analyze s3://logs/closed --endpoint "$door" --snapshot "$samples/snapshot" 2>complaint || status=$?
[ $status = 2 ]
grep -q 'needs s3:ListBucket on arn:aws:s3:::logs' complaint
# Who may read one object need not be allowed to list.
s3 s3 cp big.log.gz s3://logs/closed.log.gz
"$flowaudit" analyze s3://logs/closed.log.gz --endpoint "$door" --snapshot "$samples/snapshot" --quiet >/dev/null
for kind in nosuchbucket/x logs/nosuchfolder; do
    status=0
    "$flowaudit" analyze "s3://$kind" --endpoint "$direct" --snapshot "$samples/snapshot" 2>complaint || status=$?
    [ $status = 2 ]; grep -q "s3://$kind: no " complaint
done
echo "refusals: named"

# Credentials: by a profile of the real CLI, by variables of other names, none; what is secret is never shown.
s3 s3api put-bucket-acl --bucket logs --acl public-read
s3 s3 cp big.log.gz s3://logs/public/big.log.gz --acl public-read
printf '[audit]\naws_access_key_id = AKIAMADEUP\naws_secret_access_key = made-up-secret\n' >keys
(
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export AWS_EC2_METADATA_DISABLED=true
    AWS_SHARED_CREDENTIALS_FILE="$work/keys" "$flowaudit" analyze s3://logs/samples/gz --profile audit --endpoint "$direct" \
        --snapshot "$samples/snapshot" --quiet >/dev/null
    AWS_SHARED_CREDENTIALS_FILE="$work/keys" AWS_PROFILE=audit "$flowaudit" analyze s3://logs/samples/gz --endpoint "$direct" \
        --snapshot "$samples/snapshot" --quiet >/dev/null
    status=0
    AWS_SHARED_CREDENTIALS_FILE="$work/keys" "$flowaudit" analyze s3://logs/samples/gz --profile other --endpoint "$direct" \
        --snapshot "$samples/snapshot" 2>complaint || status=$?
    [ $status = 2 ]; grep -q -- '--profile other' complaint
    status=0
    "$flowaudit" analyze s3://logs/samples/gz --endpoint "$direct" --snapshot "$samples/snapshot" 2>complaint || status=$?
    [ $status = 2 ]; grep -q 'no credentials found' complaint
    "$flowaudit" analyze s3://logs/public --no-sign-request --endpoint "$direct" --snapshot "$samples/snapshot" --quiet >/dev/null
    ALIBABA_CLOUD_ACCESS_KEY_ID=made-up ALIBABA_CLOUD_ACCESS_KEY_SECRET=made-up-secret "$flowaudit" analyze oss://logs/samples/gz \
        --endpoint "$direct" --snapshot "$samples/snapshot" --quiet >/dev/null
)
# The second version of the AWS CLI, a pod and an instance say who they are.
python3 "$here/common/identity.py" identity &
doors+=($!)
for _ in $(seq 100); do
    [ -s identity ] && break
    sleep 0.1
done
identity="http://127.0.0.1:$(cat identity)"
# So does who holds a token, by TLS, and a task, at an address of its own: where the machine lets us make them.
more=
if openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE 2>/dev/null; then
    python3 "$here/common/identity.py" by-token --tls certificate.pem key.pem &
    doors+=($!)
    more+=", by a token"
fi
if ip addr add 169.254.170.2/32 dev lo 2>/dev/null; then
    task_address=169.254.170.2/32
    python3 "$here/common/identity.py" of-a-task 169.254.170.2 80 &
    doors+=($!)
    more+=", of a task"
fi
for _ in $(seq 50); do
    { [[ $more != *token* ]] || [ -s by-token ]; } && { [[ $more != *task* ]] || [ -s of-a-task ]; } && break
    sleep 0.1
done
printf token-of-the-pod >pod-token
mkdir second
cat >second/aws <<'CLI'
#!/bin/sh
[ "$*" = "configure export-credentials --format process --profile sso" ] || exit 1
echo '{"Version": 1, "AccessKeyId": "AKIAMADEUP", "SecretAccessKey": "made-up-secret", "SessionToken": "of-sso",'
echo ' "Expiration": "2099-01-01T00:00:00+00:00"}'
CLI
chmod +x second/aws
open_door late
(
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export HOME="$work" AWS_SHARED_CREDENTIALS_FILE="$work/none"
    reads() {
        : >door-late.asked
        "$@" "$flowaudit" analyze s3://logs/packed --endpoint "$door" --snapshot "$samples/snapshot" --quiet ${profile:+--profile $profile} >/dev/null
    }
    profile=sso reads env PATH="$work/second:$PATH"
    grep -q 'of-sso' door-late.asked
    profile= reads env AWS_CONTAINER_CREDENTIALS_FULL_URI="$identity/v1/credentials" AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="$work/pod-token"
    grep -q 'made-up-token' door-late.asked
    profile= reads env AWS_METADATA_ENDPOINT="$identity"
    grep -q 'made-up-token' door-late.asked
    if [[ $more == *token* ]]; then
        printf token-of-the-service >service-token
        token() {
            env SSL_CERT_FILE="$work/certificate.pem" AWS_ENDPOINT_URL_STS="https://localhost:$(cat by-token)" \
                AWS_WEB_IDENTITY_TOKEN_FILE="$work/service-token" AWS_ROLE_ARN="arn:aws:iam::111122223333:role/$1" "${@:2}"
        }
        profile= reads token audit
        grep -q 'made-up-token' door-late.asked
        status=0
        profile= reads token other 2>complaint || status=$?
        [ $status = 2 ]; grep -q 'no credentials found' complaint
        if grep -q 'token-of-the-service' complaint; then exit 1; fi
    fi
    if [[ $more == *task* ]]; then
        profile= reads env AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/task
        grep -q 'made-up-token' door-late.asked
    fi
)
echo "credentials: by profile, by variables, of a pod, of an instance$more, none"

# A state knows objects by their versions, and does not read them again.
"$flowaudit" analyze s3://logs/samples/gz --endpoint "$direct" --snapshot "$samples/snapshot" --state rolling.state --quiet >first.txt
"$flowaudit" analyze s3://logs/samples/gz --endpoint "$direct" --snapshot "$samples/snapshot" --state rolling.state >second.txt 2>complaint
cmp first.txt second.txt
grep -q 'not read again: ' complaint
# Two objects of one name, size and second are two; one that was put again is the same.
sed '1s/eni-0/eni-1/' small/1.log >other.log
cp small/1.log one.log
if cmp -s one.log other.log; then exit 1; fi
s3 s3 cp one.log s3://logs/twins/01/flow.log
s3 s3 cp other.log s3://logs/twins/02/flow.log
for day in 01 02; do
    "$flowaudit" analyze s3://logs/twins/$day --endpoint "$direct" --snapshot "$samples/snapshot" --state twins.state --quiet --format json \
        >bucket.json
done
python3 -c 'import json; r = json.load(open("bucket.json")); assert r["coverage"]["files"]["read"] == 2, r["coverage"]["files"]'
sleep 1
s3 s3 cp one.log s3://logs/twins/01/flow.log
"$flowaudit" analyze s3://logs/twins --endpoint "$direct" --snapshot "$samples/snapshot" --state twins.state --quiet >/dev/null

# A store that does not answer any more is not waited for object by object, and one of another cloud sees no token of AWS.
open_door hang
start=$(date +%s)
status=0
"$flowaudit" analyze s3://logs/small --endpoint "$door" --snapshot "$samples/snapshot" --quiet >/dev/null 2>complaint || status=$?
took=$(($(date +%s) - start))
echo "a store that cuts every answer: $took s"
[ $status = 2 ]
[ "$took" -lt 60 ]
grep -q 'does not answer any more' complaint
open_door late
AWS_SESSION_TOKEN=of-another-cloud ALIBABA_CLOUD_ACCESS_KEY_ID=x ALIBABA_CLOUD_ACCESS_KEY_SECRET=y "$flowaudit" analyze \
    oss://logs/public --endpoint "$door" --snapshot "$samples/snapshot" --quiet >/dev/null
if grep -q of-another-cloud door-late.asked; then exit 1; fi
for endpoint in 'ftp://x' 'http://'; do
    status=0
    "$flowaudit" analyze s3://logs/x --endpoint "$endpoint" --snapshot "$samples/snapshot" 2>complaint || status=$?
    [ $status = 2 ]; grep -q 'expected an address such as' complaint
done
echo "buckets: all well"
