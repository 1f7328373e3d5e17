"""A rotel processor that writes what the receiver got, one JSON object a line, to $RECORD_TO.

rotel has no file exporter. It hands each ResourceSpans and each ResourceMetrics it received to a
processor before it exports them (here, to a black hole).
"""

import json
import math
import os

OUT = os.open(os.environ["RECORD_TO"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def write(record):
    # One write a line, so that lines of several workers do not mix.
    os.write(OUT, (json.dumps(record, allow_nan=False) + "\n").encode())


def plain(value):
    """An AnyValue as JSON. Bytes become an array of numbers; NaN and the infinities, text."""
    inner = getattr(value, "value", value)
    if isinstance(inner, float) and not math.isfinite(inner):
        return str(inner)
    if inner is None or isinstance(inner, (bool, int, float, str)):
        return inner
    items = list(inner)
    if items and hasattr(items[0], "key"):
        return attributes(items)
    return [plain(item) for item in items]


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def resource_of(received):
    return attributes(received.resource.attributes) if received.resource else {}


def process_spans(received):
    resource = resource_of(received)
    for scope in received.scope_spans:
        for span in scope.spans:
            write(
                {
                    "signal": "span",
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_span_id": span.parent_span_id.hex() or None,
                    "trace_state": span.trace_state,
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "status": status(span),
                    "attributes": attributes(span.attributes),
                    "events": [
                        {"name": event.name, "attributes": attributes(event.attributes)}
                        for event in span.events
                    ],
                    "links": [
                        {
                            "trace_id": link.trace_id.hex(),
                            "span_id": link.span_id.hex(),
                            "attributes": attributes(link.attributes),
                        }
                        for link in span.links
                    ],
                    "scope": scope.scope.name if scope.scope else None,
                    "resource": resource,
                }
            )


def status(span):
    """(code, message): 0 unset, 1 ok, 2 error."""
    if span.status is None:
        return [0, ""]
    return [int(span.status.code), span.status.message]


def process_metrics(received):
    resource = resource_of(received)
    for scope in received.scope_metrics:
        for metric in scope.metrics:
            if metric.data is None:
                continue
            data = metric.data[0]
            write(
                {
                    "signal": "metric",
                    "name": metric.name,
                    "unit": metric.unit,
                    "description": metric.description,
                    # "Gauge", "Sum", "Histogram", …
                    "kind": type(metric.data).__name__.removeprefix("MetricData_"),
                    "monotonic": getattr(data, "is_monotonic", None),
                    "points": [point_of(point) for point in data.data_points],
                    "scope": scope.scope.name if scope.scope else None,
                    "resource": resource,
                }
            )


def point_of(point):
    record = {"attributes": attributes(point.attributes)}
    if hasattr(point, "bucket_counts"):
        record |= {
            "count": point.count,
            "sum": point.sum,
            "bounds": list(point.explicit_bounds),
            "buckets": list(point.bucket_counts),
        }
    elif hasattr(point, "value"):
        record["value"] = point.value[0]
    return record
