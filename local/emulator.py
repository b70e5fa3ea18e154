"""Starts MiniStack with three changes.

Calls of one Lambda wait for each other. MiniStack starts a process for each call that finds none free. Twenty calls at
once are twenty starts, which share the cores of a laptop: the last answer then takes eleven seconds. A call waits here
for a free process, up to a second, and starts another one only then. Our Lambdas never call each other, so nothing
waits for itself.

The grammar of a condition is checked once for each text. MiniStack checks it for each item that a query looks at, which
is half of the work of a query.

Uvicorn serves the HTTP requests, not Hypercorn: a call of DynamoDB then takes half of the CPU time
(docs/adr/0078-uvicorn-serves-the-emulator.md).
"""

import functools
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

from ministack.services import dynamodb  # noqa: E402: after the changes of the runtime, like the app

dynamodb._condition_syntax_error = functools.lru_cache(maxsize=1_000)(dynamodb._condition_syntax_error)

from ministack.app import app  # noqa: E402: its modules import the two functions above by name

# Status codes whose answers have no body (RFC 9110, 15.3.5 and 15.4.5).
NO_BODY = {204, 304}


async def without_needless_bodies(scope, receive, send):
    """Removes the body that MiniStack sends with a 204, such as `{}` after a preflight. Hypercorn did so, Uvicorn does not.

    The client would take these bytes for the beginning of the next answer.
    """
    is_without_body = False

    async def send_message(message):
        nonlocal is_without_body
        if message["type"] == "http.response.start" and message["status"] in NO_BODY:
            is_without_body = True
            headers = [header for header in message["headers"] if header[0].lower() != b"content-length"]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body" and is_without_body:
            message = {**message, "body": b""}
        await send(message)

    await app(scope, receive, send_message)


def main():
    # Uvicorn ends the requests, lets MiniStack save its state, and then raises the signal again
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        without_needless_bodies,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        lifespan="on",  # a failed start ends the process
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
