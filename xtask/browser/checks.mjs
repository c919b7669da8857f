// What the page promises, each with a page of its own against the stub: what takes long to come to at a service, or what
// other people and other ports do.

import { expect, judge, until, WIDTHS, withPage } from "./browser.mjs";
import { ready, scenes } from "./scenes.mjs";
import { startStub } from "./stub.mjs";
import { HOSTILE } from "./stub_data.mjs";

const tokens = { "secret-of-oncall": { name: "oncall", role: "arm" } };
export const row = (page, id) => page.locator("#rule-list > li", { has: page.getByRole("heading", { name: id, exact: true }) });
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label") || document.activeElement.textContent);

/** Does something with a page and a stub, and ends the stub; the page must not complain. */
export async function on(browser, wanted, work, options) {
  const stub = await startStub(wanted);
  try {
    await withPage(browser, stub.url, (page) => work(page, stub), options);
  } finally {
    await stub.stop();
    stub.port.close();
  }
}

export const checks = {};

checks["the keyboard alone"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  const key = (name) => page.keyboard.press(name);
  await key("Tab");
  await key("Tab");
  expect(await focused(page) === "halt", `the second stop is ${await focused(page)}`);
  await key("Enter");
  await until("the reason has the focus", async () => await focused(page) === "reason");
  await page.keyboard.type("Wrong rule");
  await key("Enter");
  await page.locator("#why-given", { hasText: "Wrong rule" }).waitFor();
  const tabTo = async (name) => {
    for (let stops = 0; stops < 80; stops++) {
      if (await focused(page) === name) return;
      await key("Tab");
    }
    throw new Error(`Tab does not come to ${name}`);
  };
  await page.evaluate(() => document.activeElement.blur());
  await tabTo("resume");
  await key("Enter");
  await until("the dialog has the focus", async () => await focused(page) === "again-why");
  await page.keyboard.type("sorted out");
  await key("Enter");
  await until("it is armed", async () => port.state() === "armed");
  await until("the focus is on the page", async () => await focused(page) === "halt");
  await tabTo("checkout-503 is on");
  await key("Space");
  await until("the rule is off", () => port.find("checkout-503").rule.enabled === false);
  await until("the switch keeps the focus", async () => await focused(page) === "checkout-503 is on");
  await tabTo("More for checkout-503");
  await key("Enter");
  await key("Tab");
  expect(await focused(page) === "Explain…", `the menu follows, not ${await focused(page)}`);
  await key("Escape");
  expect(await focused(page) === "More for checkout-503", "Escape goes back to the button");
  await page.keyboard.press("Shift+Tab");
  await page.locator("#new").focus();
  await key("Enter");
  await until("the form has the focus", async () => await focused(page) === "f-site");
  await tabTo("f-path");
  await page.keyboard.type("/products");
  await key("Enter");
  await row(page, "products-503").waitFor();
  await tabTo("+5 min for lost-stock");
  const ends = port.find("lost-stock").ends;
  await key("Enter");
  await until("it is extended", () => port.find("lost-stock").ends > ends);
  await until("the button keeps the focus", async () => await focused(page) === "+5 min for lost-stock");
});

checks["a token that is taken away"] = (browser) => on(browser, { tokens: { ...tokens } }, async (page, stub) => {
  await page.locator("#token").fill("guess");
  await page.keyboard.press("Enter");
  await page.getByText("none of the port's access tokens").waitFor();
  await page.locator("#token").fill("secret-of-oncall");
  await page.keyboard.press("Enter");
  await ready(page);
  stub.revoke("secret-of-oncall");
  await page.getByText("does not accept this tab's access token any more").waitFor();
  const before = stub.seen.filter(({ status }) => status === 401).length;
  await page.waitForTimeout(3000);
  expect(stub.seen.filter(({ status }) => status === 401).length - before <= 1, "it does not go on asking");
});

checks["what others do is told"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  port.halt("carol", "enough");
  await page.locator("#said", { hasText: "Halted by carol." }).waitFor();
  await page.locator("#why-h", { hasText: "Halted by carol" }).waitFor();
  await page.locator("#why-given", { hasText: "carol: enough" }).waitFor();
});

