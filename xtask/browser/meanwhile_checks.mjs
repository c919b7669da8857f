// What the page does while others edit, while answers are late, and while the service is another one.

import { expect, until } from "./browser.mjs";
import { on, row } from "./checks.mjs";
import { ready } from "./scenes.mjs";

const text = (page, id) => page.locator(`#${id}`).textContent();
const edit = async (page, id, item = "Edit…") => {
  await page.getByLabel(`More for ${id}`).click();
  await page.locator(".menu").getByRole("button", { name: item }).click();
};
/** Has the port wait with its answers to requests of a method whose addresses begin so. */
const late = (port, method, path, ms) => {
  port.hold = ({ method: verb, url }) => (verb === method && url.startsWith(path) ? new Promise((done) => { setTimeout(done, ms); }) : null);
};

export const checks = {};

checks["a halt is there while lists are late"] = (browser) => on(browser, {}, async (page, { port }) => {
  late(port, "GET", "/v1/rules", 6000);
  await page.reload();
  await until("the state is known", async () => await text(page, "state") === "armed", 2000);
  expect(!/Nothing is armed/.test(await text(page, "totals")), "that nothing is armed is not known");
  await page.waitForTimeout(3500);
  expect(await page.locator("#lost").isHidden(), "a late list is no lost service");
  await page.locator("#halt").click();
  await until("the halt is shown", async () => await text(page, "state") === "halted", 1000);
  await until("the reason has the focus", () => page.evaluate(() => document.activeElement.id === "reason"), 1000);
});

checks["a halt may be pressed where the state is not known"] = (browser) => on(browser, {}, async (page, stub) => {
  await ready(page);
  stub.port.halt("carol", "enough");
  await page.locator("#halt").waitFor({ state: "hidden" });
  await stub.stop();
  await page.locator("#lost").waitFor();
  expect(await page.locator("#halt").isVisible() && await page.locator("#resume").isHidden(), "halt, and no resume");
});

checks["an extension takes over no edit of somebody else"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  // The list is late, so that only the answer tells.
  await page.waitForTimeout(1500);
  late(port, "GET", "/v1/", 3000);
  port.put({ ...port.find("checkout-503").rule, rate: 0.77 }, "carol");
  await page.getByLabel("+5 min for lost-stock").click();
  await page.getByText("lost-stock ends in").waitFor();
  await edit(page, "checkout-503");
  await page.locator("#f-reason").fill("mine");
  await page.locator("#f-rate").fill("5");
  await page.locator("#f-arm").click();
  await page.locator("#form .error", { hasText: "rate 0.3 → 0.77" }).waitFor({ timeout: 10_000 });
  expect(port.find("checkout-503").rule.rate === 0.77, "carol's rate stays");
});

for (const isLate of [false, true]) {
  checks[`a new rule replaces none that somebody else has just made${isLate ? ", however late" : ""}`] = (browser) => on(browser, {}, async (page, { port }) => {
    await ready(page);
    await page.locator("#new").click();
    await page.locator("#f-id").fill("carols");
    const make = () => port.put({ id: "carols", site: "db.read", faults: [{ error: "x" }] }, "carol");
    if (isLate) {
      // Between the page's question and its edit.
      port.hold = ({ method, url }) => { if (method === "PUT" && url === "/v1/rules/carols") make(); };
    } else {
      make();
    }
    await page.locator("#f-arm").click();
    await page.locator("#form .error", { hasText: isLate ? "somebody else has made carols meanwhile" : "there is a rule carols already" }).waitFor();
    expect(port.find("carols").rule.site === "db.read", "carol's rule stays");
  });
}

checks["what is deleted is what was asked about"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  await edit(page, "checkout-503", "Delete");
  port.put({ ...port.find("checkout-503").rule, rate: 0.77 }, "carol");
  await page.waitForTimeout(2500);
  await page.locator("#sure-do").click();
  await page.locator("#sure-e", { hasText: "somebody else has changed checkout-503 meanwhile: rate 0.3 → 0.77" }).waitFor();
  expect(port.find("checkout-503"), "it is still there");
});

checks["a page that nobody looks at takes no place"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  await until("it follows", () => port.places === 1);
  const show = (isHidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await show(true);
  await until("it follows no more", () => port.places === 0);
  await show(false);
  await until("it follows again", () => port.places === 1);
});

checks["a reason halts nothing"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  await page.locator("#halt").click();
  await page.locator("#reason").fill("Wrong rule");
  port.halted = null;
  port.note("carol", "resume", {});
  await page.keyboard.press("Enter");
  await page.getByText("Somebody has resumed meanwhile").waitFor();
  expect(port.state() === "armed", "it goes on");
});

checks["edits of others have no long list read each second"] = (browser) => on(browser, { isBig: true }, async (page, { port, seen }) => {
  await ready(page);
  await page.waitForTimeout(2000);
  const reads = () => seen.filter(({ url }) => url === "/v1/rules").length, before = reads();
  const edits = setInterval(() => port.put({ ...port.find("tenant-001-slow").rule, reason: String(performance.now()) }, "carol"), 1000);
  await page.waitForTimeout(10_000);
  clearInterval(edits);
  expect(reads() - before <= 1, `read ${reads() - before} times within 10 s`);
});

