use chaos_rule::rule;

fn main() {
    rule!({ "sites": "db.read", "faults": [{ "error": "lost" }] });
    rule!({ "site": "db.read", "faults": [{ "latancy": "1s" }] });
    rule!({ "site": "db.read", "match": { "label": { "table": "orders" } }, "faults": [{ "error": "lost" }] });
    rule!({ "id": "a b", "site": "db.read", "faults": [{ "error": "lost" }] });
    rule!({ "site": "db.read" });
    rule!({ "site": "db.read", "site": "db.write", "faults": [{ "error": "lost" }] });
    rule!();
}
