"""The calls that the Terraform provider cyrilgdn/rabbitmq makes for each of its resources: create, read, change,
read again, delete, and read what is gone."""

import sys

from api import Api, expect, fresh, part, run

API = Api()


def vhost_of(test):
    """Runs a test in a virtual host of its own."""

    def check():
        name = fresh("terraform")
        API.put(f"/vhosts/{part(name)}", {"description": "", "tags": "", "tracing": False}, (201,))
        try:
            test(name)
        finally:
            API.delete(f"/vhosts/{part(name)}")
        expect("status of a virtual host that is gone", API.send("GET", f"/vhosts/{part(name)}").status, 404)

    return check


def login():
    """The provider asks for the overview to see whether it can log in."""
    expect("status with a wrong password", Api("guest", "wrong").send("GET", "/overview").status, 401)
    overview = API.get("/overview")
    assert overview["rabbitmq_version"], overview


@vhost_of
def vhost(name):
    path = f"/vhosts/{part(name)}"
    API.put(path, {"description": "changed", "default_queue_type": "classic", "tracing": False}, (204,))
    read = API.get(path)
    expect("name", read["name"], name)
    expect("description", read["description"], "changed")
    # 3.10 says undefined whatever was set.
    assert read["default_queue_type"] in ("classic", "undefined"), read
    expect("tracing", read["tracing"], False)
    for limit, value in (("max-connections", 10), ("max-queues", 20)):
        API.put(f"/vhost-limits/{part(name)}/{limit}", {"value": value})
    expect("limits", API.get(f"/vhost-limits/{part(name)}"), [{"vhost": name, "value": {"max-connections": 10, "max-queues": 20}}])
    for limit in ("max-connections", "max-queues"):
        API.delete(f"/vhost-limits/{part(name)}/{limit}")
    left = API.get(f"/vhost-limits/{part(name)}")
    assert left in ([], [{"vhost": name, "value": {}}]), left


@vhost_of
def user(vhost_name):
    name = fresh("user")
    path = f"/users/{part(name)}"
    API.put(path, {"password": "first", "tags": "administrator,management"}, (201,))
    read = API.get(path)
    tags = read["tags"] if isinstance(read["tags"], list) else read["tags"].split(",")
    expect("tags", tags, ["administrator", "management"])
    expect("login", Api(name, "first").send("GET", "/whoami").status, 200)
    API.put(path, {"password": "second", "tags": "management"}, (204,))
    expect("login with the old password", Api(name, "first").send("GET", "/whoami").status, 401)
    expect("login with the new password", Api(name, "second").send("GET", "/whoami").status, 200)

    permissions = f"/permissions/{part(vhost_name)}/{part(name)}"
    API.put(permissions, {"configure": ".*", "write": "", "read": "^a"}, (201,))
    read = API.get(permissions)
    expect("permissions", [read[key] for key in ("configure", "write", "read")], [".*", "", "^a"])
    API.put(permissions, {"configure": "", "write": "", "read": ""}, (204,))
    API.delete(permissions)
    expect("status of permissions that are gone", API.send("GET", permissions).status, 404)

    topics = f"/topic-permissions/{part(vhost_name)}/{part(name)}"
    API.put(topics, {"exchange": "amq.topic", "write": ".*", "read": "^b"}, (201,))
    read = API.get(topics)
    expect("topic permissions", [(one["exchange"], one["write"], one["read"]) for one in read], [("amq.topic", ".*", "^b")])
    API.delete(topics)
    expect("status of topic permissions that are gone", API.send("GET", topics).status, 404)

    API.delete(path)
    expect("status of a user that is gone", API.send("GET", path).status, 404)


@vhost_of
def exchange(vhost_name):
    path = f"/exchanges/{part(vhost_name)}/{part('e/1')}"
    settings = {"type": "fanout", "durable": False, "auto_delete": True, "arguments": {"x-some": "text"}}
    API.put(path, settings, (201,))
    read = API.get(path)
    for key, value in settings.items():
        expect(key, read[key], value)
    API.delete(path)
    expect("status of an exchange that is gone", API.send("GET", path).status, 404)


