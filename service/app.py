"""The API: routes, what answers errors, and the parts that live as long as the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from batching import failpoints
from batching.events import subscribe
from batching.items import PRIORITIES, Priority
from batching.lanes import connect, open_lanes
from kernels.errors import AugmentationError
from service.accounts import jwks, token_keys
from service.accounts.allowance import Allowance
from service.accounts.callers import Callers
from service.accounts.metering import RequestCounts
from service.accounts.tokens import TokenRules, Tokens
from service.depth import Depth
from service.errors import BadRequest, NotFound, ServiceError, ValidationError
from service.groups import Grouped
from service.handoff import HandOff, keep_attending, part
from service.limits import Rates
from service.metrics import Metrics
from service.parts import Parts
from service.problems import problem_code, problem_response
from service.recipes import RecipeBook
from service.routes import (
    accounts,
    augment,
    batch_actions,
    batches,
    health,
    images,
    ops,
    outputs,
    recipes,
    seed,
    seed_users,
)
from service.routes.documented import openapi_of
from service.settings import Settings
from service.store import open_store
from service.submitted import Fresh, hand_off_all
from service.telemetry import Observed, log_problem, request_id
from service.truth import queries
from service.truth.database import AsyncEngine, make_engine
from service.truth.submissions import NewBatch, Result, write
from service.uploads.json_text import escaped
from service.waiting import Waiting

log = logging.getLogger(__name__)

_COMMITS_AT_ONCE = 64
_READS_AT_ONCE = 256
_GATHER_S = 0.008
"""How long a commit waits for more while requests come faster than one at a time."""
_PAUSE_S = 1.0
_LISTEN_S = 30.0
"""Time-out of the subscription's connection: well above the pause between two looks at it."""


class MethodNotAllowed(ServiceError):
    """The path exists, and takes other methods than this one."""

    def __init__(self) -> None:
        super().__init__("this path takes other methods")


