"""What nginx passes on, to whom, and what it keeps to itself."""

import json
import socket
import time

from stage import BALANCER
from support import check, raw, read, request, until

PUBLIC = "203.0.113.7"


def routing(stage, headers):
    proxy = stage.proxy
    everything_else(stage, headers)
    monitoring(stage)
    addresses(stage, headers)
    streams(stage, headers)
    parsing(proxy)
    inbox(stage, headers)
    check("nginx wrote no error worth an alarm",
          not [line for line in read(stage.error_log).splitlines() if "[crit]" in line or "[emerg]" in line])


def everything_else(stage, headers):
    """Each prefix of the API is answered by the API."""
    expected = {
        "/": 200, "/auth/me": 200, "/items": 200, "/items/": 200, "/users": 200, "/roles": 200,
        "/versions": 200, "/posts": 200, "/employees": 200, "/webhooks": 200, "/whcontent": 200,
        "/databases": 200, "/rest/harbour/berth": 200, "/get-table/harbour/berth": 200,
        "/health/live": 200, "/health/ready": 200, "/admin/jobs": 200, "/logo.png": 200, "/nowhere": 404, "/in/nobody": 404,
    }
    wrong = {}
    for path, status in expected.items():
        answer = request(stage.proxy, "GET", path, headers=headers)
        # Whatever a node answers carries its request id and its guard against sniffing.
        if answer.status != status or "x-content-type-options" not in answer.headers:
            wrong[path] = (answer.status, answer.text[:200])
    check("the API answers its paths", not wrong, wrong)

    packed = request(stage.proxy, "GET", "/openapi.json",
                     headers={"Authorization": basic_of("admin", stage.admin_password), "Accept-Encoding": "gzip"})
    check("what a node compressed stays so", packed.headers.get("content-encoding") == "gzip"
          and packed.body[:2] == b"\x1f\x8b", packed.headers)
    basic = {"Authorization": basic_of("admin", stage.admin_password)}
    for path in ["/docs", "/swagger", "/openapi.json"]:
        anonymous = request(stage.proxy, "GET", path)
        signed_in = request(stage.proxy, "GET", path, headers=basic)
        if signed_in.status in (301, 307, 308):
            signed_in = request(stage.proxy, "GET", signed_in.headers["location"], headers=basic)
        check(f"{path} asks for a password and opens with it",
              anonymous.status == 401 and signed_in.status == 200, (anonymous.status, signed_in.status))

    answer = request(stage.proxy, "GET", "/health/live", headers={"X-Request-Id": "from-outside-1"})
    check("the request id of a client comes back", answer.headers.get("x-request-id") == "from-outside-1", answer.headers)
    answer = request(stage.proxy, "GET", "/health/live")
    check("the versions of programs are not told",
          not any(char.isdigit() for char in answer.headers.get("server", "")), answer.headers)


