"""What operators watch: one dashboard, and alarms to their topic, each with its section in the runbook."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import METRICS_NAMESPACE, SERVICE
from infra.suppressions import has_a_property_that_the_schema_lacks

ROUTES = {
    "fail": "told, of whatever workflow: fail",
    "notify": "told: notify",
    "uncaught": "told: timed out, stopped, or broken off",
    "undelivered": "told: never delivered",
}
"""Values of the dimension Route of what the operators are told. Source: lambdas/notify_operators.py."""

HOUR = Duration.hours(1)
FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """The dashboard and the alarms of one deployment."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        start: sfn.StateMachine,
        stop: sfn.StateMachine,
        fleet: sfn.StateMachine,
        functions: Sequence[lambda_.Function],
        dead_letters: sqs.Queue,
        undelivered: sqs.Queue,
        topic: sns.ITopic,
        runbook_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic
        self._runbook = runbook_url or "docs/runbook.md"
        self._start = start
        self._stop = stop
        self._fleet = fleet
        self._functions = functions
        self._alarms(dead_letters, undelivered)
        self._dashboard()

    def _alarms(self, dead_letters: sqs.Queue, undelivered: sqs.Queue) -> None:
        self._alarm(
            "ExecutionsFailing",
            "Three or more executions failed within an hour. Each has a message of its own; together they point to "
            "something that they share.",
            self._of_workflows("ExecutionsFailed", HOUR),
            threshold=3,
        )
        self._alarm(
            "ExecutionsTimedOut",
            "Step Functions ended an execution at its time limit, far above all that the workflow waits by itself.",
            self._of_workflows("ExecutionsTimedOut", HOUR),
        )
        self._alarm(
            "ExecutionsThrottled",
            "Step Functions throttled state transitions: executions are slower than they should be.",
            self._of_workflows("ExecutionThrottled", FIVE_MINUTES),
        )
        self._alarm(
            "FailuresNotNotified",
            "More executions ended without success within an hour than the operators were told of. Events are "
            "delivered on a best-effort basis: look for the executions in the Step Functions console.",
            self._untold(HOUR),
            # A sliding window would again and again hold the one half of a pair without the other.
            wall_clock=True,
        )
        self._alarm(
            "FunctionErrors",
            "The functions failed ten or more times within 15 minutes. Errors that AppStream answers count too: the "
            "workflow retries them, and tells of a start that it has to give up.",
            self._of_all_functions("Errors", Duration.minutes(15)),
            threshold=10,
        )
        self._alarm(
            "FunctionThrottles",
            "Lambda throttled the functions: the account's concurrency is used up.",
            self._of_all_functions("Throttles", FIVE_MINUTES),
        )
        self._alarm(
            "DeadLetters",
            "Somebody was not told: the function that tells the operators could not be reached or failed, or a "
            "subscriber did not get a message. The message in the dead-letter queue says of what.",
            dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
        )
        self._alarm(
            "StartsNotDelivered",
            "Starts that a schedule or an event could not deliver wait in their queue: the function that tells the "
            "operators of each does not take them.",
            undelivered.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Minimum"),
        )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 1,
        wall_clock: bool = False,
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
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        if wall_clock:
            resource = alarm.node.default_child
            assert isinstance(resource, cloudwatch.CfnAlarm)  # nosec B101 # for the type checker
            # Source: Amazon CloudWatch user guide, Alarm evaluation window.
            resource.evaluation_window = cloudwatch.CfnAlarm.EvaluationWindowProperty(
                wall_clock_window=cloudwatch.CfnAlarm.WallClockWindowProperty(timezone="UTC")
            )
            has_a_property_that_the_schema_lacks(alarm)

    def _dashboard(self) -> None:
        machine, period = self._start, HOUR
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            # Dashboards are of the account, not of a Region.
            dashboard_name=f"{Aws.STACK_NAME}-{Aws.REGION}",
            default_interval=Duration.days(7),
        )
        dashboard.add_widgets(
            _graph(
                "Starts",
                [
                    machine.metric_started(period=period, label="executions"),
                    self._own("StartAttempts", period, label="attempts to start"),
                    self._own("StartsAccepted", period, label="starts that AppStream accepted"),
                ],
            ),
            _graph(
                "Outcomes",
                [
                    machine.metric_succeeded(period=period, label="starts that succeeded"),
                    *(self._told(route, period, label=label) for route, label in ROUTES.items()),
                ],
            ),
            _graph(
                "How long a start takes",
                [
                    self._own("StartDuration", period, label=f"{statistic}, seconds", statistic=statistic)
                    for statistic in ("p50", "p95", "Maximum")
                ],
            ),
        )
        dashboard.add_widgets(
            _graph(
                "Polls at image builders (polls), and stops",
                [
                    self._own("Polls", period, label="looks"),
                    self._own("StopAttempts", period, label="attempts to stop"),
                    self._own("StopsAccepted", period, label="stops that AppStream accepted"),
                    self._stop.metric_failed(period=period, label="stops that failed"),
                ],
            ),
            _graph(
                "Errors of AppStream, each followed by a retry or an end",
                [
                    cloudwatch.MathExpression(
                        expression=f'SEARCH(\'{{"{METRICS_NAMESPACE}",Error,service}} MetricName="AppStreamErrors"\', '
                        f"'Sum', {period.to_seconds():.0f})",
                        label="",
                        using_metrics={},
                        period=period,
                    )
                ],
            ),
            _graph(
                "Functions",
                [
                    self._of_all_functions("Errors", period),
                    self._of_all_functions("Throttles", period),
                    self._of_workflows("ExecutionThrottled", period),
                ],
            ),
        )

    def _untold(self, period: Duration) -> cloudwatch.MathExpression:
        ended = {
            f"{status.lower()}{which}": machine.metric(f"Executions{status}", period=period, statistic="Sum")
            for which, machine in (("start", self._start), ("stop", self._stop), ("fleet", self._fleet))
            for status in ("Failed", "TimedOut", "Aborted")
        }
        # Of all routes together: an alarm takes ten metrics.
        told = {"told": self._own("FailuresNotified", period)}
        plus, minus = (" + ".join(f"FILL({name}, 0)" for name in names) for names in (ended, told))
        return cloudwatch.MathExpression(
            expression=f"({plus}) - ({minus})",
            using_metrics={**ended, **told},
            period=period,
            label="failures that nobody was told of",
        )

    def _of_all_functions(self, name: str, period: Duration) -> cloudwatch.MathExpression:
        metrics = [function.metric(name, period=period, statistic="Sum") for function in self._functions]
        return _sum(name, metrics, period, f"{name} of the functions")

    def _of_workflows(self, name: str, period: Duration) -> cloudwatch.MathExpression:
        metrics = [
            machine.metric(name, period=period, statistic="Sum") for machine in (self._start, self._stop, self._fleet)
        ]
        return _sum(name, metrics, period, f"{name} of the workflows")

    def _told(self, route: str, period: Duration, *, label: str | None = None) -> cloudwatch.Metric:
        return self._own("OperatorsNotified", period, label=label, Route=route)

    def _own(
        self, name: str, period: Duration, *, label: str | None = None, statistic: str = "Sum", **dimensions: str
    ) -> cloudwatch.Metric:
        """A metric that the functions write."""
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": SERVICE, **dimensions},
            statistic=statistic,
            period=period,
            label=label,
        )


def _sum(name: str, metrics: Sequence[cloudwatch.IMetric], period: Duration, label: str) -> cloudwatch.MathExpression:
    named = {f"{name[0].lower()}{name[1:]}{index}": metric for index, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        expression=" + ".join(f"FILL({metric}, 0)" for metric in named),
        using_metrics=named,
        period=period,
        label=label,
    )


def _graph(title: str, left: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(left), width=8, left_y_axis=cloudwatch.YAxisProps(min=0))
