"""What the functions log and count."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder.errors import routed
from lambdas.image_builder.request import InvalidRequest

Handler = Callable[[dict[str, Any], object], Any]

logger = Logger()
metrics = Metrics()


def task(handler: Handler) -> Handler:
    """Log what a handler logs with the context of its invocation, and write what it has counted."""
    return logger.inject_lambda_context(metrics.log_metrics(handler), clear_state=True)


def count(name: str, value: int = 1) -> None:
    """Add to a metric of this invocation."""
    metrics.add_metric(name, MetricUnit.Count, value)


def count_apart(name: str, **dimensions: str) -> None:
    """Add 1 to a metric with dimensions other than those of the invocation."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        for dimension, value in dimensions.items():
            metric.add_dimension(dimension, value)


@contextmanager
def counted_errors() -> Iterator[None]:
    """Count what a function raises, by its Error, as the metric AppStreamErrors: every one of them costs a retry."""
    try:
        yield
    except Exception as error:
        count_apart("AppStreamErrors", Error=type(error).__name__)
        raise


@contextmanager
def counted_refusals() -> Iterator[None]:
    """Count and log a request that is refused within, and raise it as an error that the workflow routes."""
    count("RequestsRefused", 0)
    try:
        yield
    except InvalidRequest as problems:
        error = routed("InvalidRequest", str(problems))
        count("RequestsRefused")
        logger.warning("Request refused", problems=error.message)
        raise error from None
