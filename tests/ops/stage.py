"""The stage: two nodes of Tidegate on one database, nginx and Prometheus with the
project's own files (only addresses, ports and folders replaced), and a stand-in for
Grafana, which no package offers."""

import http.server
import os
import re
import secrets
import shutil
import subprocess
import threading

from support import Process, free_ports, read, request, tail, until, write

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
# Who may say in X-Forwarded-For whom it speaks for: a load balancer in front of nginx.
BALANCER = "127.0.0.9"
# How long a node goes on answering after SIGTERM. nginx keeps idle connections for 2 s.
DRAIN_SECONDS = 3
# Nodes need no rights, and have none here either.
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}


class Node:
    """One Tidegate, which may be stopped and started again."""

    def __init__(self, stage, name, http, metrics):
        self.stage, self.name, self.http, self.metrics = stage, name, http, metrics
        self.log = os.path.join(stage.folder, f"node-{name}.log")
        self.process = None

    def start(self):
        environment = self.stage.environment | {
            "TIDEGATE__SERVER__ADDRESS": f"127.0.0.1:{self.http}",
            "TIDEGATE__METRICS__ADDRESS": f"127.0.0.1:{self.metrics}",
        }
        self.process = Process(
            [self.stage.program, "serve"], self.log, environment, self.stage.folder, **NOBODY
        )

    def ready(self):
        if not self.process.alive():
            raise RuntimeError(f"node {self.name} has ended:\n{tail(self.log)}")
        try:
            return request(self.http, "GET", "/health/ready", timeout=3).status == 200
        except OSError:
            return False


