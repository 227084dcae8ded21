#!/usr/bin/env python3
"""Keeps a model server under load and mischief, and watches its answers, its memory and its latency.

    soak.py --package DIR --body FILE [--tidemill PATH] [--seconds 60] [--idle 2000]

DIR is the folder of one model package, FILE a request body for `:predict`. The server is started over a folder of its
own, into which the package is copied as one new version after another while clients ask, send garbage, send half a
request, leave in the middle, trickle a header, and hold idle connections. Exit code 1: a request that should have been
answered was not, or memory grew by more than the limit. Python's standard library only.
"""

import argparse
import http.client
import os
import pathlib
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

NAME = "soak"


def resident_mib(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Soak:
    def __init__(self, args):
        self.args = args
        self.port = free_port()
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="soak-")) / NAME
        self.body = pathlib.Path(args.body).read_bytes()
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.latencies, self.failures, self.mischief = [], [], 0
        self.version = 0

    def add_version(self):
        self.version += 1
        staged = self.base.parent / "staged"
        shutil.copytree(self.args.package, staged)
        staged.rename(self.base / str(self.version))
        old = self.base / str(self.version - 3)
        if old.is_dir():
            shutil.rmtree(old)

    def start(self):
        self.base.mkdir(parents=True)
        self.add_version()
        command = [self.args.tidemill, "serve", "-q", "--port", "off", "--rest_api_port", str(self.port)]
        command += ["--model_name", NAME, "--model_base_path", str(self.base), "--file_system_poll_wait_seconds", "0.2"]
        self.server = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.get("/readyz") == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server did not become ready")

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def ask(self):
        """A client that does everything right."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.over.is_set():
            started = time.perf_counter()
            try:
                connection.request("POST", f"/v1/models/{NAME}:predict", self.body)
                response = connection.getresponse()
                text = response.read()
                took = time.perf_counter() - started
                with self.lock:
                    self.latencies.append(took)
                    if response.status != 200:
                        self.failures.append(f"{response.status} {text[:200]!r}")
            except OSError as error:
                with self.lock:
                    self.failures.append(repr(error))
                connection.close()

    def harass(self, seed):
        """Clients that do everything wrong."""
        chance = random.Random(seed)
        head = f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(self.body)}\r\n\r\n".encode()
        whole = head + self.body
        while not self.over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                    kind = chance.randrange(5)
                    if kind == 0:
                        client.sendall(chance.randbytes(chance.randrange(1, 3000)))
                    elif kind == 1:
                        client.sendall(whole[: chance.randrange(1, len(whole))])
                    elif kind == 2:
                        damaged = bytearray(self.body)
                        for _ in range(chance.randrange(1, 5)):
                            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
                        client.sendall(head + damaged)
                        client.recv(100)
                    elif kind == 3:
                        client.sendall(whole)
                    else:
                        for byte in whole[:20]:
                            client.sendall(bytes([byte]))
                            time.sleep(0.01)
                    self.mischief += 1
            except OSError:
                pass

    def reload(self):
        while not self.over.wait(0.5):
            self.add_version()

    def run(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.start()
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(self.args.idle)]
        threads = [threading.Thread(target=self.ask) for _ in range(self.args.clients)]
        threads += [threading.Thread(target=self.harass, args=(seed,)) for seed in range(2)]
        threads += [threading.Thread(target=self.reload)]
        for thread in threads:
            thread.start()
        warm = min(10, self.args.seconds / 4)
        time.sleep(warm)
        before = resident_mib(self.server.pid)
        while time.monotonic() < self.begun + self.args.seconds:
            time.sleep(1)
        after = resident_mib(self.server.pid)
        alive = self.get("/readyz") == 200
        self.over.set()
        for thread in threads:
            thread.join()
        for client in idle:
            client.close()
        self.server.terminate()
        code = self.server.wait(60)
        self.report(before, after, alive, code)

    def report(self, before, after, alive, code):
        times = sorted(self.latencies)
        at = lambda share: 1000 * times[min(len(times) - 1, int(share * len(times)))]
        print(f"{len(times)} requests answered, {len(self.failures)} failed; {self.mischief} acts of mischief")
        print(f"{self.version} versions loaded; {self.args.idle} idle connections")
        print(f"latency p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, longest {at(1):.1f} ms")
        print(f"resident {before:.1f} MiB after the start, {after:.1f} MiB at the end; ready at the end: {alive}; exit code {code}")
        for failure in self.failures[:5]:
            print("  failed:", failure)
        good = times and not self.failures and alive and code == 0 and after - before < self.args.grow_mib
        sys.exit(0 if good else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", required=True)
    parser.add_argument("--body", required=True)
    parser.add_argument("--tidemill", default="tidemill")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--grow-mib", type=float, default=32)
    soak = Soak(parser.parse_args())
    soak.begun = time.monotonic()
    try:
        soak.run()
    finally:
        shutil.rmtree(soak.base.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
