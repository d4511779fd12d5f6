"""The senders of tests/intake/otlp: OpenTelemetry's SDK, and bytes of no SDK."""

import collections
import gzip
import http.client
import json
import os
import struct
import sys
import time

import grpc
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

TOKEN = os.environ["UME_TEST_TOKEN"]
HERE = os.environ["UME_TEST_HERE"]
BEARER = {"authorization": f"Bearer {TOKEN}"}
BATCHES, RECORDS, KILLS = 250, 5, 3


def resource(name):
    return Resource.create({"service.name": name, "host.name": "otel-1"})


class Gather(LogRecordExporter):
    """Gathers records as the SDK makes them, to export them in batches and see each answer."""

    def __init__(self):
        self.records = []

    def export(self, batch):
        self.records.extend(batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=0):
        return True


def send_logs(name, exporter):
    """Sends numbered records; a batch without an answer is sent again, as OTLP asks for it."""
    kept = Gather()
    provider = LoggerProvider(resource(name))
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("test.lib", "1.0")
    acked, repeated = 0, 0
    for batch in range(BATCHES):
        kept.records = []
        for n in range(RECORDS):
            number = batch * RECORDS + n
            logger.emit(LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.ERROR,
                severity_text="ERROR",
                body=f"{name} record {number} 日本語",
                attributes={"number": number, "list": ["a", "b"], "user.name": "mika"},
            ))
        for attempt in range(60):
            if exporter.export(list(kept.records)) == LogRecordExportResult.SUCCESS:
                break
            repeated += 1
            time.sleep(0.3)
        else:
            raise SystemExit(f"{name}: batch {batch} was never taken")
        acked += RECORDS
        time.sleep(0.02)
    return {"acked": acked, "repeated": repeated}


def send_metrics(name, exporter, delta):
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource(name))
    meter = provider.get_meter("test.lib")
    prefix = "shop.delta" if delta else "shop"
    orders = meter.create_counter(f"{prefix}.orders", "{order}")
    waiting = meter.create_up_down_counter(f"{prefix}.waiting")
    seconds = meter.create_histogram(f"{prefix}.time", "s") if delta else meter.create_histogram("shop", "s")
    meter.create_observable_gauge(f"{prefix}.temperature", [lambda _: [_observation(41.5)]], "Cel")
    total = 0
    for n in range(8):
        orders.add(n, {"kind": "book"})
        waiting.add(1 if n % 2 else -1)
        seconds.record(0.1 * n)
        total += n
        for _ in range(60):
            if reader.force_flush(20_000):
                break
            time.sleep(0.3)
        time.sleep(1.2)
    # What the provider would send at its end is not counted here.
    return total


def _observation(value):
    from opentelemetry.metrics import Observation

    return Observation(value)


def send(one, two, tls):
    temporality = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    pem = f"{HERE}/server.pem"
    credentials = grpc.ssl_channel_credentials(open(pem, "rb").read())
    logs = {
        "grpc": GrpcLogs(endpoint=f"http://127.0.0.1:{one}", insecure=True, headers=BEARER, timeout=5),
        "grpc-gzip": GrpcLogs(endpoint=f"http://127.0.0.1:{two}", insecure=True, headers=BEARER, timeout=5,
                              compression=grpc.Compression.Gzip),
        "http": HttpLogs(endpoint=f"http://127.0.0.1:{two}/v1/logs", headers=BEARER, timeout=5),
        "http-gzip": HttpLogs(endpoint=f"http://127.0.0.1:{one}/v1/logs", headers=BEARER, timeout=5,
                              compression=Compression.Gzip),
        "grpc-tls": GrpcLogs(endpoint=f"https://localhost:{tls}", credentials=credentials, timeout=5),
        "http-tls": HttpLogs(endpoint=f"https://localhost:{tls}/v1/logs", certificate_file=pem, timeout=5),
    }
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        sent = {name: pool.submit(send_logs, name, exporter) for name, exporter in logs.items()}
        cumulative = pool.submit(
            send_metrics, "m-http",
            HttpMetrics(endpoint=f"http://127.0.0.1:{one}/v1/metrics", headers=BEARER, timeout=5), False)
        delta = pool.submit(
            send_metrics, "m-grpc",
            GrpcMetrics(endpoint=f"http://127.0.0.1:{two}", insecure=True, headers=BEARER, timeout=5,
                        preferred_temporality=temporality), True)
        told = {name: one.result() for name, one in sent.items()}
        print(json.dumps({"logs": told, "total": cumulative.result(), "delta": delta.result()}))


