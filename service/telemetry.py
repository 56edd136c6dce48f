"""Logs and request ids: one line per request, one id that finds it, and no exception that leaves without an answer."""

from __future__ import annotations

import itertools
import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import Any, Literal

import structlog
from prometheus_client import Counter, Histogram
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernels.errors import AugmentationError
from service.ids import new_id
from service.metrics import Metrics
from service.problems import is_callers, problem_document, problem_response

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
log = structlog.stdlib.get_logger("service.http")
_plain_log = logging.getLogger("service.http")
"""Says in no time whether a line would be written."""


def configure_logging(log_format: Literal["console", "json"], level: str) -> None:
    """Sends every log line of this process, those of libraries too, to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_request_id,
    ]
    ending: list[structlog.typing.Processor]
    if log_format == "json":
        ending = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    else:
        ending = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # the pretty form prints local variables, which hold what callers sent
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _with_request_id(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if current := request_id.get():
        event.setdefault("request_id", current)
    return event


def _json(event: Any, **options: Any) -> str:
    return to_json(event, fallback=str, inf_nan_mode="strings").decode(errors="replace")


class Observed:
    """ASGI middleware, outermost: gives every answer its X-Request-Id, a log line and a place in the metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._prefix, self._numbers = new_id().hex, itertools.count()
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if _ACCEPTED_ID.fullmatch(given) else f"{self._prefix}{next(self._numbers):08x}"
        token = request_id.set(identity)
        start_s = time.perf_counter()
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", identity.encode()))
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, observed)
        except ClientDisconnect:
            status = status or 499  # nobody is there to be answered
        except Exception as error:
            refused = error if isinstance(error, AugmentationError) else _Unexpected()
            log.exception("request failed", method=scope["method"], path=_path(scope))
            if status:
                raise  # the answer has begun: only cutting it off tells the client
            await problem_response(refused, identity)(scope, receive, observed)
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, status or 500, time.perf_counter() - start_s)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        if (counted := self._counted.get((method, route, status))) is None:
            counted = (
                self._metrics.requests.labels(method, route, status),
                self._metrics.request_seconds.labels(method, route),
            )
            self._counted[method, route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)
        if not _plain_log.isEnabledFor(logging.INFO):
            return
        log.info("request", method=scope["method"], path=_path(scope), status=status, ms=round(seconds * 1000, 2))


def _path(scope: Scope) -> str:
    """The path as it was sent, so that nothing in it moves the cursor of whoever reads the log."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "backslashreplace")


class _Unexpected(AugmentationError):
    """Whatever no part foresaw: `internal` to the caller, a trace in the log."""

    def __init__(self) -> None:
        super().__init__("unexpected")


def log_problem(error: AugmentationError) -> None:
    """A log line for a problem: at level info where the caller can mend it."""
    callers = is_callers(error)
    if callers and not _plain_log.isEnabledFor(logging.INFO):
        return
    status, body = problem_document(error, "")
    if callers:
        log.info("problem", code=body["code"], status=status)
    else:
        log.warning("problem", code=body["code"], status=status, reason=str(error))


__all__ = ["Observed", "configure_logging", "log_problem", "request_id"]
