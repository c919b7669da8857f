use chaos_rule::rule;

fn main() {
    rule!({ "site": "db.read", "faults": [{ "latency": "200ms" }, { "latency": "200mss" }] });
    rule!({ "site": "db.read", "rate": 5, "faults": [{ "error": "lost" }] });
    rule!({ "site": "db read", "faults": [{ "error": "lost" }] });
    rule!({ "site": "http.server", "match": { "path": "/orders/{id" }, "faults": [{ "status": 503 }] });
    rule!({ "site": "http.server", "match": { "headers": { "x.a": { "regex": "(" } } }, "faults": [{ "status": 503 }] });
    rule!({ "site": "http.server", "limit": 0, "faults": [{ "status": 99 }] });
    rule!({ "site": "http.server", "faults": [] });
    rule!({ "site": "http.server", "ttl": never, "faults": [{ "status": "5" }] });
}
