"""Requests to a broker's HTTP API, as programs make them that people already have."""

import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from checks import Skipped, expect, fresh, run  # noqa: E402,F401

URI = os.environ.get("LEVERET_MANAGEMENT_URI", "http://guest:guest@127.0.0.1:15672")


def part(text):
    """Percent-encodes one segment of a path."""
    return urllib.parse.quote(text, safe="")


class Answer:
    """A status, headers and what the body says."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


class Api:
    """A user of the HTTP API."""

    def __init__(self, user=None, password=None):
        uri = urllib.parse.urlsplit(URI)
        self.base = f"{uri.scheme}://{uri.hostname}:{uri.port}"
        self.user = user or urllib.parse.unquote(uri.username or "guest")
        self.password = password or urllib.parse.unquote(uri.password or "guest")
        self.host, self.port = uri.hostname, uri.port

    def send(self, method, path, body=None, headers=()):
        """Sends a request; gives the answer whatever its status."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/api{path}", data=data, method=method)
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers:
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path, headers=()):
        """The JSON at a path that has to be there."""
        answer = self.send("GET", path, headers=headers)
        expect(f"status of GET {path}", answer.status, 200)
        return answer.json()

    def put(self, path, body, wanted=(201, 204)):
        """Puts an object; gives the status, which has to be one of those wanted."""
        answer = self.send("PUT", path, body)
        if answer.status not in wanted:
            raise AssertionError(f"PUT {path}: {answer.status} {answer.body!r}")
        return answer.status

    def delete(self, path, wanted=(204,)):
        """Deletes an object."""
        answer = self.send("DELETE", path)
        if answer.status not in wanted:
            raise AssertionError(f"DELETE {path}: {answer.status} {answer.body!r}")
        return answer.status


def number(what, value):
    """Raises unless the value is a number, which a counter or gauge has to be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AssertionError(f"{what} is {value!r}, no number")
    return value


def field(value, path):
    """What a path such as `message_stats.publish_details.rate` leads to."""
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise AssertionError(f"no {path}: {name} is missing")
        value = value[name]
    return value
