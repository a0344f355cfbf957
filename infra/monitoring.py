"""What operators watch: one dashboard, and alarms to their topic, each with its section in the runbook."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import METRICS_NAMESPACE, SERVICE
from infra.suppressions import PROPERTY_NOT_IN_SCHEMA, ignore, resource_of

ROUTES = {
    "fail": "notified: the request has to change",
    "notify": "notified: an operator has to act",
    "uncaught": "notified: timed out, aborted, or broken off",
    "undelivered": "notified: a schedule or event could not start",
}
"""Values of the dimension Route of notifications, with their labels. Source: lambdas/notify_operators.py."""

HOUR = Duration.hours(1)
FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """The dashboard and the alarms of one deployment; every alarm calls the actions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machines: Mapping[str, sfn.StateMachine],
        functions: Collection[lambda_.Function],
        dead_letters: sqs.Queue,
        start_dead_letters: sqs.Queue,
        actions: Sequence[str],
        runbook_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._state_machines, self._functions, self._actions = state_machines, functions, actions
        self._runbook = runbook_url or "docs/runbook.md"
        self._alarms(dead_letters, start_dead_letters)
        self._dashboard()

    def _alarms(self, dead_letters: sqs.Queue, start_dead_letters: sqs.Queue) -> None:
        self._alarm(
            "ExecutionsFailing",
            "Three or more executions failed within an hour. Each has its own notification; together they point to a "
            "common cause.",
            self._of_workflows("ExecutionsFailed", HOUR),
            threshold=3,
        )
        self._alarm(
            "ExecutionsTimedOut",
            "Step Functions ended an execution at its time limit, which is far above all that the workflow waits.",
            self._of_workflows("ExecutionsTimedOut", HOUR),
        )
        self._alarm(
            "ExecutionsThrottled",
            "Step Functions throttled state transitions: executions are delayed, none is lost.",
            self._of_workflows("ExecutionThrottled", FIVE_MINUTES),
        )
        self._alarm(
            "FailuresNotNotified",
            "Within an hour of the clock, more executions ended without success than notifications were published. "
            "Find the executions in the Step Functions console: their image builders may be running.",
            self._not_notified(),
            wall_clock=True,
        )
        self._alarm(
            "FunctionErrors",
            "The functions failed ten or more times within 15 minutes. Errors that AppStream answers count as well: "
            "the workflow retries them, and notifies of a start that it gives up.",
            self._of_functions("Errors", Duration.minutes(15)),
            threshold=10,
        )
        self._alarm(
            "FunctionThrottles",
            "Lambda throttled the functions: the account's concurrency is used up. The workflow retries for minutes.",
            self._of_functions("Throttles", FIVE_MINUTES),
        )
        self._alarm(
            "DeadLetters",
            "A notification did not get through: the function NotifyOperators could not be invoked or failed, or a "
            "subscriber did not get a message. The dead-letter queue has what it was about.",
            dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
        )
        self._alarm(
            "StartsNotDelivered",
            "Starts that a schedule or an event could not deliver stay in their dead-letter queue: the function "
            "NotifyOperators does not take them. Their image builders were not started.",
            start_dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Minimum"),
        )

    def _alarm(
        self, name: str, description: str, metric: cloudwatch.IMetric, *, threshold: float = 1, wall_clock: bool = False
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"{description} Runbook: {self._runbook}#{name}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            # Most of the day nothing runs.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        resource = cast(cloudwatch.CfnAlarm, resource_of(alarm))
        resource.alarm_actions = list(self._actions)
        if wall_clock:
            # A sliding window would again and again have one half of a pair without the other. This one is evaluated
            # every minute, on the last hour of the clock that is complete: a count that arrives up to an hour late, as
            # metrics out of logs may, takes a false alarm back. Source: Amazon CloudWatch user guide, Alarm evaluation
            # window.
            resource.evaluation_window = cloudwatch.CfnAlarm.EvaluationWindowProperty(
                wall_clock_window=cloudwatch.CfnAlarm.WallClockWindowProperty(timezone="UTC")
            )
            ignore(alarm, PROPERTY_NOT_IN_SCHEMA)

    def _dashboard(self) -> None:
        start, stop = self._state_machines["start"], self._state_machines["stop"]
        errors = f"SEARCH('{{\"{METRICS_NAMESPACE}\",Error,service}} MetricName=\"AppStreamErrors\"', 'Sum', 3600)"
        graphs: dict[str, list[cloudwatch.IMetric]] = {
            "Starts": [
                start.metric_started(period=HOUR, label="executions started"),
                self._own("StartAttempts", label="attempts to start"),
                self._own("StartsAccepted", label="starts that AppStream accepted"),
            ],
            "Results of starts, and notifications": [
                start.metric_succeeded(period=HOUR, label="executions succeeded"),
                *(self._own("OperatorsNotified", label=label, Route=route) for route, label in ROUTES.items()),
            ],
            "Duration of starts": [
                self._own("StartDuration", label=f"{statistic}, seconds", statistic=statistic)
                for statistic in ("p50", "p95", "Maximum")
            ],
            "Polls and stops": [
                self._own("Polls", label="polls"),
                self._own("StopAttempts", label="attempts to stop"),
                self._own("StopsAccepted", label="stops that AppStream accepted"),
                stop.metric_failed(period=HOUR, label="stop executions failed"),
            ],
            "Errors of AppStream: retried, or the end of an execution": [
                cloudwatch.MathExpression(expression=errors, label="", using_metrics={}, period=HOUR)
            ],
            "Functions and throttling": [
                self._of_functions("Errors", HOUR),
                self._of_functions("Throttles", HOUR),
                self._of_workflows("ExecutionThrottled", HOUR),
            ],
        }
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            # Dashboards are of the account, not of a Region.
            dashboard_name=f"{Aws.STACK_NAME}-{Aws.REGION}",
            default_interval=Duration.days(7),
        )
        axis = cloudwatch.YAxisProps(min=0)
        # Three in a row, of 24 columns.
        dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title, left=metrics, width=8, left_y_axis=axis)
                for title, metrics in graphs.items()
            )
        )

    def _not_notified(self) -> cloudwatch.MathExpression:
        ended = {
            f"{status.lower()}{which}": machine.metric(f"Executions{status}", period=HOUR, statistic="Sum")
            for which, machine in self._state_machines.items()
            for status in ("Failed", "TimedOut", "Aborted")
        }
        # Of all routes together: an alarm takes ten metrics.
        notified = {"notified": self._own("FailuresNotified")}
        return cloudwatch.MathExpression(
            expression=f"({_filled(ended)}) - {_filled(notified)}",
            using_metrics={**ended, **notified},
            period=HOUR,
            label="failures without a notification",
        )

    def _of_functions(self, name: str, period: Duration) -> cloudwatch.MathExpression:
        return _sum(name, self._functions, period, f"{name} of the functions")

    def _of_workflows(self, name: str, period: Duration) -> cloudwatch.MathExpression:
        return _sum(name, self._state_machines.values(), period, f"{name} of the workflows")

    def _own(self, name: str, *, label: str = "", statistic: str = "Sum", **dimensions: str) -> cloudwatch.Metric:
        """A metric that the functions write."""
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": SERVICE, **dimensions},
            statistic=statistic,
            period=HOUR,
            label=label or None,
        )


def _sum(
    name: str, sources: Collection[lambda_.Function | sfn.StateMachine], period: Duration, label: str
) -> cloudwatch.MathExpression:
    metrics: dict[str, cloudwatch.IMetric] = {
        f"{name[0].lower()}{name[1:]}{index}": source.metric(name, period=period, statistic="Sum")
        for index, source in enumerate(sources)
    }
    return cloudwatch.MathExpression(expression=_filled(metrics), using_metrics=metrics, period=period, label=label)


def _filled(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    """The sum of metrics by their ids, as an expression; what is missing counts as 0."""
    return " + ".join(f"FILL({metric}, 0)" for metric in metrics)
