"""Leads connections written for 127.0.0.1:5672 to LEVERET_URI.

The suite has that address in its code and starts further Python processes, which all import this.
"""

import functools
import os
import socket
from urllib.parse import urlsplit

WRITTEN = ("127.0.0.1", 5672)
ACTUAL = urlsplit(os.environ["LEVERET_URI"])


def redirected(connect):
    @functools.wraps(connect)
    def connect_to_broker(self, address):
        if address == WRITTEN:
            address = (ACTUAL.hostname, ACTUAL.port or 5672)
        return connect(self, address)

    return connect_to_broker


socket.socket.connect = redirected(socket.socket.connect)
socket.socket.connect_ex = redirected(socket.socket.connect_ex)
