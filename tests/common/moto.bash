# A moto server on loopback, in a folder of its own that is gone at the end; sourced by the tests that drive the real AWS CLI.
# Skips, and says so, where moto or the CLI is absent.

for program in moto_server aws python3; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: no $program in the PATH (pip install 'moto[server,ec2,s3]' awscli)"
        exit 0
    fi
done

work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
moto_server -H 127.0.0.1 -p "$port" >server.log 2>&1 &
server=$!
export AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_ACCESS_KEY_ID=made-up AWS_SECRET_ACCESS_KEY=made-up-secret
export AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PAGER=
for _ in $(seq 100); do
    python3 -c "import urllib.request; urllib.request.urlopen('$AWS_ENDPOINT_URL/moto-api/')" 2>/dev/null && break
    kill -0 "$server" || { cat server.log; exit 1; }
    sleep 0.2
done
