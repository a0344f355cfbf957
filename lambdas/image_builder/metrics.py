"""Metrics that more than one function writes."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit


@contextmanager
def counted_errors() -> Iterator[None]:
    """Count what is raised within, by its Error, as the metric AppStreamErrors: every one of them costs a retry."""
    try:
        yield
    except Exception as error:
        with single_metric(name="AppStreamErrors", unit=MetricUnit.Count, value=1) as metric:
            metric.add_dimension("Error", type(error).__name__)
        raise