checks["only what was touched is sent"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  const asWritten = { id: "odd", site: "db.read", key: "label:table", match: { labels: { tenant: "a", table: "b" }, host: "x" }, rate: 0.5, faults: [{ latency: "1s" }] };
  port.put(asWritten, "carol");
  port.find("odd").stats.injected = 41;
  await row(page, "odd").waitFor();
  await edit(page, "odd");
  await page.locator("#f-reason").fill("known");
  await until("the words follow", async () => (await text(page, "f-words")).endsWith("Its counts go on."));
  expect((await text(page, "f-json")).startsWith("PATCH /v1/rules/odd"), "what is shown is what is sent");
  await page.locator("#f-arm").click();
  await page.locator("#form").waitFor({ state: "hidden" });
  expect(port.find("odd").rule.reason === "known" && port.find("odd").stats.injected >= 41, "the counts go on");
  await edit(page, "odd");
  await page.locator("#f-rate").fill("40");
  await page.locator("#f-arm").click();
  await page.locator("#form").waitFor({ state: "hidden" });
  const { rule } = port.find("odd");
  expect(rule.rate === 0.4 && !("ttl" in rule) && rule.faults[0].latency === "1s", `it was sent as ${JSON.stringify(rule)}`);
});

checks["a copy of a rule that is off is armed"] = (browser) => on(browser, {}, async (page, { port }) => {
  port.find("checkout-503").rule.enabled = false;
  await page.reload();
  await ready(page);
  await edit(page, "checkout-503", "Duplicate…");
  await page.locator("#f-id").fill("copy");
  await page.locator("#f-arm").click();
  await row(page, "copy").waitFor();
  expect(port.isLive(port.find("copy")), "it is armed");
});

checks["what is refused as it is sent stays"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  await page.locator("#new").click();
  await page.locator("#f-id").fill("checkout-503");
  await page.locator("#f-arm").click();
  await page.locator("#e-id", { hasText: "there is a rule checkout-503 already" }).waitFor();
  await page.waitForTimeout(1200);
  expect(await page.locator("#e-id").isVisible(), "the check of what was typed takes it away");
  await page.locator("#f-id").fill("");
  await page.locator("#e-id", { hasText: "is no id" }).waitFor();
});

checks["asking again begins no other rounds"] = (browser) => on(browser, { isOld: true }, async (page, stub) => {
  await ready(page);
  late(stub.port, "GET", "/v1/status", 3000);
  await page.locator("#lost").waitFor();
  for (let times = 0; times < 6; times++) await page.locator("#lost-now").click();
  stub.port.hold = null;
  await page.locator("#lost").waitFor({ state: "hidden" });
  await page.waitForTimeout(1000);
  const asked = () => stub.seen.filter(({ url }) => url === "/v1/status").length, before = asked();
  await page.waitForTimeout(4000);
  expect(asked() - before <= 5, `${asked() - before} times within 4 s`);
});

checks["another process is read anew"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  await page.locator("#log-list", { hasText: "ended tenant-down" }).waitFor();
  const last = port.entries.length;
  Object.assign(port, { run: "shop-1", entries: [] });
  port.rules = port.rules.slice(0, 1);
  for (let at = 0; at < last; at++) port.note("dave", "halt", { reason: `again ${at}` });
  await page.locator("#log-list", { hasText: "dave" }).waitFor({ timeout: 10_000 });
  expect(!/tenant-down/.test(await text(page, "log-list")), "entries of the process before are gone");
  await until("its rules are shown", async () => await page.locator("#rule-list h3").count() === 1);
});

checks["who this is comes with each status"] = (browser) => on(browser, { tokens: { secret: { name: "guest", role: "observe" } } }, async (page, { port }) => {
  await page.locator("#token").fill("secret");
  await page.keyboard.press("Enter");
  await ready(page);
  port.hold = ({ url, socket }) => { if (url === "/v1/whoami") socket.destroy(); };
  await page.reload();
  await ready(page);
  await until("halt is hidden", () => page.locator("#halt").isHidden());
  expect(await page.locator("#new").isHidden(), "a role that only looks makes no rule");
});

checks["a pause keeps numbers, and no state"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  const ends = () => row(page, "checkout-503").locator(".left .number").textContent(), before = await ends();
  await page.waitForTimeout(2500);
  expect(await ends() === before, `the time left goes on: ${before}, ${await ends()}`);
  port.halt("carol", "enough");
  await until("the line is that of a halt", async () => /Nothing is injected/.test(await text(page, "totals")));
});

