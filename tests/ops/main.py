"""Tests of what surrounds Tidegate: see scripts/test-ops, which starts this."""

import os
import signal
import subprocess
import sys
import time
import traceback

import monitoring
import outage
import rolling
import routing
from stage import TOP, Stage
from support import FAILED, PASSED, Process, check, tail


def load_example(stage):
    done = subprocess.run(
        [os.path.join(TOP, "scripts/load-example"), f"http://127.0.0.1:{stage.proxy}"],
        env={"PATH": os.environ["PATH"], "ADMIN_PASSWORD": stage.admin_password},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )
    check("the example is loaded through nginx", done.returncode == 0, done.stdout + done.stderr)


def main(folder, program, database, parts):
    stage = Stage(folder, program, database)
    begun = time.monotonic()

    def part(name, run):
        if parts and name not in parts:
            return
        print(f"== {name} ({time.monotonic() - begun:.0f} s)", flush=True)
        try:
            run()
        except Exception:  # one part that breaks must not hide the others
            check(name, False, traceback.format_exc())

    try:
        stage.start()
        headers = stage.sign_in()
        load_example(stage)
        part("routing", lambda: routing.routing(stage, headers))
        part("monitoring", lambda: monitoring.monitoring(stage, headers))
        part("rolling", lambda: rolling.rolling_restart(stage, headers))
        part("outage", lambda: outage.outage(stage, headers))
    except Exception:
        check("the stage", False, traceback.format_exc())
    finally:
        Process.stop_all()
    if FAILED:
        for name in ["nginx.log", "prometheus.log", "node-a.log"]:
            print(f"--- {name}\n{tail(os.path.join(folder, name))}")
    print(f"{len(PASSED)} passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    # So that what was started ends with this, however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
