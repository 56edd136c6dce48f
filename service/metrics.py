"""Prometheus metrics of one API process, and of the workers as they announce themselves in Redis.

Labels never carry tenants, recipes or ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from batching.items import PRIORITIES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What this API process counts."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more line for each line, which nobody reads
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "augment_http_requests_total", "Answered requests.", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "augment_http_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("augment_http_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.submitted = Counter(
            "augment_submitted_items_total", "Pictures accepted.", ("priority",), registry=self.registry
        )
        self.refused = Counter("augment_problems_total", "Problems answered.", ("code",), registry=self.registry)
        self.commits = Histogram(
            "augment_commit_group_batches",
            "Batches written by one transaction.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )

    def exposition(self, *more: Iterable[Metric]) -> bytes:
        """Everything as text, with metrics that were just read elsewhere."""
        text: bytes = generate_latest(self.registry)
        for metrics in more:
            text += generate_latest(_Read(metrics))
        return text


class _Read:
    """Metrics that were read once, in the shape that the exposition takes."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> list[Metric]:
        return self._metrics


def queue_metrics(handed_off: Mapping[str, int], unfinished: Mapping[tuple[str, str], int]) -> list[Metric]:
    """Depths: entries in Redis by priority, and unfinished items in PostgreSQL by priority and state."""
    lanes = GaugeMetricFamily("augment_lane_entries", "Items handed off to Redis, waiting or taken.", labels=["priority"])
    for priority in PRIORITIES:
        lanes.add_metric([priority], handed_off.get(priority, 0))
    items = GaugeMetricFamily(
        "augment_unfinished_items", "Items in PostgreSQL that are not final.", labels=["priority", "state"]
    )
    for priority in PRIORITIES:
        for state in ("queued", "leased"):
            items.add_metric([priority, state], unfinished.get((priority, state), 0))
    return [lanes, items]


def worker_metrics(workers: Iterable[Mapping[str, str]]) -> list[Metric]:
    """What all live workers say of themselves, added up. See `batching.telemetry` for the fields."""
    live = GaugeMetricFamily("augment_workers", "Workers that are alive.")
    seconds: dict[str, float] = {}
    calls: dict[str, float] = {}
    outcomes: dict[str, float] = {}
    sizes: dict[str, float] = {}
    plain: dict[str, float] = {}
    count = 0
    for facts in workers:
        count += 1
        for name, text in facts.items():
            kind, _, label = name.partition(":")
            group = {"stage_s": seconds, "stage_n": calls, "outcome": outcomes, "micro_batch_items": sizes}.get(kind)
            number = _number(text)
            if number is None:
                continue
            if group is not None:
                group[label] = group.get(label, 0.0) + number
            elif not label:
                plain[name] = plain.get(name, 0.0) + number
    live.add_metric([], count)
    return [
        live,
        _counters("augment_stage_seconds", "Time that workers spent, by stage.", "stage", seconds),
        _counters("augment_stage_calls", "Times that a stage ran.", "stage", calls),
        _counters("augment_outcomes", "Items by outcome: succeeded, or an error's code.", "code", outcomes),
        _micro_batches(sizes),
        *(
            _counter(f"augment_{name}", text, plain.get(name, 0.0))
            for name, text in (
                ("fenced", "Items whose lease was lost before they were written."),
                ("outputs", "Results written."),
                ("jobs", "RQ jobs served."),
                ("cached", "Items answered by copies of earlier results."),
            )
        ),
    ]


def repair_metrics(facts: Mapping[str, str]) -> list[Metric]:
    """What the reconciler says it has repaired and removed since it started, by kind."""
    numbers = {kind: number for kind, text in facts.items() if (number := _number(text)) is not None}
    return [_counters("augment_repaired", "Items put right by the reconciler, and things it removed.", "kind", numbers)]


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value in sorted(values):
        family.add_metric([value], values[value])
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _micro_batches(sizes: Mapping[str, float]) -> Metric:
    """The histogram of micro-batch sizes; its sum is an upper bound, for only the buckets are known."""
    edges = sorted((edge for edge in sizes if edge != "inf"), key=int)
    buckets: list[tuple[str, float]] = []
    so_far = total = 0.0
    for edge in edges:
        so_far += sizes[edge]
        total += sizes[edge] * int(edge)
        buckets.append((f"{float(edge)}", so_far))
    buckets.append(("+Inf", so_far + sizes.get("inf", 0.0)))
    family = HistogramMetricFamily("augment_micro_batch_items", "Items in a micro-batch.")
    family.add_metric([], buckets, total)
    return family


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
