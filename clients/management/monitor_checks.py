"""What monitors and frameworks ask for, and the fields that they read: KEDA's scaler, the exporter of kbudde,
NServiceBus's start, Flower, Datadog's check, Spring's test kit."""

import sys
import time

from api import Api, expect, field, fresh, number, part, run

API = Api()


def eventually(test):
    """Runs a test until it passes: RabbitMQ's figures are up to five seconds old."""
    until = time.monotonic() + 8
    while True:
        try:
            return test()
        except (AssertionError, KeyError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def with_queue(test):
    """Runs a test with a queue that holds two messages."""

    def check():
        name = fresh("monitor")
        path = f"/queues/%2F/{part(name)}"
        API.put(path, {"durable": True, "auto_delete": False, "arguments": {}})
        try:
            for body in ("one", "two"):
                message = {"properties": {}, "routing_key": name, "payload": body, "payload_encoding": "string"}
                answer = API.send("POST", "/exchanges/%2F/amq.default/publish", message)
                expect("publish", (answer.status, answer.json()), (200, {"routed": True}))
            eventually(lambda: test(name))
        finally:
            API.delete(path)

    return check


@with_queue
def keda_queue(name):
    """The queue by name; the scaler decodes whole numbers and rates."""
    queue = API.get(f"/queues/%2F/{part(name)}")
    expect("messages", queue["messages"], 2)
    for key in ("messages", "messages_ready", "messages_unacknowledged"):
        expect(f"type of {key}", type(queue[key]), int)
    for rate in ("publish", "deliver_get"):
        # Without any traffic of that kind RabbitMQ leaves it out, and the scaler takes it for nothing.
        details = queue["message_stats"].get(f"{rate}_details", {"rate": 0.0})
        number(f"{rate} rate", details["rate"])


@with_queue
def keda_regex(name):
    """Queues by a regular expression, with paging asked for and refused in the same query."""
    pattern = part("^" + name.replace(".", "\\.") + "$")
    found = API.get(f"/queues/%2F?page=1&use_regex=true&pagination=false&name={pattern}&page_size=100")
    expect("pages", found["page_count"], 1)
    expect("names", [queue["name"] for queue in found["items"]], [name])
    expect("messages", found["items"][0]["messages"], 2)


OVERVIEW = """object_totals.channels object_totals.connections object_totals.consumers object_totals.queues
    object_totals.exchanges queue_totals.messages queue_totals.messages_ready queue_totals.messages_unacknowledged""".split()
NODE = """uptime running mem_used mem_limit mem_alarm disk_free disk_free_alarm disk_free_limit fd_used fd_total
    sockets_used sockets_total partitions run_queue""".split()
QUEUE = """messages_ready messages_unacknowledged messages messages_ready_ram messages_unacknowledged_ram messages_ram
    messages_persistent message_bytes message_bytes_ready message_bytes_unacknowledged message_bytes_ram
    message_bytes_persistent consumers memory reductions garbage_collection.minor_gcs
    garbage_collection.min_heap_size message_stats.publish""".split()
MEMORY = """allocated_unused atom binary code connection_channels connection_other connection_readers
    connection_writers metrics mgmt_db mnesia msg_index other_ets other_proc other_system plugins queue_procs
    reserved_unallocated total.allocated total.rss total.erlang""".split()


@with_queue
def exporter(name):
    """The modules of the exporter, with the empty sort that it sends."""
    accept = [("Accept", "application/json")]
    overview = API.get("/overview?sort=", accept)
    for key in OVERVIEW:
        number(key, field(overview, key))
    node = API.get("/nodes?sort=", accept)[0]
    for key in NODE:
        field(node, key)
    queue = next(one for one in API.get("/queues?sort=", accept) if one["name"] == name)
    for key in QUEUE:
        number(key, field(queue, key))
    for key in ("vhost", "name", "durable", "policy", "state"):
        field(queue, key)
    exchanges = API.get("/exchanges?sort=", accept)
    assert {"amq.direct", "amq.topic", ""} <= {one["name"] for one in exchanges}, exchanges
    API.get("/connections?sort=", accept)
    memory = API.get(f"/nodes/{part(node['name'])}/memory", accept)["memory"]
    for key in MEMORY:
        number(key, field(memory, key))
    expect("aliveness", API.get("/aliveness-test/%2F"), {"status": "ok"})


def exporter_bert():
    """The exporter prefers Erlang's format where it is told that there is one, and decodes by the answer's type."""
    answer = API.send("GET", "/overview", headers=[("Accept", "application/bert, application/json;q=0.1")])
    expect("status", answer.status, 200)
    if answer.headers.get_content_type() == "application/json":
        assert answer.json()["rabbitmq_version"], answer.body
    else:
        expect("type", answer.headers.get_content_type(), "application/bert")


@with_queue
def nservicebus(name):
    """The checks at start: version, streams, delivery limit, and the pages of queues that the tool goes through."""
    overview = API.get("/overview")
    version = tuple(int(part_of) for part_of in overview["rabbitmq_version"].split("-")[0].split("."))
    assert version >= (3, 10, 0), version
    expect("disable_stats", overview["disable_stats"], False)
    states = {flag["name"]: flag["state"] for flag in API.get("/feature-flags")}
    expect("stream_queue", states["stream_queue"], "enabled")
    queue = API.get(f"/queues/%2F/{part(name)}")
    assert queue["effective_policy_definition"] is not None, queue
    expect("arguments", queue["arguments"], {})
    page = API.get("/queues/%2F/?page=1&page_size=500")
    assert name in [one["name"] for one in page["items"]], page
    number("page count", page["page_count"])
    bindings = API.get(f"/queues/%2F/{part(name)}/bindings")
    expect("sources", [one["source"] for one in bindings], [""])
    API.get("/exchanges/%2F/amq.topic/bindings/destination")
    policy = f"nsb.{name}.delivery-limit"
    body = {"apply-to": "quorum_queues", "definition": {"delivery-limit": 2147483647}, "pattern": f"^{name}$", "priority": 0}
    API.put(f"/policies/%2F/{part(policy)}", body)
    API.delete(f"/policies/%2F/{part(policy)}")


@with_queue
def flower(name):
    """All queues of a virtual host, unpaged."""
    queue = next(one for one in API.get("/queues/%2F") if one["name"] == name)
    for key in ("messages", "messages_ready", "messages_unacknowledged", "consumers"):
        number(key, queue[key])


@with_queue
def datadog(name):
    """The lists of the check in its management mode."""
    overview = API.get("/overview")
    assert overview["rabbitmq_version"] and overview["cluster_name"], overview
    for path in ("/vhosts", "/exchanges", "/queues", "/nodes", "/connections"):
        assert isinstance(API.get(path), list), path
    for key in ("publish", "publish_details"):
        field(overview, f"message_stats.{key}")
    expect("aliveness", API.get("/aliveness-test/%2F")["status"], "ok")
    API.get("/healthchecks/node")


@with_queue
def spring(name):
    """The node of a queue, by which consumers find the address to connect to, and the clean-up of bindings."""
    queue = API.get(f"/queues/%2F/{part(name)}")
    nodes = [node["name"] for node in API.get("/nodes")]
    assert queue["node"] in nodes, (queue["node"], nodes)
    API.get("/exchanges/%2F/amq.topic/bindings/source")


sys.exit(run("monitor", [
    ("keda-queue", keda_queue),
    ("keda-regex", keda_regex),
    ("exporter", exporter),
    ("exporter-bert", exporter_bert),
    ("nservicebus", nservicebus),
    ("flower", flower),
    ("datadog", datadog),
    ("spring", spring),
]))
