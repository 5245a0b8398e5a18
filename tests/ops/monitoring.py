"""The rules, the scraped text, the dashboard and the page that explains them: each panel of
the dashboard must have data while Tidegate does all that it can do."""

import hashlib
import hmac
import itertools
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse

from stage import TOP
from support import check, read, request, until

RULES = os.path.join(TOP, "docker/prometheus/rules/tidegate.yml")
DASHBOARD = os.path.join(TOP, "docker/grafana/dashboards/tidegate.json")
PAGE = os.path.join(TOP, "docs/OPERATIONS.md")
# How long the panels are given to fill.
PATIENCE = 120
# What is rightly nought as long as all is well.
QUIET = {"Answers 5xx by route A", "Errors (5xx) A", "Waiting for a connection A", "Waiting for a connection B"}


def monitoring(stage, headers):
    files()
    load = Load(stage, headers)
    load.start()
    try:
        panels(stage)
        recorded(stage)
        alerts(stage)
    finally:
        load.stop()
    check("the load did what it was meant to do", not load.surprises, load.surprises[:5])
    scraped(stage)


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60, cwd=TOP)
    return done.returncode, done.stdout + done.stderr


def files():
    for arguments in [("check", "config", "docker/prometheus/prometheus.yml"),
                      ("check", "rules", "docker/prometheus/rules/tidegate.yml"),
                      ("test", "rules", "docker/prometheus/tests/tidegate.yml")]:
        code, output = promtool(*arguments)
        check("promtool " + " ".join(arguments), code == 0, output)
    page = read(PAGE)
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
                for line in page.splitlines() if line.startswith("#")}
    named = re.findall(r"runbook: docs/OPERATIONS.md#(\S+)", read(RULES))
    alerts_there = re.findall(r"alert: (\S+)", read(RULES))
    missing = [anchor for anchor in named if anchor not in headings]
    check("every alert has its paragraph in docs/OPERATIONS.md",
          not missing and [a.lower() for a in alerts_there] == named, missing)
    tested = set(re.findall(r"alertname: (\w+)", read(os.path.join(TOP, "docker/prometheus/tests/tidegate.yml"))))
    check("every alert has a test", tested == set(alerts_there), tested ^ set(alerts_there))


class Load:
    """Calls of every kind, again and again, on a thread of its own."""

    def __init__(self, stage, headers):
        self.stage, self.headers = stage, headers
        self.surprises, self.over = [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.hook = self.call("POST", "/webhooks", {"name": "load", "provider": "github", "max_deliveries": 1}, expect=201).json()
        self.secret = "a secret of the load"
        self.call("POST", f"/webhooks/{self.hook['id']}/secrets", {"secret": self.secret}, expect=201)
        self.kept = self.call("POST", "/webhooks", {"name": "kept", "provider": "github", "unverified": "keep"}, expect=201).json()
        self.call("POST", f"/webhooks/{self.kept['id']}/secrets", {"secret": self.secret}, expect=201)
        for job in self.call("GET", "/admin/jobs", expect=200).json()["jobs"]:
            self.call("POST", f"/admin/jobs/{job['name']}/run")
        self.thread.start()

    def stop(self):
        self.ended.set()
        self.thread.join(30)

    def call(self, method, path, body=None, headers=None, expect=None, **more):
        answer = request(self.stage.proxy, method, path, body, {**self.headers, **(headers or {})}, **more)
        if expect and answer.status != expect:
            self.surprises.append((method, path, answer.status, answer.text[:300]))
        return answer

    def run(self):
        for turn in itertools.count(1):
            if self.ended.is_set():
                return
            try:
                self.once(turn)
            except Exception as error:  # the panels tell what is missing
                self.surprises.append(repr(error))
            time.sleep(0.2)

    def once(self, turn):
        made = self.call("POST", "/items", {"name": f"load-{turn}"}, expect=201).json()
        self.call("GET", f"/items/{made['id']}", expect=200)
        self.call("PATCH", f"/items/{made['id']}", {"description": "x"},
                  {"Content-Type": "application/merge-patch+json"}, expect=200)
        self.call("DELETE", f"/items/{made['id']}", expect=200)
        self.call("GET", "/rest/harbour/berth?limit=3", expect=200)
        self.call("GET", "/rest/harbour/nothing", expect=404)
        self.call("GET", "/no/such/route", expect=404)
        self.call("POST", "/items", {"name": 7}, expect=422)
        self.call("POST", "/databases/harbour/reload", expect=204)
        for node in self.stage.nodes:
            request(node.http, "GET", "/rest/harbour/berth?limit=1", headers=self.headers)
        self.accounts(turn)
        self.messages(turn)

    def accounts(self, turn):
        # Each turn from another address, so that log-ins are not limited by it.
        source = f"127.0.1.{turn % 250 + 1}"
        good = {"username": "admin", "password": self.stage.admin_password}
        session = self.call("POST", "/auth/token", good, source=source, expect=200).json()
        bearer = {"Authorization": "Bearer " + session["access_token"]}
        self.call("POST", "/auth/logout", headers=bearer, expect=200)
        # On every node a session is over after five seconds at most.
        self.over.append((time.monotonic() + 5, bearer))
        while self.over and self.over[0][0] < time.monotonic():
            self.call("GET", "/auth/me", headers=self.over.pop(0)[1], expect=401)
        self.call("GET", "/auth/me", headers={"Authorization": "Bearer no.token.this"}, expect=401)
        for attempt in range(7):
            self.call("POST", "/auth/token", {"username": f"nobody-{turn % 5}", "password": "wrong password"}, source=source)
        # And one address that goes on for too long.
        for attempt in range(8):
            self.call("POST", "/auth/token", {"username": f"guess-{turn}", "password": "wrong password"}, source="127.0.2.1")

    def sign(self, body):
        return "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    def messages(self, turn):
        path = "/in/" + self.hook["url"].split("/in/")[1]
        for number in range(3):
            body = json.dumps({"turn": turn, "number": number}).encode()
            signed = {"X-Hub-Signature-256": self.sign(body), "X-GitHub-Delivery": f"{turn}-{number}",
                      "Content-Type": "application/json"}
            self.call("POST", path, body, signed, expect=200)
        self.call("POST", path, body, signed, expect=200)
        self.call("POST", path, body, {"X-Hub-Signature-256": "sha256=00"}, expect=401)
        kept = "/in/" + self.kept["url"].split("/in/")[1]
        self.call("POST", kept, body, {"X-Hub-Signature-256": "sha256=00"}, expect=200)
        consumer = f"/webhooks/{self.hook['id']}/consumers/load"
        other = f"/webhooks/{self.kept['id']}/consumers/load"
        # The first message is acknowledged, the second returned, which for a webhook with one
        # delivery is its end; the third stays until its lease is over.
        for base in (consumer, other):
            lease = self.call("POST", f"{base}/lease", {"limit": 3, "seconds": 1}, expect=200).json()
            ids = [message["id"] for message in lease["messages"]]
            if ids:
                self.call("POST", f"{base}/ack", {"lease": lease["lease"], "ids": ids[:1]}, expect=204)
            if ids[1:2]:
                self.call("POST", f"{base}/nack", {"lease": lease["lease"], "ids": ids[1:2], "delay": 0}, expect=204)
            if base == other and ids and turn % 2:
                self.call("POST", f"{base}/replay", {"from": ids[0]}, expect=200)


def ask(stage, expression):
    path = "/prometheus/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    return request(stage.prometheus, "GET", path).json()


def has_data(stage, expression, zero=True):
    """Whether an expression has a value that is a number, and with `zero` off another than 0."""
    answer = ask(stage, expression)
    if answer["status"] != "success":
        raise ValueError(f"{expression}: {answer}")
    values = [sample["value"][1] for sample in answer["data"]["result"]]
    numbers = [float(value) for value in values if value not in ("NaN", "+Inf", "-Inf")]
    return bool(numbers) and (zero or any(numbers))


def expressions():
    """Panel by panel, every query of the dashboard as Grafana would send it."""
    dashboard = json.loads(read(DASHBOARD))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "20s").replace("$instance", ".*")
            yield f"{panel['title']} {target['refId']}", text


