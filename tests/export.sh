#!/usr/bin/env bash
# What --export writes, as a database reads it: DuckDB's types are those of the DDL, and its sums are those of the report. Skips,
# and says so, where DuckDB is absent.
#
# usage: tests/export.sh PATH/TO/flowaudit
set -euo pipefail
flowaudit=$(realpath "${1:?usage: tests/export.sh PATH/TO/flowaudit}")
cd "$(dirname "$0")/.."

if ! python3 -c 'import duckdb' 2>/dev/null; then
    echo "skipped: no DuckDB (pip install duckdb)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$flowaudit" analyze sample-logs/gz --snapshot sample-logs/snapshot --export "$work/records.parquet" --format json --quiet \
    >"$work/report.json"
python3 - "$work" <<'PYTHON'
import duckdb, json, re, sys

work = sys.argv[1]
report = json.load(open(work + "/report.json"))
duckdb.sql(f"CREATE VIEW records AS FROM '{work}/records.parquet'")
readme = open("README.md").read()
ddl = re.search(r"CREATE EXTERNAL TABLE flowaudit_records \((.*?)\n\)", readme, re.S).group(1)
declared = [line.strip(" ,").split(" ") for line in ddl.strip().splitlines()]
types = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "timestamp": "TIMESTAMP WITH TIME ZONE",
         "array<string>": "VARCHAR[]"}
found = [(name, kind) for name, kind, *_ in duckdb.sql("DESCRIBE records").fetchall()]
assert [(name, types[kind]) for name, kind in declared] == found, (declared, found)

of_rules = dict((key, tuple(rest)) for key, *rest in duckdb.sql("""
    SELECT unnest(rules) AS rule, count(*) FILTER (role = 'forward'), count(*) FILTER (role = 'reply'), sum(bytes)::BIGINT
    FROM records GROUP BY rule""").fetchall())
for rule in report["rules"]:
    usage = rule["usage"]
    expected = (usage["records"], usage["reply_records"], usage["bytes"])
    assert of_rules.get(rule["rule_key"], (0, 0, 0)) == expected, rule["rule_key"]
first, last = duckdb.sql("SELECT min(epoch(start_time))::BIGINT, max(epoch(end_time))::BIGINT FROM records").fetchall()[0]
print(f"DuckDB: {len(found)} columns as declared, {len(report['rules'])} rules as reported, {last - first} seconds of records")
PYTHON
