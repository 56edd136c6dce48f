"""The sandbox with its real processes: what dies there, what it may not do, and what becomes of the items."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from redis.asyncio import Redis

from batching.device import CPU
from batching.errors import Poison
from batching.execute import Died, Guest, Lacking, Ran, SandboxDied, Work, complete, decoder
from batching.items import Done, Failed
from batching.lanes import open_lanes
from batching.ledger import Member
from batching.sandbox import sandbox as sandbox_module
from batching.sandbox.confine import MEASURES, environment
from batching.sandbox.messages import Rules
from batching.sandbox.sandbox import LOAD_S, Sandbox, SandboxConfig, own_work
from batching.telemetry import Tally
from kernels import codec
from kernels.codec import Limits
from kernels.errors import ImageTruncated
from kernels.partners import Pool
from kernels.recipe import Output, Recipe
from tests.helpers.ledger import make_item
from tests.helpers.pictures import make_image
from tests.helpers.worker import Rig, make_rig

POISON = "decoding=poison"
MIXING = Recipe.parse({"steps": [{"op": "mixup"}, {"op": "gaussian_noise"}], "output": {"format": "png"}})


@pytest.fixture(scope="module")
def sandbox(compiled_kernels: None) -> Iterator[Sandbox]:
    """A sandbox in which marked pictures are poison."""
    made = Sandbox(SandboxConfig(item_timeout_s=1.0, failpoints=POISON))
    made.prepare()
    yield made
    made.close()


def program_of(sandbox: Sandbox) -> int:
    """The process that was started; waits until there is one."""
    for _ in range(3000):
        if sandbox._zygote is not None and sandbox._zygote._program is not None:
            return sandbox._zygote._program.process.pid
        time.sleep(0.01)
    raise AssertionError("it was not started")


def picture(seed: int = 0, poison: str = "") -> bytes:
    content = codec.encode(make_image(40, 60, seed=seed), Output(format="png"))
    return content + (b"augment-poison:" + poison.encode() if poison else b"")


def make_work(content: bytes, recipe: Recipe | None = None, **fields: object) -> Work:
    return Work(make_item(content, recipe=recipe or own_work().item.recipe, **fields), content)  # type: ignore[arg-type]


def test_what_is_prepared_loads_before_anybody_asks_and_takes_turns_as_all_do(sandbox: Sandbox) -> None:
    pid = program_of(sandbox)
    sandbox.check()
    assert program_of(sandbox) == pid
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER


def test_one_that_still_loads_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    made = Sandbox(SandboxConfig())
    made.prepare()
    pid = program_of(made)
    assert b"zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
    made.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(SandboxDied, match="the worker leaves"):
        made.measures()
    assert not caplog.records


def test_one_whose_worker_is_gone_ends_without_a_word() -> None:
    """The worker's ends are closed before what the program said was read, as by a kill."""
    door, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = (sys.executable, "-m", "batching.sandbox.zygote", str(inside.fileno()))
    with ours, door, subprocess.Popen(command, pass_fds=[inside.fileno()], stderr=subprocess.PIPE) as program:
        inside.close()
        with theirs:
            socket.send_fds(door, [pickle.dumps(Rules(Limits(), 10**6, 1.0, 2**30))], [theirs.fileno()])
        assert select.select([ours], [], [], LOAD_S)[0]
        ours.close()
        door.close()
        assert program.wait(30) == 0
        assert program.stderr is not None
        assert program.stderr.read() == b""


def test_results_are_those_of_a_worker(sandbox: Sandbox) -> None:
    partner = picture(seed=2)
    guest = Guest(Member(2, "k", hashlib.sha256(partner).hexdigest(), 2400, None), partner)
    mixing = replace(make_work(picture(1), MIXING, variants=3, key=1), pool=Pool([1, 2]), guests={2: guest})
    for work in (mixing, make_work(picture(3))):
        found = sandbox.run(work)
        assert isinstance(found, Ran)
        assert found == complete(work, decoder(Limits()), CPU, 10**9, 60.0, Tally())


@pytest.mark.parametrize(
    ("poison", "reason"),
    [("segv", "SIGSEGV"), ("abort", "SIGABRT"), ("loop", "used up its time|in time"), ("grip", "in time")],
)
def test_what_kills_its_process_dies_alone(sandbox: Sandbox, poison: str, reason: str) -> None:
    died = sandbox.run(make_work(picture(poison=poison)))
    assert isinstance(died, Died)
    assert died.to_blame
    assert any(words in died.reason for words in reason.split("|"))
    assert isinstance(sandbox.run(make_work(picture(4))), Ran)


def test_what_takes_too_much_memory_fails_by_name(sandbox: Sandbox) -> None:
    failed = sandbox.run(make_work(picture(poison="balloon")))
    assert isinstance(failed, Failed)
    assert failed.code == "resource_exhausted"


def test_a_partner_that_kills_is_left_out(sandbox: Sandbox) -> None:
    partner = picture(seed=2, poison="segv")
    guest = Guest(Member(2, "k", hashlib.sha256(partner).hexdigest(), 2400, None), partner)
    work = replace(make_work(picture(1), MIXING, key=1), pool=Pool([1, 2]), guests={2: guest})
    assert sandbox.run(work) == Lacking(work.item, 2)


