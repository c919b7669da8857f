"""What the OpenAPI document says in words, for Schemathesis to make requests by.

A JSON Schema has no word for "from low to high", "a parameter of the rule's own path" or "each id
once", and none for fields that exclude each other that generated clients can use. The document names
those bounds in descriptions and formats; this file makes values within them, so that whatever is
generated as valid has to be accepted by the port.
"""

import schemathesis
from hypothesis import strategies as st

UNITS = {"ms": 59_999, "s": 59}


def duration(least):
    """Short ones: the policy of the process bounds some of them by a minute."""
    return st.sampled_from(sorted(UNITS)).flatmap(
        lambda unit: st.integers(least, UNITS[unit]).map(lambda number: f"{number}{unit}")
    )


def ranges(numbers, write):
    """From low to high."""
    return st.lists(numbers, min_size=2, max_size=2).map(sorted).map(lambda two: write(*two))


def time_of_day(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


names = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)

FORMATS = {
    "duration-with-units": duration(1),
    "duration-or-range": duration(0)
    | ranges(st.integers(0, 60_000), lambda low, high: f"{low}ms..{high}ms"),
    "ttl": st.just("never") | duration(1),
    "duration-1s-to-10m": st.integers(1, 600).map(lambda number: f"{number}s"),
    "size": st.tuples(st.integers(1, 1023), st.sampled_from(["B", "KiB", "kB"])).map(
        lambda size: f"{size[0]}{size[1]}"
    ),
    "bytes-per-second": st.integers(1, 1023).map(lambda number: f"{number}KiB/s"),
    "ramp": st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
        lambda ends: f"{ends[0] / 100:.2f}..{ends[1] / 100:.2f}"
    ),
    "key": st.sampled_from(["peer", "trace"])
    | st.tuples(st.sampled_from(["header", "query", "label"]), names).map(":".join),
    # Python knows expressions that others do not.
    "regex": st.from_regex(r"\^?[a-z0-9]{1,8}(\[a-f\]\+|\.\*|\(x\|y\)\?)?\$?", fullmatch=True),
    "hours": st.lists(st.integers(0, 1439), min_size=2, max_size=2, unique=True).map(
        lambda two: f"{time_of_day(two[0])}-{time_of_day(two[1])}"
    ),
    "days": st.sampled_from(["mon-fri", "sat,sun", "Mon"]),
    "time-zone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
}

for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.deserializer("text/html", "text/plain")
def page(context, response):
    return response.content.decode()


ENDS_CALL = {"status", "grpc", "error", "value", "abort"}

# Which option stands beside which faults.
OPTIONS = {"when": {"latency"}, "after": {"abort"}, "on": {"body", "headers", "abort"}}

METHODS = ["GET", "POST", "PUT"]


FRAMING = {
    "connection", "content-length", "http2-settings", "keep-alive", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
}


# What a gRPC status sets itself.
OF_THE_STATUS = {"grpc-status", "grpc-message", "grpc-status-details-bin", "content-type"}


def lower(names):
    """Header names are the same in upper and lower case, and each stands once."""
    return {name.lower(): value for name, value in names.items()}


def changeable(names):
    """No fault changes a header that frames a message."""
    return {name: value for name, value in lower(names).items() if name not in FRAMING}


def each_once(items):
    return list({item["id"]: item for item in items}.values())


def only(given, names):
    """One of several fields that exclude each other: the first that is there. Others stay."""
    kept = next((name for name in names if name in given), None)
    return {name: value for name, value in given.items() if name == kept or name not in names}


def text(given, plain, prefix=None):
    """A text matcher: an object has one form, and what a text alone means is up to the field."""
    if isinstance(given, str):
        return plain(given)
    if isinstance(given, list):
        # The schema leaves the elements open.
        return [plain(one) if isinstance(one, str) else {"present": True} for one in given]
    given = only(given, ["not", "prefix", "suffix", "regex", "full_regex", "present"])
    if not given:
        return {"present": True}
    if prefix and "prefix" in given:
        return {"prefix": prefix}
    return {name: text(value, plain, prefix) if name == "not" else value for name, value in given.items()}


def one_of_list(values):
    """Always the same one for the same text."""
    return lambda given: values[len(given) % len(values)]


PLAIN = {
    "method": one_of_list(METHODS),
    "path": one_of_list(["/products/{id}", "/", "/files/{*rest}", "/a/b"]),
    "host": one_of_list(["api.example.com", "[::1]", "localhost"]),
    "grpc": one_of_list(["shop.v1.Orders/Place", "a/b"]),
}

# A prefix that no path, or no gRPC method, begins with is refused.
PREFIX = {"path": "/a", "grpc": "shop.v1"}


