"""rabbitmqadmin, the classic one in Python: each of its subcommands, with the output that scripts read."""

import json
import os
import subprocess
import sys
import tempfile

from api import Api, expect, fresh, part, run

API = Api()
PROGRAM = os.environ["RABBITMQADMIN"]


def admin(*arguments, vhost=None, status=0, stdin=None):
    """Runs a command; gives what it prints."""
    command = [sys.executable, PROGRAM, "--host", API.host, "--port", str(API.port), "--username", API.user,
               "--password", API.password]
    if vhost:
        command += ["--vhost", vhost]
    done = subprocess.run(command + list(arguments), input=stdin, capture_output=True, text=True, timeout=10)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(arguments)}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stdout + done.stderr


def rows(*arguments, vhost=None):
    """Runs a command that lists something; gives its rows without the heading, by tab-separated column."""
    lines = admin("--format", "tsv", *arguments, vhost=vhost).splitlines()
    return [line.split("\t") for line in lines[1:]]


def in_vhost(test):
    """Runs a test in a virtual host of its own."""

    def check():
        name = fresh("admin")
        expect("declare vhost", admin("declare", "vhost", f"name={name}"), "vhost declared\n")
        try:
            test(name)
        finally:
            expect("delete vhost", admin("delete", "vhost", f"name={name}"), "vhost deleted\n")

    return check


LISTS = ("connections", "channels", "consumers", "exchanges", "queues", "bindings", "users", "vhosts", "permissions",
         "nodes", "parameters", "policies", "operator_policies", "vhost_limits")


def tables():
    """Every list as a table."""
    for what in LISTS:
        admin("list", what)


def raw_lists():
    """Every list as JSON, with what is nested."""
    for what in LISTS:
        json.loads(admin("--depth", "3", "--format", "raw_json", "list", what))


def columns():
    """The overview, and lists with columns of its own choice."""
    assert "rabbitmq_version" in admin("show", "overview"), admin("show", "overview")
    assert ["amq.topic", "topic"] in rows("list", "exchanges", "name", "type"), rows("list", "exchanges", "name", "type")
    names = [row[0] for row in rows("list", "vhosts", "name")]
    expect("sorted", names, sorted(names))


@in_vhost
def objects(vhost):
    """Exchanges, queues and bindings."""
    expect("exchange", admin("declare", "exchange", "name=e", "type=topic", vhost=vhost), "exchange declared\n")
    declared = admin("declare", "queue", "name=q", "durable=true", 'arguments={"x-max-length":5}', vhost=vhost)
    expect("queue", declared, "queue declared\n")
    expect("again", admin("declare", "queue", "name=q", "durable=true", 'arguments={"x-max-length":5}', vhost=vhost),
           "queue declared\n")
    refused = admin("declare", "queue", "name=q", "durable=false", vhost=vhost, status=1)
    assert "inequivalent arg 'durable' for queue 'q'" in refused, refused
    admin("declare", "binding", "source=e", "destination=q", "routing_key=a.#", vhost=vhost)
    expect("bindings", rows("list", "bindings", "source", "destination", "routing_key", vhost=vhost),
           [["", "q", "q"], ["e", "q", "a.#"]])
    admin("delete", "binding", "source=e", "destination_type=queue", "destination=q", "properties_key=a.%23", vhost=vhost)
    expect("bindings left", len(rows("list", "bindings", "source", vhost=vhost)), 1)
    expect("delete queue", admin("delete", "queue", "name=q", vhost=vhost), "queue deleted\n")
    expect("delete exchange", admin("delete", "exchange", "name=e", vhost=vhost), "exchange deleted\n")
    assert "*** Not found" in admin("delete", "queue", "name=q", vhost=vhost, status=1)


@in_vhost
def messages(vhost):
    """Publishing, getting and purging."""
    admin("declare", "queue", "name=q", vhost=vhost)
    expect("publish", admin("publish", "routing_key=q", "payload=hello", 'properties={"delivery_mode":2}', vhost=vhost),
           "Message published\n")
    expect("nowhere", admin("publish", "routing_key=nowhere", "payload=x", vhost=vhost), "Message published but NOT routed\n")
    expect("from standard input", admin("publish", "routing_key=q", vhost=vhost, stdin="typed"), "Message published\n")
    got = rows("get", "queue=q", "count=5", vhost=vhost)
    expect("keys, counts and payloads", [(row[0], row[2], row[3]) for row in got], [("q", "1", "hello"), ("q", "0", "typed")])
    got = rows("get", "queue=q", "ackmode=ack_requeue_false", vhost=vhost)
    expect("taken", [row[3] for row in got], ["hello"])
    expect("purge", admin("purge", "queue", "name=q", vhost=vhost), "queue purged\n")
    expect("nothing left", admin("get", "queue=q", vhost=vhost).strip(), "No items")


@in_vhost
def users_and_rights(vhost):
    """Users, permissions, limits, parameters and policies."""
    user = fresh("user")
    admin("declare", "user", f"name={user}", "password=p", "tags=management")
    admin("declare", "permission", f"vhost={vhost}", f"user={user}", "configure=.*", "write=.*", "read=.*")
    assert [vhost, user, ".*", ".*", ".*"] in rows("list", "permissions", "vhost", "user", "configure", "write", "read")
    admin("delete", "permission", f"vhost={vhost}", f"user={user}")
    admin("delete", "user", f"name={user}")
    admin("declare", "vhost_limit", f"vhost={vhost}", "name=max-queues", "value=3")
    admin("delete", "vhost_limit", f"vhost={vhost}", "name=max-queues")
    upstream = 'value={"uri":"amqp://"}'
    admin("declare", "parameter", "component=federation-upstream", "name=u", upstream, vhost=vhost)
    admin("delete", "parameter", "component=federation-upstream", "name=u", vhost=vhost)
    for kind in ("policy", "operator_policy"):
        admin("declare", kind, "name=p", "pattern=^a", 'definition={"max-length":3}', "apply-to=queues", vhost=vhost)
        admin("delete", kind, "name=p", vhost=vhost)


@in_vhost
def definitions(vhost):
    """Exporting and importing one virtual host."""
    admin("declare", "queue", "name=kept", vhost=vhost)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "definitions.json")
        admin("export", file, vhost=vhost)
        with open(file) as exported:
            assert "kept" in [queue["name"] for queue in json.load(exported)["queues"]]
        admin("delete", "queue", "name=kept", vhost=vhost)
        admin("import", file, vhost=vhost)
    expect("imported", [row[0] for row in rows("list", "queues", "name", vhost=vhost)], ["kept"])


def refusals():
    """A wrong password and a connection that is not there."""
    command = [sys.executable, PROGRAM, "--host", API.host, "--port", str(API.port), "--username", "guest",
               "--password", "wrong", "list", "queues"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    expect("status", done.returncode, 1)
    assert "*** Access refused" in done.stdout + done.stderr, done
    assert "*** Not found" in admin("close", "connection", "name=nobody", status=1)


sys.exit(run("rabbitmqadmin", [
    ("tables", tables),
    ("raw-lists", raw_lists),
    ("columns", columns),
    ("objects", objects),
    ("messages", messages),
    ("users-and-rights", users_and_rights),
    ("definitions", definitions),
    ("refusals", refusals),
]))