class Api(FastAPI):
    """FastAPI, but what it is asked most goes straight to its handler, past a dozen layers."""

    def __init__(self, metrics: Metrics, **described: Any) -> None:
        super().__init__(**described)
        self._metrics = metrics
        self._straight: dict[tuple[str, str], ASGIApp] = {}

    def go_straight(self, method: str, path: str, handler: Callable[[Request], Awaitable[Response]]) -> None:
        """Has `handler` answer what is sent to `path`. It takes nothing from FastAPI; a route of the path documents it."""
        route = Route(path, handler, methods=[method])

        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            scope["app"], scope["route"] = self, route
            request = Request(scope, receive, send)
            try:
                response = await handler(request)
            except AugmentationError as error:
                response = _refusal(request, error)
            await response(scope, receive, send)

        self._straight[method, path] = Observed(answered, self._metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = self._straight.get((scope.get("method", ""), scope.get("path", "")))
        await (straight or super().__call__)(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The API as an ASGI application. Nothing is opened before its lifespan begins."""
    metrics = Metrics()
    app = Api(
        metrics,
        title="image-augmentation-service",
        version=version("image-augmentation-service"),
        summary="Batch image augmentation: reproducible, exactly once, labels included.",
        lifespan=_lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings, app.state.metrics = settings, metrics
    modules = [augment, batches, batch_actions, images, outputs, recipes, ops, accounts, health]
    modules += [seed_users, seed] if settings.seed_api else []
    app.go_straight("POST", "/v1/augment", augment.augment)
    for module in modules:
        app.include_router(module.router)
    app.state.own_routes = [route for module in modules for route in module.router.routes]
    app.add_middleware(Observed, metrics=metrics)
    app.add_exception_handler(AugmentationError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_field)
    app.add_exception_handler(HTTPException, _on_http)
    app.openapi = _remembered(app)  # type: ignore[method-assign]  # FastAPI's documented way to replace it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    failpoints.arm(failpoints.parse(settings.failpoints))
    app.state.readiness_lock = asyncio.Lock()
    async with AsyncExitStack() as ends:
        engine = make_engine(settings.database_url, application_name="augment-api", planned_once=True)
        ends.push_async_callback(engine.dispose)
        lanes = await ends.enter_async_context(open_lanes(settings.redis_url))
        waiting = Waiting(engine)
        tokens = _tokens(settings)
        rates, requests = Rates(settings.redis_url, settings.rate_timeout_s), RequestCounts(engine)
        ends.push_async_callback(rates.close)
        ends.push_async_callback(requests.flush)
        handing = HandOff(engine, lanes, settings.lane_window)
        parts = Parts(
            settings=settings,
            engine=engine,
            store=open_store(settings),
            lanes=lanes,
            callers=Callers(engine, tokens, settings.api_key.get_secret_value() if settings.api_key else None),
            tokens=tokens,
            allowance=Allowance.of(settings),
            rates=rates,
            requests=requests,
            waiting=waiting,
            recipes=RecipeBook(settings.max_variants, settings.max_output_pixels),
            depth=Depth(engine, settings),
            metrics=app.state.metrics,
            commits=Grouped(lambda group: _written(engine, app.state.metrics, handing, group), _COMMITS_AT_ONCE, _GATHER_S),
            results=Grouped(lambda group: queries.first_results(engine, group), _READS_AT_ONCE),
            hand_offs={priority: _hand_offs(handing, priority, waiting.channel) for priority in PRIORITIES},
        )
        app.state.parts = parts
        ends.push_async_callback(part, lanes, waiting.channel)
        for hand_offs in parts.hand_offs.values():
            ends.push_async_callback(hand_offs.drained)
        ends.push_async_callback(parts.commits.drained)
        beside = [
            waiting.keep_polling,
            requests.keep_flushing,
            lambda: _listen(settings, waiting),
            lambda: keep_attending(lanes, waiting.channel),
        ]
        if settings.jwks:
            beside.append(lambda: jwks.keep_fresh(tokens, settings.jwks, settings.jwks_issuer, settings.jwks_refresh_s))
        async with _beside(*beside):
            yield


@asynccontextmanager
async def _beside(*runs: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Keeps `runs` running beside the block. They are ended with it."""
    tasks = [asyncio.create_task(_kept(run)) for run in runs]
    try:
        yield
    finally:
        pending = set(tasks)
        while pending:
            # asked again and again: a client library under way to a connection may swallow the request
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)


async def _kept(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:  # whatever it is, waiting goes on: the polling needs no Redis, the listening no PostgreSQL
            log.exception("waiting was interrupted")
            await asyncio.sleep(_PAUSE_S)


def _tokens(settings: Settings) -> Tokens:
    rules = TokenRules(settings.token_audience, settings.token_leeway_s, settings.jwks_tenant_claim)
    return Tokens(rules, token_keys.parse(settings.token_keys.get_secret_value()) if settings.token_keys else {})


def _hand_offs(handing: HandOff, priority: Priority, channel: str) -> Grouped[Fresh, None]:
    return Grouped(lambda group: hand_off_all(handing, priority, channel, group), _COMMITS_AT_ONCE)


async def _listen(settings: Settings, waiting: Waiting) -> None:
    async with connect(settings.redis_url, _LISTEN_S) as client:
        async for notice in subscribe(client, waiting.channel):
            if notice.batches:
                waiting.announced(notice.batches)
            elif not notice.items:
                await waiting.poll()  # the subscription has begun: what was announced before is lost


async def _written(
    engine: AsyncEngine, metrics: Metrics, handing: HandOff, group: Sequence[NewBatch]
) -> Sequence[Result | Exception]:
    metrics.commits.observe(len(group))
    return await write(engine, group, handing.epoch)


# coroutines all of them, or a thread would be woken for each answer
async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, AugmentationError)  # what it is registered for
    return _refusal(request, error)


async def _on_field(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # what it is registered for
    first = error.errors()[0]
    place, *path = first["loc"]
    if place == "path":
        return _refusal(request, NotFound("thing"))  # an id that is none is as good as one that is not there
    pointer = "".join(f"/{escaped(part)}" for part in path)
    return _refusal(request, ValidationError(str(first["msg"]).lower(), pointer))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    match error.status_code:
        case 404:
            problem: ServiceError = NotFound("path")
        case 405:
            problem = MethodNotAllowed()
        case _:
            problem = BadRequest("the request cannot be read")
    answer = _refusal(request, problem)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    if error.status_code == 405 and (methods := _methods(request)):
        answer.headers["Allow"] = ", ".join(sorted(methods))  # the framework names those of the first route alone
    return answer


def _refusal(request: Request, error: AugmentationError) -> Response:
    log_problem(error)
    request.app.state.metrics.refused.labels(problem_code(error)).inc()
    return problem_response(error, request_id.get())


def _methods(request: Request) -> set[str]:
    """The methods that our routes take for the path of this request."""
    routes: list[BaseRoute] = request.app.state.own_routes
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching if isinstance(route, Route) for method in route.methods or ()}


def _remembered(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi_of(app)
        return app.openapi_schema

    return openapi