def match(given):
    given = {
        name: text(value, PLAIN[name], PREFIX.get(name)) if name in PLAIN else value
        for name, value in given.items()
    }
    for names in {"headers", "query", "labels"} & given.keys():
        texts = {name: text(value, str) for name, value in given[names].items()}
        given[names] = lower(texts) if names == "headers" else texts
    return given


def latency(given):
    if isinstance(given, str):
        return given
    beside = {"when": given["when"]} if "when" in given else {}
    if "max" in given:
        # No less than what the curve names, and no more than the policy of the process.
        beside["max"] = "1m"
    if "at_least" in given:
        return {"at_least": given["at_least"]}
    if "pareto" in given:
        # Its shortest delay is more than nothing, and its tail is no matter of floating point.
        return {"pareto": {"min": "10ms", "alpha": 1.5}, **beside}
    if "mean" in given:
        return {"mean": given["mean"], "std_dev": "5ms", **beside}
    # Of quantiles, each is above the last one, and so is its delay.
    return {"p50": "20ms", "p99.9": "800ms", **beside}


def status(given):
    if not isinstance(given, dict):
        return given
    given = only(given, ["json", "body"])
    if given.get("json", "") is None:
        del given["json"]
    if "headers" in given:
        framing = {"content-length", "transfer-encoding", "connection"}
        headers = changeable(given["headers"]).items()
        given["headers"] = {name: value for name, value in headers if name not in framing}
    return given


def grpc(given):
    if not isinstance(given, dict):
        return "UNAVAILABLE" if given in (0, "OK") else given
    if "after_messages" not in given:
        given = {name: value for name, value in given.items() if name != "on"}
        if given["code"] in (0, "OK"):
            given["code"] = 14
    if "metadata" in given:
        metadata = changeable(given["metadata"]).items()
        metadata = {
            name: "AAAA" if name.endswith("-bin") else value
            for name, value in metadata
            if name not in OF_THE_STATUS
        }
        given = {**given, "metadata": metadata}
    return given


def body(given):
    given = only(given, ["throttle", "truncate_after", "stall_after", "corrupt", "first_byte", "chunk"])
    given.pop("for", None)
    if "stall_after" in given:
        given["for"] = "5s"
    elif not given.keys() - {"on"}:
        given["chunk"] = "50ms"
    return given


def headers(given):
    given = dict(given)
    if "set" in given:
        given["set"] = changeable(given["set"])
    if "remove" in given:
        given["remove"] = [name for name in given["remove"] if name.lower() not in FRAMING]
    if not given.get("set") and not given.get("remove"):
        given["remove"] = ["x-a"]
    return given


def burn(given):
    given = only(given, ["cpu", "memory"])
    return given if given.keys() - {"for"} else {"cpu": 0.5, **given}


def one_of(given):
    plain = [{name: value for name, value in option["fault"].items() if name != "one_of"} for option in given]
    return [{**option, "fault": fault(within)} for option, within in zip(given, plain)]


INSIDE = {
    "latency": latency,
    "status": status,
    "grpc": grpc,
    "body": body,
    "headers": headers,
    "burn": burn,
    "one_of": one_of,
    # No policy allows to end the process.
    "abort": lambda given: "panic" if given == "exit" else given,
}


def fault(given):
    """One fault that this process may do, with what may stand beside it."""
    kinds = sorted(given.keys() - OPTIONS.keys())
    # Always the same one for the same entry, and not always the first of the alphabet.
    kind = kinds[len(str(given)) % len(kinds)] if kinds else "status"
    value = given.get(kind, 503)
    if kind == "custom":
        # None is defined.
        return {"value": value}
    made = {kind: INSIDE[kind](value) if kind in INSIDE else value}
    inside = value if isinstance(value, dict) else {}
    for option, kinds in OPTIONS.items():
        if option in given and kind in kinds and option not in inside and "at_least" not in inside:
            made[option] = given[option]
    if "after" in made and made["abort"] in ("refuse", "goaway", "panic"):
        del made["after"]
    if "abort" in made and "after" not in made:
        made.pop("on", None)
    return made


def inside(given, kind, option):
    """An option that stands in the value of a fault, or beside it."""
    value = given[kind]
    return value[option] if isinstance(value, dict) and option in value else given.get(option)


def options(given):
    return [option["fault"] for option in given["one_of"]] if "one_of" in given else [given]


def acts_on_response(given):
    if "latency" in given:
        padded = isinstance(given["latency"], dict) and "at_least" in given["latency"]
        return padded or inside(given, "latency", "when") == "after"
    if "abort" in given:
        return given["abort"] == "goaway" or ("after" in given and given.get("on") != "request")
    kind = next((kind for kind in ("body", "headers") if kind in given), None)
    return kind is not None and inside(given, kind, "on") != "request"


