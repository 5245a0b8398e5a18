"""What the parts of the operations test share: ports, processes, requests, results."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time

PASSED = []
FAILED = []


def check(name, good, detail=""):
    """Notes one result and prints it."""
    (PASSED if good else FAILED).append(name)
    line = ("ok    " if good else "FAIL  ") + name
    if detail and not good:
        line += ": " + str(detail)[:2000]
    print(line, flush=True)
    return good


def free_ports(count):
    """Ports that nobody listens on, all different, below those that the kernel takes for
    outgoing connections: a node that starts again must find its port free."""
    ports = set()
    while len(ports) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.add(port)
            except OSError:
                pass
    return list(ports)


def until(what, test, seconds=30, pause=0.05):
    """Asks until `test` has a true answer, and returns that."""
    end = time.monotonic() + seconds
    while True:
        answer = test()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(pause)


class Answer:
    """Status, headers (lower case) and body of an answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def request(port, method, path, body=None, headers=None, source="127.0.0.1", timeout=30):
    """One request on a connection of its own, from a loopback address of choice."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=timeout, source_address=(source, 0)
    )
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()


def raw(port, text, timeout=10):
    """Sends bytes as they are, and returns what comes back until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(text)
        pieces = []
        try:
            while piece := connection.recv(65536):
                pieces.append(piece)
        except (TimeoutError, ConnectionResetError):
            pass
        return b"".join(pieces)


class Process:
    """A program that is ended with the test, its output in a file."""

    started = []

    def __init__(self, arguments, log, environment=None, folder=None, **more):
        self.log = log
        self.output = open(log, "ab")
        self.child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            **more,
        )
        Process.started.append(self)

    def alive(self):
        return self.child.poll() is None

    def stop(self, patience=60):
        """SIGTERM; the exit code, or None where that was not enough."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None
        finally:
            self.output.close()

    @classmethod
    def stop_all(cls):
        # Asked to, not killed: nginx ends its workers itself.
        running = [process for process in reversed(cls.started) if process.alive()]
        for process in running:
            process.child.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        for process in running:
            try:
                process.child.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.child.kill()
                process.child.wait()


def tail(path, lines=15):
    """The end of a log, for the report of a failure."""
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return str(error)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