def basic_of(name, password):
    import base64
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def monitoring(stage):
    """/metrics and /prometheus/ are for private addresses or the monitoring's password."""
    spoofs = [
        {},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"X-Real-IP": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
        {"Authorization": basic_of("monitor", "wrong")},
        {"Authorization": basic_of("admin", stage.admin_password)},
    ]
    password = {"Authorization": basic_of("monitor", stage.monitoring_password)}
    for path, sign in [("/metrics", "tidegate_build_info"), ("/prometheus/-/ready", "Ready"),
                       ("/prometheus/api/v1/query?query=up", "success")]:
        private = request(stage.proxy, "GET", path)
        check(f"{path} is open to private addresses", private.status == 200 and sign in private.text,
              (private.status, private.text[:200]))
        refused = []
        for spoof in spoofs:
            # The balancer speaks for a public client, which adds what it likes before.
            told = dict(spoof)
            told["X-Forwarded-For"] = ", ".join(filter(None, [spoof.get("X-Forwarded-For"), PUBLIC]))
            answer = request(stage.proxy, "GET", path, headers=told, source=BALANCER)
            if answer.status != 401 or sign in answer.text:
                refused.append((spoof, answer.status))
        check(f"{path} is hidden from everybody else", not refused, refused)
        answer = request(stage.proxy, "GET", path, headers={**password, "X-Forwarded-For": PUBLIC}, source=BALANCER)
        check(f"{path} opens with the password", answer.status == 200 and sign in answer.text, answer.status)

    hidden = {}
    for path in ["/metrics/", "//metrics", "/%6detrics", "/metrics%2f", "/./metrics", "/items/../metrics",
                 "/METRICS", "/prometheus", "/%70rometheus/graph", "/rest/../prometheus/graph", "/metrics;a=b"]:
        answer = request(stage.proxy, "GET", path, headers={"X-Forwarded-For": PUBLIC}, source=BALANCER)
        if "tidegate_" in answer.text or answer.status not in (301, 400, 401, 404):
            hidden[path] = (answer.status, answer.text[:100])
    check("no spelling of the path opens it", not hidden, hidden)
    for node in stage.nodes:
        answer = request(node.http, "GET", "/metrics")
        check(f"the public port of node {node.name} has no metrics", answer.status == 404, answer.status)

    answer = request(stage.proxy, "GET", "/grafana/login?x=1", headers={"X-Forwarded-For": PUBLIC}, source=BALANCER)
    check("/grafana/ goes to Grafana with its path", answer.text == "grafana /grafana/login?x=1", answer.text)
    answer = request(stage.proxy, "GET", "/grafana")
    check("/grafana leads to /grafana/", answer.status == 301 and answer.headers["location"] == "/grafana/", answer.headers)


def addresses(stage, headers):
    """Nodes see whom nginx speaks with, whatever the client says about itself."""

    def seen(answer):
        rid = answer.headers["x-request-id"]

        def find():
            for node in stage.nodes:
                for line in read(node.log).splitlines():
                    if rid in line and '"address"' in line:
                        return json.loads(line)["address"]
            return None

        return until("the access line", find, 10)

    plain = request(stage.proxy, "GET", "/roles", source="127.0.0.77")
    check("the client's address reaches the node", seen(plain) == "127.0.0.77", seen(plain))
    spoofed = request(stage.proxy, "GET", "/roles", source="127.0.0.77", headers={
        "X-Forwarded-For": "198.51.100.9", "X-Real-IP": "198.51.100.9", "Forwarded": "for=198.51.100.9"})
    check("a client cannot invent its address", seen(spoofed) == "127.0.0.77", seen(spoofed))
    balanced = request(stage.proxy, "GET", "/roles", source=BALANCER,
                       headers={"X-Forwarded-For": f"198.51.100.9, {PUBLIC}"})
    check("a load balancer that is named speaks for its client", seen(balanced) == PUBLIC, seen(balanced))

    body = {"username": "admin", "password": stage.admin_password}
    token = request(stage.proxy, "POST", "/auth/token", body, headers={"X-Forwarded-For": PUBLIC}, source=BALANCER)
    sessions = request(stage.proxy, "GET", "/auth/sessions",
                       headers={"Authorization": "Bearer " + token.json()["access_token"]})
    check("the list of sessions shows it", PUBLIC in sessions.text, sessions.text[:500])

    made = request(stage.proxy, "POST", "/webhooks", {"name": "links"}, headers={**headers, "Host": "api.example.org"})
    check("links name the host that the client asked for",
          made.status == 201 and made.json()["url"].startswith("http://api.example.org/in/"), made.text[:300])


