"""`python -m local.fake_appstream`: serve the fake on 127.0.0.1 until a signal, or the end of standard input."""

import argparse
import os
import threading
from contextlib import suppress

from local.fake_appstream.clock import ScaledClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import service_model
from local.fake_appstream.server import Server


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m local.fake_appstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    parser.add_argument(
        "--time-scale",
        type=_clock,
        default="1",
        metavar="SCALE",
        help="real seconds that a simulated second lasts; 0.01: a hundred times faster than real time; default 1",
    )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input closes as well")
    options = parser.parse_args(arguments)
    # Read before it serves, so that the first call is not the slow one.
    service_model()
    with Server(FakeAppStream(options.time_scale), options.port) as server, suppress(KeyboardInterrupt):
        if options.stop_with_stdin:
            threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
        print(f"Fake of AppStream listening on {server.url}", flush=True)
        server.serve_forever()


def _clock(scale: str) -> ScaledClock:
    return ScaledClock(float(scale))


def _stop_with_stdin(server: Server) -> None:
    """End with the process that started the fake: the pipe to standard input closes with it, however it ends."""
    # Not by sys.stdin, whose lock a thread that waits for input would hold when the process ends.
    while os.read(0, 1):
        pass
    server.shutdown()


if __name__ == "__main__":
    main()