checks["any JSON may be typed, and commands say what was typed"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  await page.locator("#new").click();
  await page.getByLabel("all others").check();
  for (const typed of ["{}", "null", "5", "[]"]) {
    await page.locator("#f-fault input").fill(typed);
    await until("the words follow", async () => (await text(page, "f-words")).includes(`get ${typed},`));
    await page.getByLabel("chaosctl").check();
    await until(`the command for ${typed} is shown`, async () => /^chaosctl apply/.test(await text(page, "f-json")));
    await page.getByLabel("JSON", { exact: true }).check();
  }
  const commands = await page.evaluate(async () => {
    const { command, fieldsOf, words } = await import("/console/compose.js");
    const of = (fault, more = {}) => ({ id: "a", site: "s", ttl: "5m", faults: [fault], ...more });
    const odd = of({ status: 503 }, { mode: "shadow", limit: 3, program: [{ for: "2m", rate: "0.01..0.2" }], faults: [{ status: 503 }, { latency: "1s" }] });
    return [{ error: "a)b + c->d" }, { error: "connection_reset" }, { error: "it is lost" }, { value: "7" }].map((fault) => command(of(fault)).split(" \\")[0])
      .concat(words(fieldsOf(odd, "s"), odd));
  });
  expect(commands[0] === "chaosctl arm 's=error(\"a)b + c->d\")'", commands[0]);
  expect(commands[1].startsWith("chaosctl apply"), commands[1]);
  expect(commands[2] === "chaosctl arm 's=error(it is lost)'", commands[2]);
  expect(commands[3] === "chaosctl arm 's=value(\"7\")'", commands[3]);
  expect(commands[4] === "In shadow, so that nobody is hit: A share, by a program, of calls to s get 503 and 1 s, at most 3 in all, for 5 min.", commands[4]);
}, { bypassCSP: true });

checks["a press of watch draws once"] = (browser) => on(browser, { isBig: true }, async (page, { port, seen }) => {
  // What a stream begins with tells of each rule in each second.
  const counts = Object.fromEntries(port.rules.map(({ rule }) => [rule.id, [9, 3, 0, 0, 100]]));
  port.replayed = counts;
  await ready(page);
  await page.locator("#site-list tr").nth(5).waitFor();
  await page.waitForTimeout(2000);
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration); }).observe({ type: "longtask" });
  });
  await page.getByRole("button", { name: /^watch / }).first().click();
  await page.waitForTimeout(3000);
  const longest = await page.evaluate(() => window.longest);
  expect(seen.some(({ url }) => /^\/v1\/live\?watch=.+&watch=/.test(url)), "the stream names the site");
  console.log(`     the longest task takes ${Math.round(longest)} ms`);
  expect(longest < 1000, `a task of ${Math.round(longest)} ms`);
}, { isNew: true });

checks["a menu closes by a press elsewhere, and by Escape"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  const more = page.getByLabel("More for checkout-503"), menu = page.locator(".menu:not([hidden])");
  await more.click();
  await menu.waitFor();
  await page.locator("#service").click();
  await until("it is closed", async () => await menu.count() === 0);
  await more.click();
  await page.keyboard.press("Escape");
  await until("Escape closes it", async () => await menu.count() === 0);
  expect(await more.evaluate((button) => button === document.activeElement), "the button keeps the focus");
});

checks["the address is written now and then"] = (browser) => on(browser, {}, async (page) => {
  await ready(page);
  await page.evaluate(() => {
    window.written = 0;
    const write = history.replaceState.bind(history);
    history.replaceState = (...of) => { window.written += 1; write(...of); };
  });
  await page.locator("#find-rule").pressSequentially("checkout", { delay: 50 });
  await until("the address holds it", () => page.url().endsWith("?rule=checkout"));
  expect(await page.evaluate(() => window.written) <= 3, "once, and not at each key");
});

checks["a clock that is wrong changes no reason"] = (browser) => on(browser, {}, async (page, { port }) => {
  const script = await page.addInitScript(() => { const { now } = Date; Date.now = () => now() + 3_600_000; });
  await page.reload();
  await script.dispose();
  await ready(page);
  await page.locator("#halt").click();
  await page.locator("#reason").fill("Errors rise");
  await page.keyboard.press("Enter");
  await page.locator("#why-given", { hasText: "anyone: Errors rise" }).waitFor();
  port.halt("anyone", "and rise");
  await page.locator("#why-given", { hasText: "and rise" }).waitFor();
  await page.getByRole("button", { name: "Hand over…" }).click();
  const says = await page.locator("#over-text").inputValue();
  expect(/Halted by anyone: Errors rise; anyone: and rise/.test(says), says);
});

checks["a mistake of the page ends no polling"] = (browser) => on(browser, { isOld: true }, async (page, { seen }) => {
  await ready(page);
  await page.evaluate(async () => {
    const { on } = await import("/console/state.js");
    window.addEventListener("error", (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, true);
    let times = 0;
    on("status", () => { if (!times++) throw new Error("a mistake"); });
  });
  await page.waitForTimeout(2500);
  const before = seen.length;
  await until("it goes on", () => seen.slice(before).some(({ url }) => url === "/v1/status"));
}, { bypassCSP: true });
