"""Calls a greeter with grpcio, gRPC's own implementation, and prints what a user of it sees.

    client.py ADDRESS say-hello [NAME]
    client.py ADDRESS countdown [NUMBER]
    client.py ADDRESS collect [NAME ...]
    client.py ADDRESS chat [NAME ...]

ADDRESS is HOST:PORT. The stubs are made anew, from the .proto, in a directory that is gone
afterwards. One JSON object a line, one line a call, whatever the status of the call:

    code         the name of the status, as grpcio has it
    message      what the status says
    details_hex  the trailer grpc-status-details-bin in hex, or null
    headers      the metadata before the replies; bytes, which grpcio has for "-bin" keys, in hex
    trailers     the metadata after them, likewise
    replies      the message of each reply
    seconds      from the call to its end

The exit code is 0 if every call ended with a status, be it an error.
"""

import argparse
import importlib
import json
import pathlib
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto" / "greeter.proto"

# What is seen is to be what was sent, once: no retries, and nothing in between.
OPTIONS = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]


def generated(proto):
    """The modules of the messages and of the stubs."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = [
            "protoc",
            f"--proto_path={proto.parent}",
            f"--python_out={directory}",
            f"--grpc_python_out={directory}",
            str(proto),
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit(f"{proto} cannot be compiled")
        sys.path.insert(0, directory)
        try:
            return [importlib.import_module(proto.stem + end) for end in ("_pb2", "_pb2_grpc")]
        finally:
            sys.path.remove(directory)


def replies_of(call, streamed):
    """The messages that came, also those before an error."""
    messages = []
    try:
        for reply in call if streamed else [call.result()]:
            # Without one, though the status is OK, the result is none.
            messages.extend([] if reply is None else [reply.message])
    except grpc.RpcError:
        pass  # The call itself says how it ended.
    return messages


def readable(metadata):
    """Metadata as JSON can have it. A key that comes twice has its values joined, as in HTTP."""
    texts = {}
    for key, value in metadata or ():
        value = value.hex() if isinstance(value, bytes) else value
        texts[key] = f"{texts[key]}, {value}" if key in texts else value
    return texts


def seen(start, streamed):
    """Starts a call, waits for its end, and says all that was seen of it."""
    before = time.monotonic()
    call = start()
    replies = replies_of(call, streamed)
    code = call.code()
    seconds = time.monotonic() - before
    trailers = readable(call.trailing_metadata())
    return {
        "code": code.name,
        "message": call.details(),
        "details_hex": trailers.get("grpc-status-details-bin"),
        "headers": readable(call.initial_metadata()),
        "trailers": trailers,
        "replies": replies,
        "seconds": round(seconds, 6),
    }


def asked():
    parser = argparse.ArgumentParser(description="Calls a greeter with grpcio.")
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("--timeout", type=float, default=30, help="deadline of a call, in seconds")
    parser.add_argument("--times", type=int, default=1, help="how many calls, one after another")
    parser.add_argument(
        "--metadata", action="append", default=[], metavar="KEY=VALUE", help="sent with each call"
    )
    methods = parser.add_subparsers(dest="method", required=True)
    methods.add_parser("say-hello").add_argument("names", nargs="?", default="world")
    methods.add_parser("countdown").add_argument("names", nargs="?", default="5")
    methods.add_parser("collect").add_argument("names", nargs="*")
    methods.add_parser("chat").add_argument("names", nargs="*")
    return parser.parse_args()


def main():
    arguments = asked()
    messages, stubs = generated(PROTO)
    names = arguments.names
    options = {
        "timeout": arguments.timeout,
        "metadata": [tuple(pair.split("=", 1)) for pair in arguments.metadata],
    }

    def request(name):
        return messages.HelloRequest(name=name)

    with grpc.insecure_channel(arguments.address, options=OPTIONS) as channel:
        stub = stubs.GreeterStub(channel)
        start, streamed = {
            "say-hello": (lambda: stub.SayHello.future(request(names), **options), False),
            "countdown": (lambda: stub.Countdown(request(names), **options), True),
            "collect": (lambda: stub.Collect.future(map(request, names), **options), False),
            "chat": (lambda: stub.Chat(map(request, names), **options), True),
        }[arguments.method]
        for _ in range(arguments.times):
            print(json.dumps(seen(start, streamed)), flush=True)


if __name__ == "__main__":
    main()
