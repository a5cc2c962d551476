"""``python -m trimtab.serving.lifeline PROGRAM …``: run a program that ends when our standard input does.

For servers that do not watch their input themselves: after a ``kill -9`` of the gateway they would go on for ever.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 10.0


def main(command: list[str]) -> int:
    """Run ``command`` and end as it did: with its exit code, or by the signal that ended it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4096):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