class Stage:
    """Everything that runs."""

    def __init__(self, folder, program, database):
        self.folder = folder
        # Where everybody can get at them.
        self.program = shutil.copy(program, os.path.join(folder, "tidegate"))
        for name in ["config", "static"]:
            shutil.copytree(os.path.join(TOP, name), os.path.join(folder, name))
        os.mkdir(os.path.join(folder, "data"))
        if NOBODY:
            shutil.chown(os.path.join(folder, "data"), NOBODY["user"], NOBODY["group"])
        ports = free_ports(7)
        self.proxy, self.prometheus, self.grafana = ports[:3]
        self.monitoring_password = secrets.token_hex(12)
        self.admin_password = secrets.token_hex(12)
        self.environment = {
            "PATH": os.environ["PATH"],
            "TIDEGATE_PROFILE": "production",
            "TIDEGATE_CONFIG_DIR": os.path.join(folder, "config"),
            "TIDEGATE__DATABASE__URL": database + "/tidegate",
            "TIDEGATE__DATA_DIR": os.path.join(folder, "data"),
            "TIDEGATE__STATIC_DIR": os.path.join(folder, "static"),
            "TIDEGATE__ADMIN__PASSWORD": self.admin_password,
            "TIDEGATE__AUTH__JWT_SECRET": secrets.token_hex(32),
            "TIDEGATE__AUTH__PEPPER": secrets.token_hex(32),
            "TIDEGATE__AUTH__BCRYPT_COST": "10",
            "TIDEGATE__SERVER__TRUSTED_PROXIES": "127.0.0.1",
            "TIDEGATE__SERVER__SHUTDOWN_TIMEOUT_SECONDS": "20",
            "TIDEGATE__SERVER__DRAIN_SECONDS": str(DRAIN_SECONDS),
            "TIDEGATE__LIMITS__GENERAL_PER_MINUTE": "600000",
            "TIDEGATE__LOG__FORMAT": "json",
            "TIDEGATE__LOG__SLOW_STATEMENT_MS": "1",
        }
        self.a = Node(self, "a", ports[3], ports[4])
        self.b = Node(self, "b", ports[5], ports[6])
        self.nodes = [self.a, self.b]

    # --- the project's files, with the addresses of this run ------------------

    def local(self, text):
        """Replaces the names of docker/compose.yml by addresses."""
        for node in self.nodes:
            text = text.replace(f"tidegate-{node.name}:8080", f"127.0.0.1:{node.http}")
            text = text.replace(f"tidegate-{node.name}:8000", f"127.0.0.1:{node.metrics}")
        text = re.sub(r"\bprometheus:9090", f"127.0.0.1:{self.prometheus}", text)
        text = re.sub(r"\blocalhost:9090", f"127.0.0.1:{self.prometheus}", text)
        return re.sub(r"\bgrafana:3000", f"127.0.0.1:{self.grafana}", text)

    def render_nginx(self):
        source, target = os.path.join(TOP, "docker/nginx"), os.path.join(self.folder, "nginx")
        temporary = os.path.join(self.folder, "nginx-tmp")
        os.makedirs(temporary)
        main = read(f"{source}/nginx.conf")
        main = main.replace("/dev/stderr crit", f"{temporary}/error.log info")
        main = main.replace("/dev/stdout", f"{temporary}/access.log").replace("/tmp/", f"{temporary}/")
        main = main.replace("/run/secrets/", f"{target}/")
        main = main.replace("listen 8080;", f"listen 127.0.0.1:{self.proxy};")
        write(f"{target}/nginx.conf", main)
        # The package of the distribution may be older than `resolve` (1.27.3).
        upstreams = re.sub(r"^resolver .*$", "", self.local(read(f"{source}/upstreams.conf")), flags=re.M)
        write(f"{target}/upstreams.conf", upstreams.replace(" resolve", ""))
        shutil.copy(f"{source}/private.conf", target)
        site = read(f"{source}/site.conf")
        site = site.replace("#set_real_ip_from 192.0.2.10;", f"set_real_ip_from {BALANCER};")
        write(f"{target}/site.conf", site.replace("#real_ip_header", "real_ip_header"))
        write(f"{target}/monitoring", f"monitor:{{PLAIN}}{self.monitoring_password}\n")
        self.access_log = f"{temporary}/access.log"
        self.error_log = f"{temporary}/error.log"
        return ["nginx", "-p", temporary, "-c", f"{target}/nginx.conf", "-g", "daemon off; user root;"]

    def render_prometheus(self):
        source, target = os.path.join(TOP, "docker/prometheus"), os.path.join(self.folder, "prometheus")
        text = self.local(read(f"{source}/prometheus.yml"))
        text = re.sub(r"(scrape_interval|evaluation_interval): \d+s", r"\1: 1s", text)
        text = re.sub(r"scrape_timeout: \d+s", "scrape_timeout: 1s", text)
        write(f"{target}/prometheus.yml", text)
        shutil.copytree(f"{source}/rules", f"{target}/rules")
        return [
            "prometheus",
            f"--config.file={target}/prometheus.yml",
            f"--storage.tsdb.path={target}/data",
            f"--web.listen-address=127.0.0.1:{self.prometheus}",
            "--web.external-url=/prometheus/",
            "--web.route-prefix=/prometheus",
        ]

    def grafana_stub(self):
        class Stub(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = f"grafana {self.path}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.grafana), Stub)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    # --- running ---------------------------------------------------------------

    def start(self):
        migrated = subprocess.run(
            [self.program, "migrate", "up"], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **NOBODY,
        )
        if migrated.returncode != 0:
            raise RuntimeError(f"migrate up: {migrated.stdout}{migrated.stderr}")
        for node in self.nodes:
            node.start()
            # The second one finds the administrator that the first one made.
            until(f"node {node.name}", node.ready, 60)
        self.grafana_stub()
        self.nginx = Process(self.render_nginx(), os.path.join(self.folder, "nginx.log"))
        self.scraper = Process(self.render_prometheus(), os.path.join(self.folder, "prometheus.log"))
        until("nginx", lambda: self.answers(self.nginx, self.proxy, "/health/live"))
        until("Prometheus", lambda: self.answers(self.scraper, self.prometheus, "/prometheus/-/ready"))

    @staticmethod
    def answers(process, port, path):
        if not process.alive():
            raise RuntimeError(f"a program has ended:\n{tail(process.log)}")
        try:
            return request(port, "GET", path, timeout=3).status == 200
        except OSError:
            return False

    def sign_in(self):
        answer = request(
            self.proxy, "POST", "/auth/token", {"username": "admin", "password": self.admin_password}
        )
        if answer.status != 200:
            raise RuntimeError(f"cannot sign in: {answer.status} {answer.text}")
        return {"Authorization": "Bearer " + answer.json()["access_token"]}
