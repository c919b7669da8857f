"""What the OpenAPI document says in words, for Schemathesis to make requests by.

A JSON Schema has no word for "from low to high", "a parameter of the rule's own path" or "each id
once". The document names those bounds in descriptions and formats; this file makes values within
them, so that whatever is generated as valid has to be accepted by the port.
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


segments = st.from_regex(r"[a-z0-9_.~-]{0,6}", fullmatch=True)
routes = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
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
    "route": routes | names.map(lambda name: "/products/{" + name + "}"),
    "host": st.from_regex(r"[a-z][a-z0-9.-]{0,12}", fullmatch=True) | st.just("[::1]"),
    "key": st.sampled_from(["peer", "trace"])
    | st.tuples(st.sampled_from(["header", "query", "label"]), names).map(":".join),
    # Python knows expressions that others do not.
    "regex": st.from_regex(r"\^?[a-z0-9]{1,8}(\[a-f\]\+|\.\*|\(x\|y\)\?)?\$?", fullmatch=True),
    "hours": st.lists(st.integers(0, 1439), min_size=2, max_size=2, unique=True).map(
        lambda two: f"{time_of_day(two[0])}-{time_of_day(two[1])}"
    ),
    "time-zone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
}

for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.deserializer("text/html", "text/plain")
def text(context, response):
    return response.content.decode()


ENDS_CALL = {"status", "grpc", "error", "value", "abort"}


def lower(names):
    """Header names are the same in upper and lower case, and each stands once."""
    return {name.lower(): value for name, value in names.items()}


def each_once(items):
    return list({item["id"]: item for item in items}.values())


def fault(given):
    """A fault that this process may do: no policy allows to end it, and no custom one is defined."""
    given = dict(given)
    latency = given.get("latency")
    if isinstance(latency, dict) and any(name.startswith("p") and name != "pareto" for name in latency):
        # Of quantiles, each is above the last one, and so is its delay.
        when = {"when": latency["when"]} if "when" in latency else {}
        given["latency"] = {"p50": "20ms", "p99.9": "800ms", **when}
    if given.get("abort") == "exit":
        given["abort"] = "panic"
    if "custom" in given:
        return {"value": given["custom"]}
    if isinstance(given.get("status"), dict) and "headers" in given["status"]:
        given["status"] = {**given["status"], "headers": lower(given["status"]["headers"])}
    if "headers" in given and "set" in given["headers"]:
        given["headers"] = {**given["headers"], "set": lower(given["headers"]["set"])}
    if "one_of" in given:
        given["one_of"] = [{**option, "fault": fault(option["fault"])} for option in given["one_of"]]
    return given


def ends(given):
    if "one_of" in given:
        return all(ends(option["fault"]) for option in given["one_of"])
    return bool(ENDS_CALL & given.keys())


def rule(given, with_id):
    given = dict(given)
    if not with_id:
        # The address has it.
        given.pop("id", None)
    faults = [fault(one) for one in given["faults"]]
    last = next((at for at, one in enumerate(faults) if ends(one)), len(faults))
    given["faults"] = faults[: last + 1]
    if isinstance(given.get("match"), dict) and "headers" in given["match"]:
        given["match"] = {**given["match"], "headers": lower(given["match"]["headers"])}
    if given.get("program"):
        # Each phase has its time, which the rule outlives.
        given["program"] = [{**phase, "for": "1m"} for phase in given["program"]]
        given["ttl"] = "never"
    replay = given.get("replay")
    if replay and replay.get("keys") is not None and given.get("key") is None:
        given["key"] = "peer"
    # A text of 1000 characters may have more bytes.
    if given.get("reason"):
        given["reason"] = given["reason"][:250]
    return given


def rules(given):
    return each_once([rule(one, with_id=True) for one in given])


def preview(given):
    """A question about the rule that is asked about: it must be one that can be foreseen."""
    given = dict(given)
    if not isinstance(given["rule"], dict):
        return given
    asked = rule(given["rule"], with_id=True)
    if "ordinals" in given:
        asked.update(key=None, seed=1, replay=None)
        given["ordinals"] = [0, given["ordinals"][0] % 100]
    else:
        asked.update(key="peer", replay=None)
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
    if case.query and "within" in case.query:
        # To wait for longer shows nothing more.
        case.query["within"] = min(float(case.query["within"]), 0.1)
    within = WITHIN_BOUNDS.get((case.operation.method.upper(), case.operation.path))
    if within:
        case.body = within(case.body)
