"""`python -m local.appstream`: serve the double until standard input closes or a signal ends it."""

import argparse
import signal
import sys
import threading

from local.appstream.clock import ScaledClock
from local.appstream.model import service_model
from local.appstream.server import Server
from local.appstream.service import AppStream


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(prog="python -m local.appstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="real seconds that a simulated second lasts; 0.01: a hundred times faster",
    )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input closes")
    options = parser.parse_args()
    service_model()
    server = Server(options.port, AppStream(ScaledClock(options.time_scale)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.stop_with_stdin:
        threading.Thread(target=_until_stdin_closes, args=(server,), daemon=True).start()
    print(f"AppStream double listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _until_stdin_closes(server: Server) -> None:
    sys.stdin.buffer.read()
    server.shutdown()


if __name__ == "__main__":
    main()