checks["a rule that has ended is armed anew"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  const on = page.getByLabel("tenant-down is on");
  expect(!await on.isChecked(), "it is shown as on");
  await on.click();
  await until("it is armed", () => port.isLive(port.find("tenant-down")));
  await until("it is shown as on", () => on.isChecked());
  const { rule } = port.find("tenant-down");
  expect(!("stats" in rule) && rule.match.headers["x-tenant"] === "acme", `it was sent as ${JSON.stringify(rule)}`);
});

checks["somebody else's edits are said"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  const edit = async (id) => {
    await page.getByLabel(`More for ${id}`).click();
    await page.locator(".menu").getByRole("button", { name: "Edit…" }).click();
    await page.locator("#form[open]").waitFor();
  };
  // Another rule: the edit goes through.
  await edit("checkout-503");
  await page.locator("#f-rate").fill("40");
  port.put({ ...port.find("lost-stock").rule, reason: "changed" }, "other");
  await page.locator("#f-arm").click();
  await page.locator("#form").waitFor({ state: "hidden" });
  const { rule } = port.find("checkout-503");
  expect(rule.rate === 0.4 && rule.max_active === 20 && rule.match.path === "/checkout/{id}" && rule.guards.length === 1, `kept: ${JSON.stringify(rule)}`);
  // Another reason alone leaves the counts as they are.
  const { injected } = port.find("checkout-503").stats;
  await edit("checkout-503");
  await page.locator("#f-reason").fill("GameDay 13");
  await page.locator("#f-arm").click();
  await page.locator("#form").waitFor({ state: "hidden" });
  expect(port.find("checkout-503").rule.reason === "GameDay 13" && port.find("checkout-503").stats.injected >= injected, "the counts go on");
  // The same rule: said in words, with what has changed.
  await edit("checkout-503");
  await page.locator("#f-rate").fill("50");
  port.put({ ...port.find("checkout-503").rule, rate: 0.9 }, "other");
  await page.locator("#f-arm").click();
  await page.getByText("somebody else has changed checkout-503 meanwhile: rate 0.4 → 0.9").waitFor();
  expect(port.find("checkout-503").rule.rate === 0.9, "nothing is overwritten");
  await page.keyboard.press("Escape");
  // A list before a resume that is no longer the one that is seen.
  await page.getByRole("button", { name: "Halt all" }).click();
  await page.getByRole("button", { name: "Resume…" }).click();
  await page.locator("#again[open] li").first().waitFor();
  port.put({ id: "late", site: "db.read", faults: [{ error: "x" }] }, "other");
  await page.locator("#again-why").fill("safe");
  await page.keyboard.press("Enter");
  await page.getByText("Somebody has changed the rules meanwhile").waitFor();
  await page.locator("#again-list", { hasText: "late" }).waitFor();
  expect(port.state() === "halted", "it stays halted");
});

checks["refusals stand at their fields"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  await page.getByRole("button", { name: "New rule", exact: true }).click();
  const refused = async (field, value, error, says) => {
    const before = await page.locator(field).inputValue();
    await page.locator(field).fill(value);
    await page.locator(error, { hasText: says }).waitFor();
    await page.locator(field).fill(before);
    await page.locator(error).waitFor({ state: "hidden" });
  };
  await refused("#f-rate", "130", "#e-rate", "1.3 is no rate. Allowed: a number from 0 to 100.");
  await refused("#f-fault input", "99", "#e-fault", "99 is no status");
  await refused("#f-id", "a b", "#e-id", "is no id");
  await refused("#f-site", "db.raed", "#w-site", "did you mean db.read?");
  await page.getByLabel("all others").check();
  await refused("#f-fault input", "{", "#e-fault", "this is no JSON");
  await refused("#f-fault input", "{\"abort\":\"exit\"}", "#e-fault", "exit is not allowed by the policy");
  await page.locator("#f-id").fill("checkout-503");
  await page.locator("#f-arm").click();
  await page.locator("#e-id", { hasText: "there is a rule checkout-503 already" }).waitFor();
  await page.getByLabel("chaosctl").check();
  await until("the command is shown", async () => /chaosctl arm 'http.server=10%abort\(reset\)'/.test(await page.locator("#f-json").textContent()));
});

checks["calls are explained"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  await page.getByLabel("More for checkout-503").click();
  await page.locator(".menu").getByRole("button", { name: "Explain…" }).click();
  const table = await page.locator("#explain-list").textContent();
  expect(/^matched[0-9,]+the draw said no \(30 % asked\)−[0-9,]+spared by max_active 20−2hit[0-9,]+$/.test(table), table);
  const asked = async (says) => {
    await page.getByRole("button", { name: "Explain this call" }).click();
    await page.locator("#explain-says", { hasText: says }).waitFor();
  };
  await asked("chance decides");
  await page.getByLabel("Method").and(page.locator("#explain input")).fill("GET");
  await asked("Does not match: method is GET, wanted POST.");
});