@vhost_of
def queue(vhost_name):
    path = f"/queues/{part(vhost_name)}/q"
    settings = {"durable": True, "auto_delete": False, "arguments": {"x-queue-type": "classic", "x-message-ttl": 5000}}
    API.put(path, settings, (201,))
    read = API.get(path)
    for key, value in settings.items():
        expect(key, read[key], value)
    expect("type", read["type"], "classic")
    API.delete(path)
    expect("status of a queue that is gone", API.send("GET", path).status, 404)


@vhost_of
def binding(vhost_name):
    vhost_part = part(vhost_name)
    API.put(f"/exchanges/{vhost_part}/e", {"type": "topic", "durable": True, "auto_delete": False, "arguments": {}})
    API.put(f"/exchanges/{vhost_part}/other", {"type": "fanout", "durable": True, "auto_delete": False, "arguments": {}})
    API.put(f"/queues/{vhost_part}/q", {"durable": True, "auto_delete": False, "arguments": {}})
    cases = [
        ("q", "q", "#", {}),
        ("q", "q", "a/b c%", {"key1": "value1", "key2": 5}),
        ("q", "q", "", {"only": "arguments"}),
        ("e", "other", "a.*", {}),
    ]
    for kind, destination, key, arguments in cases:
        path = f"/bindings/{vhost_part}/e/e/{kind}/{destination}"
        answer = API.send("POST", path, {"routing_key": key, "arguments": arguments})
        expect(f"status of POST {path}", answer.status, 201)
        # The provider takes the last segment of the header, decodes it once, and looks for it in the list.
        properties_key = unquoted(answer.headers["Location"].split("/")[-1])
        between = API.get(path)
        found = [one for one in between if one["properties_key"] == properties_key]
        expect(f"bindings called {properties_key} in {between}", len(found), 1)
        expect("key", found[0]["routing_key"], key)
        expect("arguments", found[0]["arguments"], arguments)
        API.delete(f"{path}/{part(properties_key)}")
        left = [one for one in API.get(f"/bindings/{vhost_part}") if one["source"] == "e"]
        expect("bindings left", left, [])


def unquoted(text):
    """The text with its percent-encoding taken off once."""
    from urllib.parse import unquote

    return unquote(text)


def policies(kind, definition, changed):
    """Reads, changes and deletes a policy of this kind."""

    def test(vhost_name):
        path = f"/{kind}/{part(vhost_name)}/{part('a policy')}"
        API.put(path, {"pattern": ".*", "priority": 1, "apply-to": "queues", "definition": definition}, (201,))
        read = API.get(path)
        expect("policy", [read[key] for key in ("name", "pattern", "priority", "apply-to", "definition")],
               ["a policy", ".*", 1, "queues", definition])
        API.put(path, {"pattern": "^x", "priority": 2, "apply-to": "queues", "definition": changed}, (204,))
        expect("changed definition", API.get(path)["definition"], changed)
        API.delete(path)
        expect("status of a policy that is gone", API.send("GET", path).status, 404)

    return vhost_of(test)


def parameters(component, value):
    """Reads and deletes a runtime parameter as the resources for shovels and upstreams do."""

    def test(vhost_name):
        path = f"/parameters/{component}/{part(vhost_name)}/p"
        API.put(path, {"component": component, "vhost": vhost_name, "name": "p", "value": value}, (201,))
        read = API.get(path)
        expect("parameter", [read[key] for key in ("component", "vhost", "name")], [component, vhost_name, "p"])
        expect("value", read["value"], value)
        API.delete(path)
        expect("status of a parameter that is gone", API.send("GET", path).status, 404)

    return vhost_of(test)


SHOVEL = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b", "ack-mode": "on-confirm"}
UPSTREAM = {"uri": "amqp://server", "prefetch-count": 1000, "reconnect-delay": 5, "ack-mode": "on-confirm"}

sys.exit(run("terraform", [
    ("login", login),
    ("vhost", vhost),
    ("user", user),
    ("exchange", exchange),
    ("queue", queue),
    ("binding", binding),
    ("policy", policies("policies", {"max-length": 10, "expires": 60000}, {"max-length": 5})),
    ("operator-policy", policies("operator-policies", {"max-length": 10}, {"max-length": 5, "expires": 1000})),
    ("shovel", parameters("shovel", SHOVEL)),
    ("federation-upstream", parameters("federation-upstream", UPSTREAM)),
]))
