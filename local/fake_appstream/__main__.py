"""`python -m local.fake_appstream`: serve the double on 127.0.0.1 until SIGTERM or SIGINT."""

import argparse
import dataclasses
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from local.fake_appstream.builders import Durations
from local.fake_appstream.clock import ScaledClock
from local.fake_appstream.fake import DEFAULT_REGION, NOT_PERMITTED, FakeAppStream
from local.fake_appstream.model import service_model
from local.fake_appstream.server import Server


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, serve, and leave no ready file behind."""
    parser = argparse.ArgumentParser(prog="python -m local.fake_appstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    parser.add_argument(
        "--time-scale",
        type=_clock,
        default="1",
        metavar="SCALE",
        help="real seconds that a simulated second lasts; 0.01: a hundred times faster than life; default 1",
    )
    parser.add_argument(
        "--duration",
        type=_duration,
        action="append",
        default=[],
        metavar="NAME=SECONDS",
        help="simulated seconds; "
        + ", ".join(f"{field.name} ({field.default:g})" for field in dataclasses.fields(Durations)),
    )
    parser.add_argument("--region", default=DEFAULT_REGION, help="of builders made by the control interface")
    parser.add_argument(
        "--start-refusal", default=NOT_PERMITTED, metavar="CODE", help="what a start answers when not STOPPED"
    )
    parser.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="holds the endpoint URL while the double serves"
    )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input closes as well")
    options = parser.parse_args(arguments)
    try:
        durations = Durations().changed(dict(options.duration))
    except ValueError as problem:
        parser.error(str(problem))
    double = FakeAppStream(
        options.time_scale, durations=durations, start_refusal=options.start_refusal, region=options.region
    )
    # Read before it is ready, so that the first call is not the slow one.
    service_model()
    # Explicitly, since a shell that starts a command in the background has it ignore SIGINT.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with Server(double, options.port) as server:
        try:
            if options.ready_file:
                _write_whole(options.ready_file, f"{server.url}\n")
            if options.stop_with_stdin:
                threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
            print(f"AppStream double listening on {server.url}", flush=True)
            server.serve_forever()
        finally:
            if options.ready_file:
                options.ready_file.unlink(missing_ok=True)


def _clock(scale: str) -> ScaledClock:
    return ScaledClock(float(scale))


def _duration(setting: str) -> tuple[str, float]:
    name, _, seconds = setting.partition("=")
    return name, float(seconds)


def _write_whole(path: Path, content: str) -> None:
    """Write a file that no reader can see half of."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(content)
    draft.replace(path)


def _stop_with_stdin(server: Server) -> None:
    """Whoever started the double is gone when the pipe to its standard input closes, however that happened."""
    sys.stdin.buffer.read()
    server.shutdown()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