def post(port, path, body, kind="application/x-protobuf", headers=None, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"content-type": kind, **BEARER, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def request(texts):
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add()
    for text in texts:
        logs.log_records.add().body.string_value = text
    return request


def wrong(one, two, away):
    """Each is answered as OTLP says, and the server lives."""
    whole = request(["from a stranger"]).SerializeToString()
    wants = [
        ("wrong token", 401, post(one, "/v1/logs", whole, headers={"authorization": "Bearer no"})),
        ("wrong address", 403, post(away, "/v1/logs", whole)),
        ("traces", 404, post(one, "/v1/traces", b"")),
        ("method", 405, post(one, "/v1/logs", None, method="GET")),
        ("type", 415, post(one, "/v1/logs", whole, "text/plain")),
        ("encoding", 415, post(one, "/v1/logs", whole, headers={"content-encoding": "br"})),
        ("cut off", 400, post(one, "/v1/logs", whole[:-3])),
        ("no JSON", 400, post(one, "/v1/logs", b"{", "application/json")),
        ("deep JSON", 400, post(one, "/v1/logs", b'{"resourceLogs":' + b"[" * 5000, "application/json")),
        ("no gzip", 400, post(one, "/v1/logs", whole, headers={"content-encoding": "gzip"})),
        ("bomb", 413, post(one, "/v1/logs", gzip.compress(b"\0" * (1 << 30), 9),
                           headers={"content-encoding": "gzip"})),
        ("too large", 413, post(two, "/v1/logs", b"\x0a" * (9 << 20))),
        ("attributes", 413, post(two, "/v1/logs", b"\x0a\x80\x80\x80\x02" + b"\x12\x02\x12\x00" * (1 << 20))),
        ("empty", 200, post(two, "/v1/logs", b"")),
    ]
    for what, status, answer in wants:
        assert answer[0] == status, (what, answer)
    told = json.loads(post(one, "/v1/logs", b"{", "application/json")[2])
    assert told["code"] == 3 and told["message"], told
    # Deep values and too many of them are refused alone.
    bad = request(["good one"])
    value = bad.resource_logs[0].scope_logs[0].log_records.add().body
    for _ in range(60):
        value = value.array_value.values.add()
    many = bad.resource_logs[0].scope_logs[0].log_records.add()
    for n in range(20_000):
        many.attributes.add().key = "k"
    status, headers, body = post(one, "/v1/logs", bad.SerializeToString())
    partial = ExportLogsServiceResponse.FromString(body).partial_success
    assert (status, partial.rejected_log_records) == (200, 2), (status, partial)
    assert headers["content-type"] == "application/x-protobuf", headers
    # JSON as the mapping of OTLP has it, and as senders write it too.
    record = {"timeUnixNano": "1767225600000000000", "severityNumber": 9, "body": {"stringValue": "json one"},
              "traceId": "0AF7651916CD43DD8448EB211C80319C", "attributes": [{"key": "n", "value": {"intValue": "7"}}],
              "unknownField": {"x": 1}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    status, headers, answer = post(two, "/v1/logs", body, "application/json")
    assert (status, json.loads(answer)) == (200, {}), (status, answer)
    with grpc.insecure_channel(f"127.0.0.1:{one}") as channel:
        metadata = tuple(BEARER.items())
        for what, code, call in [
            ("traces", grpc.StatusCode.UNIMPLEMENTED,
             lambda: TraceServiceStub(channel).Export(ExportTraceServiceRequest(), metadata=metadata)),
            ("no token", grpc.StatusCode.UNAUTHENTICATED,
             lambda: LogsServiceStub(channel).Export(request(["from a stranger"]))),
            ("deflate", grpc.StatusCode.UNIMPLEMENTED,
             lambda: LogsServiceStub(channel).Export(request(["deflated"]), metadata=metadata,
                                                     compression=grpc.Compression.Deflate)),
            ("rubbish", grpc.StatusCode.INVALID_ARGUMENT,
             lambda: channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(
                 b"\x0a\xff", metadata=metadata)),
            ("bomb", grpc.StatusCode.RESOURCE_EXHAUSTED,
             lambda: channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(
                 b"\0" * (64 << 20), metadata=metadata, compression=grpc.Compression.Gzip)),
        ]:
            try:
                call()
            except grpc.RpcError as error:
                assert error.code() == code, (what, error)
            else:
                raise AssertionError(f"{what} was taken")
        LogsServiceStub(channel).Export(request(["good two"]), metadata=metadata)


def full(one, two):
    """A full spool is said as OTLP asks for it, and ends."""
    large = request(["y" * 60_000 for _ in range(110)])
    wire = large.SerializeToString()
    seen = set()
    for _ in range(60):
        status, headers, body = post(one, "/v1/logs", wire)
        if status == 503:
            headers = {name.lower(): value for name, value in headers.items()}
            assert int(headers["retry-after"]) > 0, headers
            seen.add("http")
            with grpc.insecure_channel(f"127.0.0.1:{two}", [("grpc.max_send_message_length", -1)]) as channel:
                try:
                    LogsServiceStub(channel).Export(large, metadata=tuple(BEARER.items()))
                except grpc.RpcError as error:
                    assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
                    assert b"google.rpc.RetryInfo" in details, details
                    seen.add("grpc")
            if seen == {"http", "grpc"}:
                break
        else:
            assert status == 200, (status, body)
    assert seen == {"http", "grpc"}, seen
    for _ in range(60):
        if post(one, "/v1/logs", request(["after"]).SerializeToString())[0] == 200:
            return
        time.sleep(1)
    raise AssertionError("the spool stayed full")


def check(events, counters, sent):
    sources = json.load(open(counters))["sources"]
    sent = json.load(open(sent))
    found = collections.defaultdict(collections.Counter)
    for line in open(events, encoding="utf-8"):
        source, _, message = line.rstrip("\n").split("\t", 2)
        found[source][message] += 1
    for name, c in sources.items():
        total = c["stored"] + sum(c["refused"].values()) + sum(c["lost"].values())
        assert c["received"] == total, (name, c)
    for name, told in sent["logs"].items():
        source = "otlp-tls" if name.endswith("-tls") else "otlp"
        wanted = [f"{name} record {n} 日本語" for n in range(BATCHES * RECORDS)]
        absent = [text for text in wanted if not found[source][text]]
        assert not absent, (name, len(absent), absent[:3])
        again = sum(found[source][text] - 1 for text in wanted)
        # Only the batch that nobody had answered when the server was killed can be there twice.
        assert again <= KILLS * RECORDS, (name, again, told)
    texts = found["otlp"]
    assert not any("stranger" in text for text in texts)
    assert texts["good one"] == texts["good two"] == texts["json one"] == 1
    orders = lambda name: [int(float(t.rsplit(" ", 1)[1])) for t in texts if t.startswith(name + "{")]
    assert max(orders("shop_orders_total")) == sent["total"], (orders("shop_orders_total"), sent)
    # Increases begin anew with the server; what they add up to never exceeds what was counted.
    assert 0 < max(orders("shop_delta_orders_total")) <= sent["delta"], orders("shop_delta_orders_total")
    assert any(t.startswith("shop_temperature_celsius{") and t.endswith(" 41.5") for t in texts)
    away, tls = sources["otlp"]["turned_away"], sources["otlp-away"]["turned_away"]
    assert away["127.0.0.1: wrong token"] == 2 and tls["127.0.0.1: not from this address"] == 1, (away, tls)
    refused = sources["otlp"]["refused"]
    assert refused["nested too deeply"] == refused["too many values"] == 1, refused
    assert refused["request too large"] == 4, refused
    assert refused["request not readable"] == 9, refused
    print({n: (c["stored"], c["refused"]) for n, c in sources.items()}, sent)


if __name__ == "__main__":
    {"send": send, "wrong": wrong, "check": check, "full": full}[sys.argv[1]](*(
        int(word) if word.isdigit() else word for word in sys.argv[2:]))
