// The rules and sites of the stub: those of the design's mock.

const rail = (p99) => [{ site: "http.server", latency: { p99 } }];
/** What a service may say must stay text. */
export const HOSTILE = "<script>alert(1)</script> \u202eأهلا 你好 🦀";

export const rules = () => [
  { by: "oncall", left: 214, stats: { matched: 412, injected: 121, overflow: { max_active: 2 } }, rule: { id: "checkout-503", site: "http.server", reason: "GameDay 12: does the cart survive a failing checkout?", match: { method: "POST", path: "/checkout/{id}" }, rate: 0.3, max_active: 20, ttl: "10m", faults: [{ status: 503 }], guards: [{ site: "http.server", error_ratio: 0.1 }] } },
  { by: "oncall", left: 38, stats: { matched: 398, injected: 39 }, rule: { id: "slow-payment", site: "http.client", reason: "the provider's p99 of last Black Friday", rate: 0.1, key: "header:x-user-id", ttl: "5m", faults: [{ latency: "200ms..500ms" }], guards: rail("800ms") } },
  { by: "file rules.yaml", left: 2790, stats: { matched: 96, injected: 64 }, rule: { id: "lost-stock", site: "db.read", reason: "retries hide single failures", first_attempts: { n: 2, key: "label:table" }, ttl: "1h", faults: [{ error: { kind: "connection_reset" } }] } },
  { by: "gameday", left: 1130, stats: { matched: 1203, shadowed: 611 }, rule: { id: "half-carts", site: "http.server", reason: "estimate first", mode: "shadow", rate: 0.5, ttl: "30m", faults: [{ body: { truncate_after: "1KiB" } }] } },
  { by: "gameday", left: 566, rule: { id: "stock-typo", site: "db.raed", ttl: "10m", faults: [{ error: "lost" }] } },
  { by: "oncall", left: 0, stats: { matched: 77, injected: 77 }, rule: { id: "tenant-down", site: "http.server", reason: HOSTILE, match: { headers: { "x-tenant": "acme" } }, ttl: "10m", faults: [{ status: 503 }] } },
];

const site = (name, kind, file, line, labels) => ({ name, kind, file, line, labels, armed: false, rules: [], exempt: {} });

export const sites = () => [
  site("http.server", "layer", "examples/src/shop/routes.rs", 50, []),
  site("http.client", "layer", "examples/src/shop/payment.rs", 76, ["host"]),
  site("db.read", "async", "examples/src/shop/db.rs", 91, ["table"]),
  site("db.write", "async", "examples/src/shop/db.rs", 100, ["table"]),
  site("cart.price", "sync", "examples/src/shop/cart.rs", 31, ["tenant"]),
  site("mail.send", "async", "examples/src/shop/mail.rs", 12, []),
  site("tcp.server", "connection", "examples/src/shop/main.rs", 44, []),
];

const PARTS = ["cart", "stock", "price", "mail", "search", "user", "ship", "tax"];

export const manySites = (count) => [...sites(), ...Array.from({ length: count - 7 }, (_, at) =>
  site(`${PARTS[at % 8]}.module${at}.${at % 2 ? "read" : "write"}`, "async", `crates/${PARTS[at % 8]}/src/module${at}.rs`, 20 + (at % 90), ["tenant"]))];

export const manyRules = (count, sites) => [...rules(), ...Array.from({ length: count - 6 }, (_, at) => ({
  by: at % 3 ? "gameday" : "oncall", left: 60 + at * 3, stats: { matched: at * 7, injected: at },
  rule: { id: `tenant-${String(at).padStart(3, "0")}-slow`, site: sites[20 + at].name, reason: "load of many tenants", rate: 0.05, ttl: "30m", enabled: at % 4 !== 0, faults: [{ latency: "100ms" }] },
}))];
