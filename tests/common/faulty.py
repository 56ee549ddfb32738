#!/usr/bin/env python3
"""A door to an S3 server that does what networks and stores do: once with every request, or with some objects.

usage: faulty.py FAULT PORT_FILE SERVER
FAULT: throttle (503 to the first two requests for each path), cut (half of a body, once for each range), change (another
object in place of "big.log" once its first piece was had), deny (403 for keys with "secret", and for lists below "closed"),
late (a tenth of a second before each answer) or hang (lists are answered, and nothing else)
Writes its port into PORT_FILE. What was asked for is written to PORT_FILE.asked: a line for each request.
"""
import http.client, http.server, socket, sys, threading, time, urllib.parse

fault, port_file, server = sys.argv[1:4]
upstream = urllib.parse.urlsplit(server)
lock, seen, changed, asked = threading.Lock(), {}, threading.Event(), open(port_file + ".asked", "a", buffering=1)
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111111111111:assumed-role/audit/me is " \
         b"not authorized to perform this</Message></Error>"
SLOW = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


def times(key):
    with lock:
        seen[key] = seen.get(key, 0) + 1
        return seen[key]


def ask(method, path, headers, body=None):
    connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.getheaders(), answer.read()


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def refuse(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        span = self.headers.get("Range", "")
        asked.write(f"{self.command} {self.path} {span} {self.headers.get('X-Amz-Security-Token', '')}\n")
        # What is asked for again after a cut ends where it did before.
        count = times((self.path, span.rpartition("-")[2] if fault == "cut" else span))
        if fault == "hang" and span:
            return self.connection.shutdown(socket.SHUT_RDWR)
        if fault == "late":
            time.sleep(0.1)
        if fault == "throttle" and count <= 2:
            return self.refuse(503, SLOW)
        if fault == "deny" and ("secret" in self.path.split("?")[0] or "prefix=closed" in self.path):
            return self.refuse(403, DENIED)
        changes = fault == "change" and "big.log" in self.path.split("?")[0] and span
        if changes and not span.startswith("bytes=0-"):
            changed.wait(10)
        status, headers, body = ask("GET", self.path, {k: v for k, v in self.headers.items() if k.lower() != "host"})
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "cut" and span and count == 1:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(body)
        if changes and len(body) > 1_000_000:
            ask("PUT", self.path.split("?")[0], {}, b"another object\n" * 1_000_000)
            changed.set()

    def do_HEAD(self):
        asked.write(f"HEAD {self.path}\n")
        status, headers, _ = ask("HEAD", self.path, {k: v for k, v in self.headers.items() if k.lower() != "host"})
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


door = Server(("127.0.0.1", 0), Door)
with open(port_file, "w") as out:
    out.write(str(door.server_address[1]))
door.serve_forever()
