#!/usr/bin/env python3
"""Health checks while a slow model is under load (Python's standard library only).

    target/release/tidemill serve --model_name slow --model_base_path /models/slow &
    bench/serving/health.py --url http://127.0.0.1:8501 --model slow --body body.json

Sends `body.json` to `:predict` of the model from many clients at once, and asks `/livez` one after the other meanwhile.
Prints the percentiles of both, and fails if the p99 of `/livez` is above the bound.
"""

import argparse
import http.client
import sys
import threading
import time
import urllib.parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--model", required=True)
    parser.add_argument("--body", required=True, help="a file with the body of a request to predict")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--livez-p99-ms", type=float, default=20)
    args = parser.parse_args()

    address = urllib.parse.urlsplit(args.url).netloc
    with open(args.body, "rb") as file:
        body = file.read()
    path = f"/v1/models/{urllib.parse.quote(args.model)}:predict"
    end = time.monotonic() + args.seconds
    slow, failed = [], []

    def predict():
        connection = http.client.HTTPConnection(address)
        while time.monotonic() < end:
            began = time.monotonic()
            connection.request("POST", path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            (slow if response.status == 200 else failed).append(time.monotonic() - began)

    clients = [threading.Thread(target=predict) for _ in range(args.clients)]
    for client in clients:
        client.start()
    live = []
    connection = http.client.HTTPConnection(address)
    while time.monotonic() < end:
        began = time.monotonic()
        connection.request("GET", "/livez")
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            sys.exit(f"/livez answered {response.status}")
        live.append(time.monotonic() - began)
        time.sleep(0.005)
    for client in clients:
        client.join()

    def shown(name, times):
        times = sorted(times) or [float("nan")]
        at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1e3
        print(f"{name:<10} {len(times):>7} requests  p50 {at(0.5):8.2f} ms  p99 {at(0.99):8.2f} ms")
        return at(0.99)

    shown(args.model, slow)
    p99 = shown("/livez", live)
    if failed:
        print(f"{len(failed)} predictions were refused")
    if p99 > args.livez_p99_ms:
        sys.exit(f"the p99 of /livez is above {args.livez_p99_ms} ms")


if __name__ == "__main__":
    main()