def test_decoding_there_gives_the_same_pixels_and_errors(sandbox: Sandbox) -> None:
    content = picture(5)
    assert (sandbox.decode(content, "drop") == decoder(Limits())(content, "drop")).all()
    with pytest.raises(ImageTruncated) as found:
        sandbox.decode(content[:-200], "drop")
    with pytest.raises(ImageTruncated) as expected:
        decoder(Limits())(content[:-200], "drop")
    assert found.value.message == expected.value.message


def test_a_sandbox_that_fails_our_own_picture_blames_nobody(sandbox: Sandbox) -> None:
    own = own_work()
    content = own.content + b"augment-poison:segv"
    poisoned = Work(replace(own.item, source_sha256=hashlib.sha256(content).hexdigest()), content)
    with mock.patch.object(sandbox_module, "own_work", return_value=poisoned):
        died = sandbox.run(make_work(picture(poison="abort")))
    assert isinstance(died, Died)
    assert not died.to_blame


ATTEMPTS = """
import json, os, socket, sys
from pathlib import Path
from batching.sandbox import confine, syscalls
import batching, kernels
secret, parent = sys.argv[1], os.getppid()
taken = confine.fence([Path(p.__path__[0]) for p in (batching, kernels)])
confine.limit(2**34, 5.0)
if syscalls.forbid(os.getpid()):
    taken.add("system calls")
def tried(attempt):
    try:
        attempt()
        return "done"
    except (OSError, MemoryError, ValueError) as error:
        return type(error).__name__
def reach():
    found = socket.socket(); found.settimeout(2); found.connect(("127.0.0.1", int(sys.argv[2])))
attempts = {
    "connect": reach, "read": lambda: open(secret).read(), "write": lambda: open(secret, "w"),
    "create": lambda: open("/tmp/augment-sandbox-test", "w"), "environment": lambda: open(f"/proc/{parent}/environ").read(),
    "fork": os.fork, "exec": lambda: os.execv("/bin/true", ["true"]), "kill": lambda: os.kill(parent, 0),
    "unlink": lambda: os.unlink(secret), "unshare": lambda: socket.sethostname("x"), "memory": lambda: bytearray(2**36),
    "raise limit": lambda: __import__("resource").setrlimit(7, (999, 999)), "import": lambda: __import__("colorsys"),
    "own signal": lambda: os.kill(os.getpid(), 0),
}
print(json.dumps({"taken": sorted(taken), "tried": {name: tried(attempt) for name, attempt in attempts.items()}}))
"""


def test_what_a_process_there_may_not_do(tmp_path: Path) -> None:
    secret = tmp_path / "other-tenants-picture"
    secret.write_bytes(b"secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        # a pipe keeps what is printed although no file may be written
        done = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, str(secret), port], capture_output=True, check=True, text=True, timeout=60
        )
    said = json.loads(done.stdout)
    missing = set(MEASURES) - set(said["taken"])
    if missing:
        pytest.skip(f"this kernel does not allow: {', '.join(sorted(missing))}")
    refused = {name for name, outcome in said["tried"].items() if outcome != "done"}
    assert set(said["tried"]) - refused == {"import", "own signal"}
    assert secret.read_bytes() == b"secret"


def test_the_environment_holds_no_credentials() -> None:
    secrets = ("DATABASE_URL", "REDIS_URL", "AUGMENT_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")
    ours = dict.fromkeys(secrets, "secret") | {"PATH": "/bin", "NUMBA_CACHE_DIR": "/c", "CUDA_VISIBLE_DEVICES": "0"}
    assert environment(ours) == {"PATH": "/bin", "NUMBA_CACHE_DIR": "/c", "CUDA_VISIBLE_DEVICES": ""}


def crashed(rig: Rig, times: int) -> bool:
    """Whether items were given up that often."""
    return rig.ledger.calls["crashed"] == times


@pytest.mark.parametrize("always", [False, True], ids=["suspects", "always"])
async def test_suspects_run_to_their_end_and_poison_is_given_up(redis_client: Redis, redis_url: str, always: bool) -> None:
    """Beside a worker that goes on serving: what died there waits for the reconciler, whose part is played here."""
    rig = make_rig(redis_url, failpoints=POISON, item_timeout_s=5.0, sandbox="always" if always else "suspects")
    good, bad = rig.submit(6, variants=2), rig.submit(1, content=picture(poison="segv"))
    for item in [*good[:3], *([] if always else bad)]:
        row = rig.ledger.rows[item.id]
        row.item = replace(row.item, suspect=True)
    over = threading.Event()
    async with open_lanes(redis_url) as lanes:
        with rig.life("w") as life:
            thread = threading.Thread(target=lambda: [life.serve() for _ in iter(over.is_set, True)])
            thread.start()
            await rig.hand_off(lanes, [*good, *bad])
            for death in (1, 2):
                await rig.until(partial(crashed, rig, death), 60)
                await rig.hand_off(lanes, bad)
            await rig.until_final(bad, 60)
            await rig.until_final(good, 60)
            over.set()
            await asyncio.to_thread(thread.join)
    outcome = rig.ledger.outcome(bad[0])
    assert isinstance(outcome, Failed)
    assert (outcome.code, rig.ledger.calls["crashed"]) == (Poison.code, 2)
    assert "SIGSEGV" in outcome.detail
    assert rig.ledger.calls["charge"] == 3 + (2 if always else 3)
    for item in good:
        done = rig.ledger.outcome(item)
        assert isinstance(done, Done)
        assert done.device == "cpu"
