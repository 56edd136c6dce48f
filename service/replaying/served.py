"""Replays by a running service."""

from __future__ import annotations

from service.client import Client
from service.client.errors import Invalid, NotFound, ServiceFault
from service.client.views import Replay
from service.replaying.lines import Line, Verdict


def replay_served(client: Client, line: Line) -> Verdict:
    """What the service says of one line. Errors: Unreachable, and problems that are not this result's."""
    try:
        replay = client.replay(line.output_id)
    except NotFound as problem:
        return Verdict(line.custom_id, line.variant, "gone", {}, problem.detail)
    except (Invalid, ServiceFault) as problem:
        return Verdict(line.custom_id, line.variant, "failed", {}, f"{problem.code}: {problem.detail}")
    if replay.original_sha256 != line.sha256:
        return Verdict(line.custom_id, line.variant, "failed", {}, "the service has another result under this id")
    changed = _changed(replay)
    return Verdict(line.custom_id, line.variant, "identical" if replay.identical else "different", changed)


def _changed(replay: Replay) -> dict[str, tuple[str, str]]:
    known = {
        "sha256": (replay.original_sha256, replay.sha256),
        "engine_version": (replay.original_engine_version, replay.engine_version),
        "device": (replay.original_device, replay.device),
    }
    return {name: known.get(name, ("other", "different")) for name in replay.changed}
