"""An OTLP receiver on loopback, which decodes what it is sent with the official protobuf package."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """What was received."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.resources: list[dict[str, Any]] = []
        self.spans: list[Any] = []
        self.metrics: dict[str, list[Any]] = {}
        self.headers: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> None:
        """Decode a request."""
        if path.endswith("/v1/traces"):
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                self.resources.append(attributes(resource.resource))
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        else:
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in metrics.scope_metrics:
                    for metric in scope.metrics:
                        self.metrics.setdefault(metric.name, []).extend(metric.histogram.data_points)


def attributes(owner: Any) -> dict[str, Any]:
    """Return attributes as values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in owner.attributes}


@contextmanager
def receiving(status: int = 200, body: bytes = b"", *, hangs: bool = False) -> Iterator[Receiver]:
    """Run a receiver; one that hangs reads the request and never answers."""
    gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                data = gzip.decompress(data)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            if hangs:
                gone.wait(60)
                return
            if status == 200 and not body:
                receiver.take(self.path, data)
            self.send_response(status)
            self.send_header("content-type", "text/html" if body else "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        gone.set()
        server.shutdown()
        thread.join()
        server.server_close()
