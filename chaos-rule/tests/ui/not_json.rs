use chaos_rule::rule;

fn main() {
    rule!({ site: "db.read", "faults": [{ "error": "lost" }] });
    rule!({ "site" = "db.read", "faults": [{ "error": "lost" }] });
    rule!({ "site": "db.read", "faults": [{ "error" }] });
    rule!({ "site": "db.read" "faults": [] });
    rule!({ "site": "db.read", "faults": [{ "error": "lost" }] }, 1);
    rule!({ "site": unknown, "faults": [{ "error": "lost" }] });
}
