#!/usr/bin/env python3
"""What an instance and a container ask for their credentials.

usage: identity.py PORT_FILE
"""
import http.server, json, sys

KEYS = {"AccessKeyId": "AKIAMADEUP", "SecretAccessKey": "made-up-secret", "Token": "made-up-token", "Code": "Success",
        "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC"}


class Identity(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, text, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer("token-of-the-instance" if self.path == "/latest/api/token" else "", 200)

    def do_GET(self):
        by_token = self.headers.get("X-aws-ec2-metadata-token") == "token-of-the-instance"
        if self.path == "/latest/meta-data/iam/security-credentials/" and by_token:
            return self.answer("audit-role")
        if self.path == "/latest/meta-data/iam/security-credentials/audit-role" and by_token:
            return self.answer(json.dumps(KEYS))
        if self.path == "/v1/credentials" and self.headers.get("Authorization") == "token-of-the-pod":
            return self.answer(json.dumps(KEYS))
        self.answer("no", 404)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Identity)
with open(sys.argv[1], "w") as out:
    out.write(str(server.server_address[1]))
server.serve_forever()
