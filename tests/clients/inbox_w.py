"""A client of the older webhook inbox, written for its documentation alone: HTTP
Basic with an id and an API key, `GET /`, `GET /webhooks`, `GET /whcontent`,
`GET /whcontent/{id}` and `POST /whcontent`.

BASE, ID and KEY in the environment say where and who. There must be one webhook
that receives, and no content yet. Ends with 0 if all answers are as documented.
"""

import base64
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

BASE = os.environ["BASE"].rstrip("/")
ID = os.environ["ID"]
KEY = os.environ["KEY"]
PAGE = 7


def call(method, path, key=KEY, body=None, headers=None):
    """Sends a request and gives the status and the JSON of the answer."""
    url = path if path.startswith("http") else BASE + path
    request = urllib.request.Request(url, data=body, method=method)
    if key is not None:
        pair = base64.b64encode(f"{ID}:{key}".encode()).decode()
        request.add_header("Authorization", "Basic " + pair)
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def expect(found, wanted, what):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} in place of {wanted!r}")


def get(path):
    status, answer = call("GET", path)
    expect(status, 200, path)
    return answer


def collect(whid=None):
    """All content from the oldest on, page by page, as a script would poll it."""
    found, start = [], 0
    while True:
        query = {"id": start, "limit": PAGE}
        if whid is not None:
            query["whid"] = whid
        page = get("/whcontent?" + urllib.parse.urlencode(query))["whcontent"]
        found += page
        if len(page) < PAGE:
            return found
        # The lower bound belongs to the page.
        start = page[-1]["id"] + 1


# Who am I?
expect(get("/")["username"], ID, "the name at the root")
status, _ = call("GET", "/", key="not the key")
expect(status, 401, "a wrong key")
expect(call("GET", "/whcontent", key=None)[0], 401, "no key")

# Where do messages come in?
hooks = [hook for hook in get("/webhooks")["webhooks"] if hook["status"] == 1]
expect(len(hooks), 1, "webhooks that receive")
hook = hooks[0]
expect(type(hook["wh_id"]), int, "the type of wh_id")
expect(type(hook["wh_name"]), str, "the type of wh_name")
expect(get("/whcontent"), {"whcontent": []}, "the content at the beginning")

# What others send is listed.
sent = [json.dumps({"n": n, "text": "low water \u00e9"}) for n in range(30)]
for text in sent:
    status, _ = call("POST", hook["wh_url"], None, text.encode(), {"Content-Type": "application/json"})
    expect(status, 200, "the answer to a provider")

# So is content of one's own, whatever way it is given.
text = "high water & 100% \u00e9"
made = []
for path, body, headers in (
    ("/whcontent?" + urllib.parse.urlencode({"content": text}), b"", {}),
    ("/whcontent", json.dumps({"content": text}).encode(), {"Content-Type": "application/json"}),
    ("/whcontent/", text.encode(), {"Content-Type": "text/plain"}),
):
    status, answer = call("POST", path, body=body, headers=headers)
    expect(status, 201, path)
    expect(answer["result"], "ok", path)
    made.append(answer["id"])

everything = collect()
expect([item["content"] for item in everything], sent + [text] * 3, "all content")
for item in everything:
    expect(set(item), {"id", "content", "ip", "api", "dt", "wh_id"}, "the members")
    expect([type(item[name]) for name in ("id", "content", "ip", "api", "dt", "wh_id")],
           [int, str, str, int, str, int], "their types")
    expect(bool(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", item["dt"])), True, item["dt"])
expect([item["content"] for item in collect(hook["wh_id"])], sent, "content of the webhook")
expect({item["api"] for item in collect(hook["wh_id"])}, {1}, "api of what was received")
own = collect(0)
expect([item["id"] for item in own], made, "content of one's own")
expect({(item["api"], item["wh_id"]) for item in own}, {(0, 0)}, "api and wh_id of one's own")

# One of them, and one that is not there.
expect(get(f"/whcontent/{made[0]}"), own[0], "one content")
expect(call("GET", "/whcontent/987654321")[0], 404, "a missing content")
print("ok")
