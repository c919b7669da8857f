use chaos_rule::rule;

fn main() {
    let (site, limit, delay) = ("db.read", 3, "200ms");
    rule!({ "site": site, "faults": [{ "eror": "lost" }] });
    rule!({ "site": site, "limits": limit, "faults": [{ "error": "lost" }] });
    rule!({ "site": "db.read", "faults": [{ "error": "lost" }, { "latancy": delay }] });
    rule!({ "site": "db.read", "faults": [{ "latency": delay }, { "one_of": [{ "wait": 1, "fault": { "error": "lost" } }] }] });
    rule!({ "site": "db.read", "limit": limit, "faults": [{ "latency": delay }, { "status": 99 }] });
    rule!({ "site": site, "match": { "path": "/orders/{id" }, "faults": [{ "error": "lost" }] });
    rule!({ "site": site, "match": { "label": { "table": limit } }, "faults": [{ "error": "lost" }] });
    rule!({ "site": "db read", "limit": limit, "faults": [{ "error": "lost" }] });
    rule!({ "site": site, "rate": 5, "faults": [{ "error": "lost" }] });
    rule!({ "site": site });
    rule!({ "limit": limit, "faults": [{ "error": "lost" }] });
}
