#!/usr/bin/env python3
"""Runs the commands of golden files against a RabbitMQ that is installed, and shows where it answers differently.

    crates/leveret/tests/ctl/compare.py --sbin /usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin [FILE...]

FILE is a name in golden/ without its end; without one it is all of them. RabbitMQ is started on free ports with data of
its own, reset before each file, and ended afterwards. A command takes it about a second. What is printed is a diff: `-`
is the golden file, which is what Leveret answers, and `+` is RabbitMQ. The exit code is 1 where there is any.
"""

import argparse
import difflib
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).parent / "golden"
TOOLS = ("rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-queues", "rabbitmq-streams", "rabbitmq-plugins",
         "rabbitmq-upgrade")
SECONDS_TO_START = 300
SECONDS_OF_A_COMMAND = 300


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class RabbitMQ:
    """A node with a directory, a name and ports of its own."""

    def __init__(self, sbin, directory):
        self.sbin, self.port = pathlib.Path(sbin), free_port()
        self.node = "compared@localhost"
        for name in ("mnesia", "log"):
            (directory / name).mkdir()
        (directory / "enabled_plugins").write_text("[].\n")
        (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self.environment = os.environ | {
            "HOME": str(directory),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        }
        log = open(directory / "out.txt", "w")
        self.process = subprocess.Popen([self.sbin / "rabbitmq-server"], env=self.environment, stdout=log,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        # Until it has written its cookie, a tool would write another.
        for _ in range(SECONDS_TO_START):
            if (directory / ".erlang.cookie").exists() or self.process.poll() is not None:
                break
            subprocess.run(["sleep", "1"], check=True)
        self.run(["rabbitmqctl", "-t", str(SECONDS_TO_START), "await_startup"])

    def run(self, words):
        tool, arguments = (words[0], words[1:]) if words[0] in TOOLS else ("rabbitmqctl", words)
        return subprocess.run([self.sbin / tool, *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=SECONDS_OF_A_COMMAND)

    def reset(self):
        for command in ("stop_app", "force_reset", "start_app"):
            self.run([command]).check_returncode()
        self.run(["rabbitmq-plugins", "disable", "--all"])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def transcript(rabbitmq, expected):
    lines = [line for line in expected if line.startswith("#")]
    for line in expected:
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:])
        lines.append(line)
        if words[0] == "rabbitmqadmin":
            continue
        output = rabbitmq.run(words)
        lines += output.stdout.splitlines()
        lines += [f"2> {line}" for line in output.stderr.splitlines()]
        if output.returncode:
            lines.append(f"exit {output.returncode}")
    return [normalised(line, rabbitmq) for line in lines]


def normalised(line, rabbitmq):
    return line.replace("\x1b", "ESC").replace(rabbitmq.node, "rabbit@localhost").replace(str(rabbitmq.port), "5672")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sbin", required=True, help="where RabbitMQ's programs are")
    parser.add_argument("files", nargs="*", metavar="FILE")
    options = parser.parse_args()
    names = options.files or sorted(path.stem for path in GOLDEN.glob("*.txt"))
    differs = False
    with tempfile.TemporaryDirectory() as directory:
        rabbitmq = RabbitMQ(options.sbin, pathlib.Path(directory))
        try:
            for name in names:
                rabbitmq.reset()
                expected = (GOLDEN / f"{name}.txt").read_text().splitlines()
                actual = transcript(rabbitmq, expected)
                found = list(difflib.unified_diff(expected, actual, f"golden/{name}.txt", "RabbitMQ", lineterm="", n=2))
                differs |= bool(found)
                print("\n".join(found), flush=True)
        finally:
            rabbitmq.stop()
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
