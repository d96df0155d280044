"""The Nagios checks of Debian's package nagios-plugins-rabbitmq, each as a monitor runs it."""

import subprocess
import sys

from api import Api, expect, fresh, part, run

API = Api()


def plugin(name, *arguments):
    """Runs a check; gives its status (0 OK, 1 warning, 2 critical, 3 unknown) and its line."""
    command = [f"check_rabbitmq_{name}", "--hostname", API.host, "--port", str(API.port), "--username", API.user,
               "--password", API.password]
    done = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=10)
    return done.returncode, done.stdout.strip() + done.stderr.strip()


def fine(name, *arguments):
    """Runs a check that has to say OK."""
    status, line = plugin(name, *arguments)
    expect(f"{name}: {line}", status, 0)
    return line


def node_host():
    """The host in the node's name, which the checks put behind `rabbit@`."""
    name = API.get("/overview")["node"]
    expect("node", name.split("@")[0], "rabbit")
    return name.split("@")[1]


def aliveness():
    fine("aliveness", "--vhost", "/")
    assert plugin("aliveness", "--vhost", "nope")[0] != 0


def connections():
    fine("connections")


def objects():
    line = fine("objects")
    assert "exchange" in line, line


def overview():
    assert "messages" in fine("overview", "--warning", "1000000,1000000,1000000", "--critical", "2000000,2000000,2000000")


def queue():
    name = fresh("nagios")
    API.put(f"/queues/%2F/{part(name)}", {"durable": True})
    try:
        assert "messages=0" in fine("queue", "--vhost", "/", "--queue", name)
    finally:
        API.delete(f"/queues/%2F/{part(name)}")


def server():
    line = fine("server", "--node", node_host())
    assert "Memory" in line, line


def partition():
    fine("partition", "--node", node_host())


def watermark():
    fine("watermark", "--node", node_host())


sys.exit(run("nagios", [
    ("aliveness", aliveness),
    ("connections", connections),
    ("objects", objects),
    ("overview", overview),
    ("queue", queue),
    ("server", server),
    ("partition", partition),
    ("watermark", watermark),
]))
