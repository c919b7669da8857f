// What the page does while others edit, while answers are late, and while the service is another one.

import { expect, until } from "./browser.mjs";
import { on, ready, row } from "./checks.mjs";

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
      late(port, "GET", "/v1/rules?", 3000);
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

checks["edits each second stay below the bound of bytes"] = (browser) => on(browser, { isBig: true }, async (page, { port }) => {
  await ready(page);
  await page.waitForTimeout(3000);
  const [bytes, began] = [port.bytes, performance.now()];
  const edits = setInterval(() => port.put({ ...port.find("tenant-001-slow").rule, reason: String(performance.now()) }, "carol"), 1000);
  await page.waitForTimeout(25_000);
  clearInterval(edits);
  const pace = Math.round(((port.bytes - bytes) / (performance.now() - began)) * 1000);
  console.log(`     ${pace} bytes a second`);
  expect(pace < 20_000, `${pace} bytes a second`);
});

checks["only what was touched is sent"] = (browser) => on(browser, {}, async (page, { port }) => {
  await ready(page);
  const asWritten = { id: "odd", site: "db.read", key: "label:table", match: { labels: { tenant: "a", table: "b" }, host: "x" }, rate: 0.5, faults: [{ latency: "1s" }] };
  port.put(asWritten, "carol");
  port.find("odd").stats.injected = 41;
  await row(page, "odd").waitFor();
  await edit(page, "odd");
  await page.locator("#f-reason").fill("known");
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
