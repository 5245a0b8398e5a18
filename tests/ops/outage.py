"""Nodes that end without saying so: what clients see through nginx."""

import http.client
import time

from support import check, request, until


def outage(stage, headers):
    one_node_killed(stage, headers)
    cut_stream(stage, headers)
    no_node(stage, headers)


def revive(node):
    node.start()
    until(f"node {node.name}", node.ready, 60)


def kill(node):
    node.process.child.kill()
    node.process.child.wait()


def one_node_killed(stage, headers):
    """What may be asked twice is asked of the other node."""
    kill(stage.a)
    answers = [request(stage.proxy, "GET", "/items?limit=1", headers=headers).status for _ in range(40)]
    # No connection came about, so a POST was not heard and may be sent elsewhere.
    posts = [request(stage.proxy, "POST", "/items", {"name": f"outage-{number}"}, headers).status for number in range(20)]
    check("a node that is gone is not noticed", set(answers) == {200} and set(posts) == {201}, (answers, posts))
    revive(stage.a)


def cut_stream(stage, headers):
    """An answer that is cut at the node must not look whole at the client."""
    made = request(stage.proxy, "POST", "/databases/harbour/tables", {
        "name": "cut", "columns": [{"name": "id", "type": "INT"}, {"name": "note", "type": "TEXT"}],
        "primary_key": ["id"]}, headers=headers)
    body = "id,note\n" + "".join(f"{number},{'y' * 2000}\n" for number in range(30000))
    loaded = request(stage.proxy, "POST", "/rest/harbour/cut", body, {**headers, "Content-Type": "text/csv"}, timeout=120)
    check("a table to be cut off", made.status == 201 and loaded.status == 201, (made.text[:200], loaded.text[:200]))
    kill(stage.b)
    connection = http.client.HTTPConnection("127.0.0.1", stage.proxy, timeout=30)
    connection.request("GET", "/rest/harbour/cut?select=note", headers=headers)
    answer = connection.getresponse()
    begun = answer.read(1_000_000)
    kill(stage.a)
    try:
        rest = answer.read()
        whole = True
    except (http.client.IncompleteRead, ConnectionError) as error:
        rest = getattr(error, "partial", b"")
        whole = False
    connection.close()
    check("an answer that was cut does not look whole", answer.status == 200 and not whole,
          (answer.status, len(begun) + len(rest)))


def no_node(stage, headers):
    """Both are gone by now: clients are told when to come again, in the API's own form."""
    for method, body in [("GET", None), ("POST", {"name": "nobody-hears"})]:
        answer = request(stage.proxy, method, "/items", body, {**headers, "X-Request-Id": "nobody-1"})
        good = (answer.status == 503 and answer.headers.get("retry-after") == "2"
                and answer.headers["content-type"] == "application/problem+json"
                and answer.json()["status"] == 503 and answer.json()["request_id"] == "nobody-1")
        check(f"without nodes {method} is a 503 that explains itself", good, (answer.status, answer.headers, answer.text))
    answer = request(stage.proxy, "GET", "/items", headers={"X-Request-Id": 'a","detail":"invented'})
    check("an id that is none is replaced", len(answer.json()["request_id"]) == 32, answer.text)
    for node in stage.nodes:
        revive(node)
    begun = time.monotonic()
    until("the API", lambda: request(stage.proxy, "GET", "/items?limit=1", headers=headers).status == 200, 10)
    check("nodes that are back are found at once", time.monotonic() - begun < 5, time.monotonic() - begun)
    missing = request(stage.proxy, "GET", "/items?name=nobody-hears", headers=headers).json()["total"]
    check("what was refused was not done", missing == 0, missing)
