"""A proxy in front of a server that answers some requests itself, as a replica does that is broken."""

from __future__ import annotations

import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PAGE = b"<html><body><h1>Not here</h1></body></html>"


class Proxy(ThreadingHTTPServer):
    """Hands requests on, but for those that it is to answer itself.

    Attributes:
        refuses: Called with method and path; the status to answer with, None to hand the request on.
        loses: Called likewise; whether the answer to what was handed on is lost.
    """

    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.refuses = lambda method, path: None
        self.loses = lambda method, path: False
        self.uri = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.server.refuses(self.command, self.path)
        if status is not None:
            self._send(status, PAGE, "text/html")
            return
        headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
        request = urllib.request.Request(
            self.server.target + self.path, data=body or None, method=self.command, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content = answer.read()
            if self.server.loses(self.command, self.path):
                self._send(502, PAGE, "text/html")
            else:
                self._send(answer.status, content, answer.headers.get_content_type())
        except urllib.error.HTTPError as answer:
            self._send(answer.code, answer.read(), answer.headers.get_content_type())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _send(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextmanager
def proxy_of(target):
    """Run a proxy for a while."""
    with Proxy(target) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()