def streams(stage, headers):
    """Rows pass in both directions without being collected first."""
    made = request(stage.proxy, "POST", "/databases/harbour/tables", {
        "name": "wide", "columns": [{"name": "id", "type": "INT"}, {"name": "note", "type": "TEXT"}],
        "primary_key": ["id"]}, headers=headers)
    check("a table for the stream", made.status == 201, made.text[:300])
    rows = 60000
    body = "id,note\n" + "".join(f"{number},{'x' * 1000}\n" for number in range(rows))
    loaded = request(stage.proxy, "POST", "/rest/harbour/wide", body,
                     {**headers, "Content-Type": "text/csv", "Expect": ""}, timeout=120)
    check("an import of 60 MB passes", loaded.status == 201, (loaded.status, loaded.text[:300]))
    answer = request(stage.proxy, "GET", "/rest/harbour/wide?select=note", headers=headers, timeout=120)
    check("60 MB of rows come back", answer.status == 200 and len(answer.body) > rows * 1000,
          (answer.status, len(answer.body)))
    # A reader that stops reading: nginx must not take all in and let the node go on.
    request_text = (f"GET /rest/harbour/wide?select=note HTTP/1.1\r\nHost: t\r\n"
                    f"Authorization: {headers['Authorization']}\r\nConnection: close\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", stage.proxy), timeout=30) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.sendall(request_text)
        head = reader.recv(1000)
        check("the first rows are there before the last", b"200 OK" in head, head[:100])
    too_large = raw(stage.proxy, b"POST /items HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 20000000\r\nConnection: close\r\n" +
                    f"Authorization: {headers['Authorization']}\r\n\r\n".encode() + b"[" + b" " * 19_999_999)
    check("what is too large is refused by Tidegate, which says why",
          b" 413 " in too_large[:20] and b"application/problem+json" in too_large.lower(), too_large[:300])
    long = request(stage.proxy, "GET", "/items?name=" + "x" * 20000, headers=headers)
    check("so is what has too long a path", long.status == 414 and "request_id" in long.text, (long.status, long.text[:200]))


def parsing(port):
    """Two meanings of one request end here."""
    cases = {
        "length and chunks": b"POST /items HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "two lengths": b"POST /items HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nABCDEF",
        "an unknown coding": b"POST /items HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "two hosts": b"GET /roles HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "no host": b"GET /roles HTTP/1.1\r\n\r\n",
        "a length that is none": b"POST /items HTTP/1.1\r\nHost: t\r\nContent-Length: +5\r\n\r\nABCDE",
        "a folded header": b"GET /roles HTTP/1.1\r\nHost: t\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n",
    }
    wrong = {}
    for name, text in cases.items():
        answer = raw(port, text, timeout=5)
        status = answer[:16].decode("latin-1")
        good = status.startswith("HTTP/1.1 4") or status.startswith("HTTP/1.1 501")
        if not good or answer.count(b"HTTP/1.1 ") != 1:
            wrong[name] = answer[:200]
    check("requests with two meanings are refused", not wrong, wrong)


def inbox(stage, headers):
    """A message's bytes and headers arrive as they were sent; a wait may last."""
    made = request(stage.proxy, "POST", "/webhooks", {"name": "exact"}, headers=headers).json()
    path = "/in/" + made["url"].split("/in/")[1]
    body = b'\xef\xbb\xbf{"b": 1,\r\n "a":\t"\xff\x00"}'
    sent = request(stage.proxy, "POST", path + "/deep/er?x=%41&y", body,
                   {"X_Signature_1": "kept", "Content-Encoding": "gzip", "Content-Type": "application/x-odd"})
    check("a webhook's message is taken in", sent.status == 200, (sent.status, sent.text[:200]))
    chunked = raw(stage.proxy, f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
                  + b"4\r\nab\r\n\r\n3\r\ncd\n\r\n0\r\n\r\n")
    check("so is one in chunks", chunked.startswith(b"HTTP/1.1 200"), chunked[:200])
    messages = request(stage.proxy, "GET", f"/webhooks/{made['id']}/messages", headers=headers).json()["messages"]
    bodies = [request(stage.proxy, "GET", f"/webhooks/{made['id']}/messages/{message['id']}/body", headers=headers).body
              for message in messages]
    check("the bytes are those that were sent", bodies == [body, b"ab\r\ncd\n"], bodies)
    first = messages[0]
    names = {header["name"].lower() for header in first["headers"]}
    check("so are path, query and headers", first["path"] == "/deep/er" and first["query"] == "x=%41&y"
          and "x_signature_1" in names, first)
    log = read(stage.access_log)
    check("the log of nginx does not tell the address of a webhook",
          path.split("/")[2] not in log and "/in/***/deep/er" in log)

    begun = time.monotonic()
    waited = request(stage.proxy, "GET", f"/webhooks/{made['id']}/messages?after={messages[-1]['id']}&wait=3", headers=headers)
    check("a wait for messages is passed on", waited.status == 200 and time.monotonic() - begun > 2.5, waited.status)
