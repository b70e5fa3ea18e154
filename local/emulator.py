"""Starts MiniStack with two changes.

Calls of one Lambda wait for each other. MiniStack starts a process for each call that finds none free. Twenty calls at
once are twenty starts, which share the cores of a laptop: the last answer then takes eleven seconds. A call waits here
for a free process, up to a second, and starts another one only then. Our Lambdas never call each other, so nothing
waits for itself.

Uvicorn serves the HTTP requests, not Hypercorn: a call of DynamoDB then takes half of the CPU time
(docs/adr/0078-uvicorn-serves-the-emulator.md).
"""

import os
import signal
import sys
import threading
import time

import uvicorn
from ministack.core import lambda_runtime

# Processes of one Lambda. A pause keeps one for seconds, while the console goes on asking.
PROCESSES_MAX = 4
# Seconds that a call waits for a free process before it starts another one.
PATIENCE = 1.0

acquire = lambda_runtime.acquire_worker
release = lambda_runtime.release_worker
changed = threading.Condition()


def acquire_worker(func_name, config, code_zip, qualifier="$LATEST", max_concurrency=None):
    patient_until = time.monotonic() + PATIENCE
    with changed:
        while True:
            left = patient_until - time.monotonic()
            most = 1 if left > 0 else PROCESSES_MAX
            worker, reason = acquire(func_name, config, code_zip, qualifier=qualifier, max_concurrency=most)
            if worker is not None:
                return worker, reason
            changed.wait(left if left > 0 else PATIENCE)


def release_worker(worker):
    release(worker)
    with changed:
        changed.notify_all()


lambda_runtime.acquire_worker = acquire_worker
lambda_runtime.release_worker = release_worker

from ministack.app import app  # noqa: E402: its modules import the two functions above by name


def main():
    # Uvicorn ends the requests, lets MiniStack save its state, and then raises the signal again
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        http="httptools",  # fail without it: the other parser costs more, and nobody would notice
        # as in MiniStack's own `main`
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