checks["text stays text"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  port.put({ id: "long", site: "db.read", reason: `${HOSTILE} ${"x".repeat(1_000_000)}`, faults: [{ error: "<img src=x onerror=alert(1)>" }] }, "<i>eve</i>");
  await row(page, "long").waitFor();
  const counts = await page.evaluate(() => ["main script", "main img", "main i", "[style]"].map((one) => document.querySelectorAll(one).length));
  expect(String(counts) === "0,0,0,0", `made elements: ${counts}`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), "long texts break");
});

checks["a port of today"] = (browser) => on(browser, { isOld: true }, async (page, { port }) => {
  await ready(page);
  await page.getByText("This port does not measure it.").first().waitFor();
  await page.getByLabel("+5 min for checkout-503").click();
  await page.getByText("Refused: there is no route").waitFor();
  port.breach();
  await page.locator("#breach", { hasText: "latency p99 at http.server is 1240.0 ms" }).waitFor();
});

/** Rules with more than the form has fields for. */
const RULES = [
  { id: "a", site: "http.server", ttl: "5m", faults: [{ status: 503 }] },
  { id: "a", site: "db.*", mode: "shadow", match: { labels: { table: { not: { prefix: "tmp_" } }, tenant: "acme" } }, key: "label:user", rate: 0.25, seed: 42, first_attempts: { n: 2, key: "header:idempotency-key" }, ttl: "never", faults: [{ error: { kind: "connection_reset" } }] },
  { id: "a", site: "http.server", match: { method: ["GET", "POST"], path: { prefix: "/a" }, host: "x", headers: { b: "c", d: { present: true } }, query: { q: "1" }, grpc: "s/m" }, program: [{ for: "2m", rate: "0.01..0.2" }], ttl: "10m", faults: [{ latency: "200ms..500ms" }, { status: 503 }] },
  { id: "a", site: "s", rate: 0.333, max_active: 3, ttl: "90s", reason: "it's", enabled: false, guards: [{ site: "s", error_ratio: 0.05, window: "10s" }, { site: "t", latency: { p99: "1s" } }], faults: [{ latency: "20ms", when: "after" }] },
  { id: "a", site: "s", rate: 0, ttl: "10m", faults: [{ body: { truncate_after: "2KiB" } }, { headers: { set: { x: "y" } } }] },
  { id: "a", site: "s", ttl: "10m", faults: [{ one_of: [{ weight: 3, fault: { status: 503 } }, { fault: { hang: "2s" } }] }] },
];

checks["the form keeps what it has no fields for"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  const made = await page.evaluate(async (rules) => {
    const { command, compose, fieldsOf } = await import("/console/compose.js");
    const { sentence } = await import("/console/sentence.js");
    return rules.map((rule) => ({ same: compose(fieldsOf(rule, "s"), rule), command: command(rule), sentence: sentence(rule) }));
  }, RULES);
  const sorted = (value) => JSON.stringify(value, (_, one) => (one && typeof one === "object" && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort()) : one));
  made.forEach(({ same }, at) => expect(sorted(same) === sorted(RULES[at]), `${sorted(RULES[at])}\nbecame ${sorted(same)}`));
  expect(made[0].command === "chaosctl arm 'http.server=status(503)' \\\n  --id a \\\n  --ttl 5m", made[0].command);
  expect(made[3].command.startsWith("chaosctl apply -f -"), made[3].command);
  expect(made[2].sentence === "200 ms to 500 ms and 503 before GET or POST /a… with gRPC s/m, host x, b: c, d: any, q=1, by a program", made[2].sentence);
}, { bypassCSP: true });

/** The story comes to these at the shop, in each width and colour scheme. */
const PLAYED = ["halt-reason", "resume", "breach", "delete"];

for (const [name, { stub, come }] of Object.entries(scenes)) {
  if (PLAYED.includes(name)) continue;
  checks[`scene ${name}`] = (browser) => on(browser, stub, async (page, stub) => {
    await come(page, stub);
    const found = [];
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      found.push(...await judge(page));
    }
    expect(!found.length, found.join("\n"));
  });
}