def panels(stage):
    wanted = dict(expressions())
    check("the dashboard has panels", len(wanted) > 40, len(wanted))
    empty = set(wanted)

    def filled():
        for name in list(empty):
            if has_data(stage, wanted[name], zero=name in QUIET):
                empty.discard(name)
        return not empty

    begun = time.monotonic()
    try:
        until("data", filled, PATIENCE, 1)
    except TimeoutError:
        pass
    print(f"      {len(wanted) - len(empty)} of {len(wanted)} queries of the dashboard have data, after "
          f"{time.monotonic() - begun:.0f} s")
    check("every panel of the dashboard has data", not empty, {name: wanted[name] for name in sorted(empty)})


def recorded(stage):
    names = re.findall(r"record: (\S+)", read(RULES))
    empty = [name for name in names if not has_data(stage, name)]
    check("every recording rule has data", not empty, empty)


def alerts(stage):
    """Each alert's metrics exist: a name that is spelt wrong never fires."""
    rules = request(stage.prometheus, "GET", "/prometheus/api/v1/rules").json()["data"]["groups"]
    every = [rule for group in rules for rule in group["rules"]]
    sick = [(rule["name"], rule.get("lastError")) for rule in every if rule["health"] == "err"]
    check("Prometheus evaluates every rule", not sick and len(every) > 20, sick)


def series(text):
    """The names of metrics in a scraped text, by their TYPE lines."""
    return set(re.findall(r"^# TYPE (\S+)", text, flags=re.M))


def scraped(stage):
    names = set()
    for node in stage.nodes:
        text = request(node.metrics, "GET", "/metrics").text
        names |= series(text)
        code, output = promtool("check", "metrics", text=text)
        check(f"promtool check metrics, node {node.name}", code == 0, output)
        untyped = set(re.findall(r"^([a-z_]+)[{ ]", text, flags=re.M))
        untyped = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in names else name for name in untyped} - names
        check(f"every metric of node {node.name} has a type", not untyped, untyped)
        unbounded = [line for line in text.splitlines() if re.search(r"rolling-|load-\d|/in/\w{8}|harbour", line)]
        check(f"no label of node {node.name} holds what people choose", not unbounded, unbounded[:3])
        check(f"node {node.name} serves a bounded number of series", len(text.splitlines()) < 20_000, len(text.splitlines()))

    page = set(re.findall(r"^\| `((?:tidegate|process)_[a-z_]+)", read(PAGE), flags=re.M))
    check("docs/OPERATIONS.md explains every metric, and no other", page == names,
          {"not explained": sorted(names - page), "not there": sorted(page - names)})
    used = "\n".join([read(RULES), *(text for _, text in expressions())])
    used = set(re.findall(r"\b((?:tidegate|process)_[a-z_]+)", used))
    unknown = {name for name in used if name not in names and re.sub(r"_(bucket|sum|count)$", "", name) not in names}
    check("rules and dashboard use metrics that exist", not unknown, unknown)
    # Mostly no limit is set, which would only spoil the scale.
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} | used | {"process_virtual_memory_max_bytes"}
    unseen = names - shown
    check("the dashboard shows every metric", not unseen, unseen)
