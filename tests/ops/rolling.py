"""A rolling restart of both nodes under load: no request may fail, no write may be lost
or done twice."""

import asyncio
import collections
import json
import time

from support import check, request, until

CLIENTS = 16
WAITERS = 4
ROUNDS = 2


class Client:
    """Sends one request after the other on a kept connection, as long as it is told."""

    def __init__(self, number, port, authorization, tally):
        self.number, self.port, self.authorization, self.tally = number, port, authorization, tally
        self.streams = None

    async def send(self, method, path, body=None):
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        payload = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: ops.test\r\nAuthorization: {self.authorization}\r\n"
        if payload:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        writer.write(head.encode() + b"\r\n" + payload)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            content = b""
            while size := int((await reader.readline()).strip() or b"0", 16):
                content += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            content = await reader.readexactly(int(headers.get("content-length", "0")))
        # nginx ends a connection by itself after a thousand requests, and says so.
        if headers.get("connection", "").lower() == "close":
            writer.close()
            self.streams = None
        return status, content

    def request(self, count):
        """What is sent next: method, path, body and the status that is right."""
        name = f"rolling-{self.number}-{count}"
        turns = [
            ("GET", "/items?limit=5", None, 200),
            ("GET", "/rest/harbour/berth?limit=3", None, 200),
            ("POST", "/items", {"name": name}, 201),
            ("GET", "/auth/me", None, 200),
            ("POST", self.tally.hook["path"], {"name": name}, 200),
        ]
        return turns[count % len(turns)]

    async def run(self, stop):
        count = 0
        while not stop.is_set():
            count += 1
            method, path, body, expected = self.request(count)
            turn = f"{method} {path.split('?')[0]}"
            try:
                if method == "POST":
                    self.tally.sent += 1
                status, content = await self.send(method, path, body)
                if status == expected and path == "/items":
                    self.tally.stored += 1
                elif status == expected and method == "POST":
                    self.tally.received += 1
            except (OSError, asyncio.IncompleteReadError, ValueError, IndexError) as error:
                self.tally.failures.append((time.time(), turn, repr(error)))
                self.streams = None
                continue
            self.tally.statuses[(turn, status)] += 1
            if status != expected:
                self.tally.failures.append((time.time(), turn, status, content[:200]))


class Waiter(Client):
    """Waits for messages again and again, as a program behind a firewall does."""

    def request(self, count):
        return "GET", f"/webhooks/{self.tally.quiet}/messages?wait=4", None, 200


class Tally:
    def __init__(self, hook, quiet):
        self.hook, self.quiet = hook, quiet
        self.sent = self.stored = self.received = 0
        self.failures = []
        self.statuses = collections.Counter()


async def restart(node):
    """Stops a node as an operator would, and starts it anew."""
    code = await asyncio.to_thread(node.process.stop)
    node.start()
    await asyncio.to_thread(until, f"node {node.name}", node.ready, 60)
    await asyncio.sleep(1)
    return code


async def under_load(stage, headers):
    hook, quiet = (request(stage.proxy, "POST", "/webhooks", {"name": name}, headers).json() for name in ("load", "quiet"))
    hook["path"] = "/in/" + hook["url"].split("/in/")[1]
    tally, stop = Tally(hook, quiet["id"]), asyncio.Event()
    clients = [
        asyncio.create_task(kind(number, stage.proxy, headers["Authorization"], tally).run(stop))
        for number, kind in enumerate([Client] * CLIENTS + [Waiter] * WAITERS)
    ]
    await asyncio.sleep(1)
    codes = []
    for _ in range(ROUNDS):
        for node in stage.nodes:
            codes.append(await restart(node))
    stop.set()
    await asyncio.gather(*clients)
    return tally, codes


def rolling_restart(stage, headers):
    started = time.monotonic()
    tally, codes = asyncio.run(under_load(stage, headers))
    seconds = time.monotonic() - started
    requests = sum(tally.statuses.values())
    print(f"      {requests} requests in {seconds:.0f} s, {tally.stored + tally.received} of {tally.sent} writes acknowledged")
    check("rolling restart: nodes end with code 0", codes == [0] * len(codes), codes)
    check("rolling restart: enough requests were made", requests > 500, requests)
    check("rolling restart: no request failed", not tally.failures,
          f"{len(tally.failures)} failed: {collections.Counter(kind[1:3] for kind in tally.failures)}, "
          f"such as {tally.failures[:5]}")
    stored = request(stage.proxy, "GET", "/items?name=rolling-&limit=1", headers=headers).json()["total"]
    check("rolling restart: every acknowledged item is there, none twice",
          stored == tally.stored, f"{stored} stored, {tally.stored} acknowledged")
    kept, after = 0, 0
    while page := request(stage.proxy, "GET", f"/webhooks/{tally.hook['id']}/messages?limit=100&after={after}",
                          headers=headers).json()["messages"]:
        kept, after = kept + len(page), page[-1]["id"]
    check("rolling restart: every acknowledged message is there, none twice",
          kept == tally.received, f"{kept} kept, {tally.received} acknowledged")
