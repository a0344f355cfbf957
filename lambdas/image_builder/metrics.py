"""What more than one function counts."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder.errors import routed
from lambdas.image_builder.request import InvalidRequest


@contextmanager
def counted_errors() -> Iterator[None]:
    """Count what a function raises, by its Error, as the metric AppStreamErrors: every one of them costs a retry."""
    try:
        yield
    except Exception as error:
        with single_metric(name="AppStreamErrors", unit=MetricUnit.Count, value=1) as metric:
            metric.add_dimension("Error", type(error).__name__)
        raise


@contextmanager
def counted_refusals(logger: Logger, metrics: Metrics) -> Iterator[None]:
    """Count and log a request that is refused within, and raise it as an error that the workflow routes."""
    metrics.add_metric("RequestsRefused", MetricUnit.Count, 0)
    try:
        yield
    except InvalidRequest as problems:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        logger.warning("Request refused", problems=str(problems))
        raise routed("InvalidRequest", str(problems)) from None
