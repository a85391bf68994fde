"""Figures for Prometheus, of this node alone and without anybody's data: routes stand as their patterns."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"


class Metrics:
    """A registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "huzhu_requests", "Requests answered, by route and status.", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "huzhu_request_seconds",
            "Seconds until the answer, by route.",
            ("route",),
            registry=self.registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )
        self._by_route: dict[tuple[str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        found = self._by_route.get((route, status))
        if found is None:
            counter = self._requests.labels(route, str(status))
            found = self._by_route[route, status] = counter.inc, self._seconds.labels(route).observe
        count, observe = found
        count()
        observe(seconds)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A figure that is read when somebody asks."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
