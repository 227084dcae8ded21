#!/usr/bin/env python3
"""What an endpoint costs beside a bare model: CPU time of the server per request, in one run.

    bench/endpoint/run.py --tidemill target/release/tidemill --package /tmp/bench/1 --body /tmp/body.json

Python's standard library only. `bench_package` (an example of `tidemill-serving`) writes the package and the body. Each
variant is served by a process of its own; a client with a few connections sends the same number of requests to each, in
turns, so that other load on the machine meets all of them. CPU time is read from /proc.
"""

import argparse
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def endpoint(package, more=None, route=None, models=None):
    spec = {
        "version": 1,
        "endpoint": "rides",
        "models": models or {"a": {"path": package}, "b": {"path": package}},
        "route": route or [{"to": "a"}, ],
    }
    spec.update(more or {})
    if "b" in spec["models"] and json.dumps(spec["route"]).find('"b"') < 0 and "shadow" not in spec:
        del spec["models"]["b"]
    return spec


class Silent:
    """A server that takes connections and never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]


class Slow:
    """A server of the Open Inference Protocol that takes its time."""

    def __init__(self, seconds, output):
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self, body):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.send_error(404)

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                time.sleep(seconds)
                self.reply({"outputs": [{"name": output, "datatype": "FP64", "shape": [1], "data": [0.5]}]})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Server:
    def __init__(self, tidemill, folder, name, spec):
        file = folder / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        command = [tidemill, "serve", str(file), "--rest-api-port", "0", "--port", "off", "-o", "json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, stderr=subprocess.DEVNULL)
        said = json.loads(self.process.stdout.readline())
        self.host = said["rest"].removeprefix("http://")
        deadline = time.time() + 30
        while self.get("/readyz") != 200:
            assert time.time() < deadline, f"{name} is not ready"
            time.sleep(0.05)

    def get(self, path):
        connection = http.client.HTTPConnection(self.host)
        connection.request("GET", path)
        return connection.getresponse().status

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        self.process.terminate()
        self.process.wait()


def send(server, body, requests, threads=4, path="/v1/models/rides:predict", statuses=(200,)):
    """The seconds that each request took."""
    took = []

    def work():
        connection = http.client.HTTPConnection(server.host)
        for _ in range(requests // threads):
            started = time.perf_counter()
            connection.request("POST", path, body)
            response = connection.getresponse()
            response.read()
            took.append(time.perf_counter() - started)
            assert response.status in statuses, response.status

    workers = [threading.Thread(target=work) for _ in range(threads)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tidemill", required=True)
    parser.add_argument("--package", required=True)
    parser.add_argument("--body", required=True)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    args.tidemill, package = os.path.abspath(args.tidemill), os.path.abspath(args.package)
    body = pathlib.Path(args.body).read_text()
    folder = pathlib.Path(tempfile.mkdtemp())
    split = [{"split": {"a": 90, "b": 10}}]
    variants = {
        "bare model": (endpoint(package), "/v1/models/rides.a:predict"),
        "endpoint, one model": (endpoint(package), None),
        "split": (endpoint(package, route=split), None),
        "split, log": (endpoint(package, {"log": {"folder": str(folder / "log")}}, split), None),
        "shadow": (endpoint(package, {"shadow": [{"to": "b"}]}), None),
        "cache hit": (endpoint(package, {"cache": {"predictions": {}}}), None),
    }
    servers = {name: Server(args.tidemill, folder, name.replace(" ", "-"), spec) for name, (spec, _) in variants.items()}
    costs = {name: [] for name in variants}
    for server, (_, path) in zip(servers.values(), variants.values()):
        send(server, body, 400, path=path or "/v1/models/rides:predict")
    for _ in range(args.rounds):
        for name, (_, path) in variants.items():
            before = servers[name].cpu()
            send(servers[name], body, args.requests, path=path or "/v1/models/rides:predict")
            costs[name].append((servers[name].cpu() - before) / args.requests * 1e6)
    bare = statistics.median(costs["bare model"])
    print(f"{'CPU per request':24} {'µs':>8} {'beside bare':>12}")
    for name, values in costs.items():
        cost = statistics.median(values)
        print(f"{name:24} {cost:8.1f} {cost - bare:+12.1f}")
    [server.stop() for server in servers.values()]

    # Three models of 50 ms at the same time: as long as one.
    slow = Slow(0.05, "probability")
    models = {name: {"url": slow.url} for name in ("x", "y", "z")}
    models["all"] = {"parallel": {"models": ["x", "y", "z"], "combine": "mean"}}
    models["one"] = {"path": package}
    server = Server(args.tidemill, folder, "parallel", endpoint(package, {"shadow": [{"to": "one", "share": 0}]}, [{"to": "all"}], models))
    took = send(server, body, 100, threads=2)
    print(f"parallel of three models of 50 ms: median {statistics.median(took) * 1e3:.1f} ms")
    server.stop()

    # A model that never answers: no request waits past its deadline, and the breaker ends even that.
    silent = Silent()
    models = {"dead": {"url": silent.url, "limits": {"timeout_ms": 100}, "circuit_breaker": {"min_requests": 20}}, "one": {"path": package}}
    spec = endpoint(package, {"shadow": [{"to": "one", "share": 0}]}, [{"to": "dead"}], models)
    server = Server(args.tidemill, folder, "dead", spec)
    started = time.perf_counter()
    took = send(server, body, args.requests, threads=16, statuses=(503, 504))
    rate = len(took) / (time.perf_counter() - started)
    print(f"a dead model at {rate:.0f} requests/s: slowest {max(took) * 1e3:.0f} ms (deadline 100), median {statistics.median(took) * 1e3:.2f} ms")
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
