"""What observability/try.sh does once everything is there. Servers listen on loopback and are
stopped by their ids at the end."""

import base64
import contextlib
import glob
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Refusals by their reason.
QUERY = 'sum by (error_type) (rate(keyward_verifications_total{keyward_outcome="refused"}[15s])) > 0'
# Long enough for Prometheus to have rates.
TRAFFIC_SECONDS = 40

# The caller's own settings are for another receiver.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}

no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, token=None):
    request = urllib.request.Request(url)
    if token:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with no_proxy.open(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(found, what):
    for _ in range(300):
        try:
            if result := found():
                return result
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"try.py: {what} did not come")


def spans(records, trace_id):
    with open(records) as lines:
        # The last line may not be whole yet.
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return [span for span in whole if span["signal"] == "span" and span["trace_id"] == trace_id]


KINDS = {1: "internal", 2: "server", 3: "client"}


def tree(of_trace, parent=None, depth=0):
    for span in sorted(of_trace, key=lambda span: span["start"]):
        if span["parent_span_id"] == parent:
            milliseconds = (span["end"] - span["start"]) / 1e6
            print(f"{'    ' * depth}{span['name']}  ({KINDS[span['kind']]}, {milliseconds:.2f} ms)")
            for name, value in sorted(span["attributes"].items()):
                print(f"{'    ' * depth}  | {name} = {value}")
            tree(of_trace, span["span_id"], depth + 1)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="keyward-try-"))
        http, grpc = free_port(), free_port()
        records = f"{folder}/records"
        rotel = glob.glob(f"{ROOT}/target/telemetry-venv/lib/*/site-packages/rotel/rotel-agent")[0]
        recorder = f"{ROOT}/tests/support/otlp_record.py"
        log = stack.enter_context(open(f"{folder}/log", "w"))
        stack.enter_context(running(
            rotel, "start", "--exporter", "blackhole",
            "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
            "--otlp-with-trace-processor", recorder, "--otlp-with-metrics-processor", recorder,
            env={**ENVIRONMENT, "RECORD_TO": records}, cwd=folder, stdout=log, stderr=log))
        wait_until(lambda: os.path.exists(records), "the OTLP receiver")

        keyward = stack.enter_context(running(
            f"{ROOT}/target/debug/keyward", "dev",
            "--listen-addr", "127.0.0.1:0", "--issuer-addr", "127.0.0.1:0",
            "--database-url", f"sqlite://{folder}/tasks.db",
            env={**ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http}",
                 "OTEL_METRICS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "200",
                 "METRICS_ADDR": "127.0.0.1:0", "RUST_LOG": "warn"},
            stdout=subprocess.PIPE, text=True))
        greeting = ""
        while "Issuer" not in greeting:
            greeting += keyward.stdout.readline() or sys.exit("try.py: keyward did not start")
        metrics = re.search(r"metrics at http://(\S+)/metrics", greeting)[1]
        api = re.search(r"API +(\S+)", greeting)[1]
        issuer = re.search(r"Issuer +(\S+)", greeting)[1]

        with open(f"{folder}/prometheus.yml", "w") as config:
            config.write(
                "global: {scrape_interval: 1s, evaluation_interval: 5s}\n"
                f"rule_files: ['{ROOT}/observability/prometheus/alerts.yml']\n"
                f"scrape_configs: [{{job_name: keyward, static_configs: [{{targets: ['{metrics}']}}]}}]\n")
        prometheus = f"127.0.0.1:{free_port()}"
        stack.enter_context(running(
            f"{ROOT}/target/prometheus/usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data", f"--web.listen-address={prometheus}",
            stdout=log, stderr=log))
        wait_until(lambda: get(f"http://{prometheus}/-/ready")[0] == 200, "Prometheus")

        def token(user):
            return json.loads(get(f"{issuer}/api/auth/token?user={user}")[2])["token"]

        good = token("ada")
        header, payload, signature = good.split(".")
        unknown = base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":"made-up"}').decode().rstrip("=")
        forged = f"{header}.{payload}.{signature[2:4]}{signature[:2]}{signature[4:]}"
        bad = ["garbage", f"{unknown}.{payload}.{signature}", forged,
               "0123456789abcdefghijABCDEFGHIJkl.c2ln"]
        print(f"Sending requests to {api} for {TRAFFIC_SECONDS} s ...\n")
        end = time.monotonic() + TRAFFIC_SECONDS
        users = [token(f"user-{number}") for number in range(20)]
        while time.monotonic() < end:
            for _ in range(40):
                get(f"{api}/api/{random.choice(['me', 'tasks'])}", random.choice(users))
            get(f"{api}/api/me", random.choice(bad))
            time.sleep(0.02)

        for title, path, credentials in [
            ("An accepted request", "tasks", good), ("A refused request", "me", forged)]:
            status, headers, body = get(f"{api}/api/{path}", credentials)
            trace_id = headers["x-request-id"]
            print(f"{title}: GET /api/{path} -> {status}, trace {trace_id}")
            if status >= 400:
                print(f"  {body.decode()}")
            print()
            server = lambda: any(span["kind"] == 2 for span in spans(records, trace_id))
            wait_until(server, "the trace")
            tree(spans(records, trace_id))
            print()
        query = urllib.parse.quote(QUERY)
        print(f"Metrics: http://{metrics}/metrics")
        print(f"Prometheus: http://{prometheus}/graph?g0.expr={query}&g0.tab=0&g0.stacked=1&g0.range_input=1m")
        print(f"Alerts: http://{prometheus}/classic/alerts")
        print("\nCtrl-C ends everything.", flush=True)
        time.sleep(seconds if seconds is not None else 24 * 60 * 60)


# So that what was started is stopped.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
try:
    main()
except KeyboardInterrupt:
    pass
