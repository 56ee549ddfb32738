#!/usr/bin/env python3
"""What an instance, a container and a holder of a token ask for their credentials.

usage: identity.py PORT_FILE [ADDRESS PORT | --tls CERTIFICATE KEY]
"""
import http.server, json, ssl, sys, urllib.parse

KEYS = {"AccessKeyId": "AKIAMADEUP", "SecretAccessKey": "made-up-secret", "Token": "made-up-token", "Code": "Success",
        "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC"}

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
ASSUMED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>{Token}</SessionToken><SecretAccessKey>{SecretAccessKey}</SecretAccessKey>
<Expiration>{Expiration}</Expiration><AccessKeyId>{AccessKeyId}</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Identity(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer("token-of-the-instance" if self.path == "/latest/api/token" else "", 200)

    def do_POST(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        role = "arn:aws:iam::111122223333:role/audit"
        if asked.get("WebIdentityToken") != "token-of-the-service" or asked.get("RoleArn") != role:
            return self.answer("no", 403)
        self.answer(ASSUMED.format(**KEYS))

    def do_GET(self):
        by_token = self.headers.get("X-aws-ec2-metadata-token") == "token-of-the-instance"
        if self.path == "/latest/meta-data/iam/security-credentials/" and by_token:
            return self.answer("audit-role")
        if self.path == "/latest/meta-data/iam/security-credentials/audit-role" and by_token:
            return self.answer(json.dumps(KEYS))
        if self.path == "/v2/credentials/task":
            return self.answer(json.dumps(KEYS))
        if self.path == "/v1/credentials" and self.headers.get("Authorization") == "token-of-the-pod":
            return self.answer(json.dumps(KEYS))
        self.answer("no", 404)


place, rest = ("127.0.0.1", 0), sys.argv[2:]
if rest and rest[0] != "--tls":
    place = (rest[0], int(rest[1]))
server = http.server.ThreadingHTTPServer(place, Identity)
if rest and rest[0] == "--tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(rest[1], rest[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[1], "w") as out:
    out.write(str(server.server_address[1]))
server.serve_forever()
