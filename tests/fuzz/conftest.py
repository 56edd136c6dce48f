"""How the fuzzing tests run: the same examples every time in `make test`, chosen anew in `make test-long`."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase
from hypothesis import settings as how


def pytest_configure() -> None:
    phases = [Phase.explicit, Phase.generate, Phase.shrink]
    usual = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": phases}
    how.register_profile("short", derandomize=True, print_blob=True, **usual)
    how.load_profile("short")
