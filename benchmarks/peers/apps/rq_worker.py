"""An RQ worker with the kernels loaded before its first job.  Takes Redis's address, and `fork` or `simple`."""

from __future__ import annotations

import sys

from redis import Redis
from rq import SimpleWorker, Worker

from benchmarks.peers.apps.work import prepare

if __name__ == "__main__":
    prepare()
    kind = {"fork": Worker, "simple": SimpleWorker}[sys.argv[2]]
    kind(["default"], connection=Redis.from_url(sys.argv[1])).work(logging_level="WARNING")