def remains(given):
    """What a fault that ends the call leaves: the kinds of faults on its response that can happen."""
    if not ENDS_CALL & given.keys() or ("abort" in given and (acts_on_response(given) or "after" in given)):
        return None
    if "abort" in given:
        return set() if given["abort"] == "panic" else {"latency", "goaway"}
    status = given.get("status")
    code = status.get("code") if isinstance(status, dict) else status
    is_empty = isinstance(status, dict) and status.get("body") == "" and "json" not in status
    if is_empty or code in (204, 205, 304):
        return {"latency", "goaway", "headers"}
    return {"latency", "goaway", "headers", "body", "abort"}


def excludes(other, given, is_first):
    left = remains(other)
    if left is None:
        return False
    if not acts_on_response(given):
        return is_first
    kind = "goaway" if given.get("abort") == "goaway" else next(iter(given.keys() & {"latency", "headers", "body", "abort"}))
    return kind not in left


def can_happen(faults):
    """Whether each fault of a rule can happen beside the others; of a choice, one option is enough."""
    return not any(
        all(
            any(
                all(excludes(ending, option, place < at) for ending in options(other))
                for place, other in enumerate(faults)
                if place != at
            )
            for option in options(one)
        )
        for at, one in enumerate(faults)
    )


def rule(given, with_id):
    given = dict(given)
    if not with_id:
        # The address has it.
        given.pop("id", None)
    faults = []
    for one in map(fault, given["faults"]):
        faults += [one] if can_happen([*faults, one]) else []
    given["faults"] = faults
    if "match" in given:
        given["match"] = match(given["match"])
    if "program" in given:
        # Each phase has its time, which the rule outlives.
        phases = [{"rate": 1, **phase} if "scale" not in phase else phase for phase in given["program"]]
        given["program"] = [{**phase, "for": "1m"} for phase in phases]
        given["ttl"] = "never"
        given.pop("rate", None)
    if "replay" in given:
        given["replay"] = only(given["replay"], ["ordinals", "keys"])
        if not given["replay"].keys() & {"ordinals", "keys"}:
            given["replay"]["ordinals"] = [1]
        if "keys" in given["replay"]:
            given.setdefault("key", "peer")
    if "budget" in given and not given["budget"]:
        given["budget"] = {"share": 0.5}
    if "window" in given and not given["window"].keys() & {"days", "hours"}:
        given["window"] = {**given["window"], "days": "mon-fri"}
    if "guards" in given:
        given["guards"] = [guard(one) for one in given["guards"]]
    # A text of 1000 characters may have more bytes.
    if "reason" in given:
        given["reason"] = given["reason"][:250]
    return given


LATENCIES = {"latency", "latency_to_end"}
BASELINES = {"max_baseline_error_ratio": {"error_ratio"}, "max_baseline_latency": LATENCIES}


def guard(given):
    given = dict(given)
    for measure in LATENCIES & given.keys():
        given[measure] = {"p99": "800ms"}
    if not given.keys() & {"error_ratio", *LATENCIES}:
        given["error_ratio"] = 0.5
    # What bounds a baseline stands beside one, and beside what it is measured in.
    for most, measures in BASELINES.items():
        if most in given and not (given.get("over_baseline") and given.keys() & measures):
            del given[most]
    # Guard rails measure at layers: one at a site that is known not to be a layer is refused.
    given["site"] = "http.server"
    return given


def rules(given):
    given = [{"id": f"rule-{at}", **one} for at, one in enumerate(given)]
    return each_once([rule(one, with_id=True) for one in given])


def preview(given):
    """A question about the rule that is asked about: it must be one that can be foreseen."""
    given = dict(given)
    if not isinstance(given["rule"], dict):
        return given
    asked = rule({"id": "asked", **given["rule"]}, with_id=True)
    given = only(given, ["ordinals", "keys"])
    for name in {"replay", "first_attempts"} & asked.keys():
        del asked[name]
    if "keys" in given:
        asked["key"] = "peer"
    else:
        asked.pop("key", None)
        asked["seed"] = 1
        given["ordinals"] = [0, given.get("ordinals", [7])[0] % 100]
    return {**given, "rule": asked}


WITHIN_BOUNDS = {
    ("PUT", "/v1/rules/{id}"): lambda body: rule(body, with_id=False),
    ("PUT", "/v1/rules"): lambda body: {**body, "rules": rules(body["rules"])},
    ("POST", "/v1/preview"): preview,
    ("POST", "/v1/tokens"): lambda body: {**body, "rules": rules(body["rules"])},
}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Only what is meant to be valid is moved within the bounds: the rest is to be refused."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers and case.headers.get("If-Match") == "":
        # A choice within a pattern is generated as no text at all, which the pattern does not allow.
        del case.headers["If-Match"]
    if case.query and "within" in case.query:
        # To wait for longer shows nothing more.
        case.query["within"] = min(float(case.query["within"]), 0.1)
    within = WITHIN_BOUNDS.get((case.operation.method.upper(), case.operation.path))
    if within:
        case.body = within(case.body)
