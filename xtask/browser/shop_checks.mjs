// What the page promises, at services that run.

import { expect, judge, until, withPage } from "./browser.mjs";
import { keyboard, mouse } from "./hand.mjs";
import { ask, startLarge, startShop, visit } from "./program.mjs";
import { deleteRule, makeRule, story } from "./story.mjs";

/** The time from what a user does to the next paint, at most. */
const INTERACTION = Number(process.env.INTERACTION_MS ?? 200);
const ELEMENTS = 2000;
const BYTES_A_SECOND = 20_000;
/** After a halt, the service is as before within this time. */
const HALTED = 100;

const ROUTE = "/checkout/{id}";
const ARM = "t9gTZpkXcT0uoBPqM3sPrw", STOP = "mlXxLB-1cVWSUkYdOoT4Lg", OBSERVE = "pVh2DBLFnvDTQqZ6sJwzRg";
const TOKENS = `oncall:arm:${ARM}\nstopper:stop:${STOP}\nguest:observe:${OBSERVE}`;

const login = async (page, token) => {
  await page.locator("#token").fill(token);
  await page.keyboard.press("Enter");
  await page.locator("#main:not([hidden])").waitFor();
};
const figure = (page, at) => page.locator("#charts figcaption").nth(at).textContent();

/** Does something with a page of a service, and ends the service; the page must not complain. */
const at = (browser, service, work, options) =>
  withPage(browser, service.port, (page) => work(page, service), options).finally(() => service.kill());

export const checks = {};

/** The story at the shop, in a window of some width and in both colour schemes, by a hand. */
const played = (width, colorScheme, by) => async (browser) => at(browser, await startShop(), async (page, shop) => {
  const hand = by(page);
  const buyers = visit(`${shop.service}/checkout/1`, { method: "POST" });
  const found = [];
  let bounded = "";
  try {
    await story(page, hand, {
      route: ROUTE,
      at: async (name) => {
        // Whoever's hand comes there, the states are the same.
        if (by === keyboard) return;
        for (const one of await judge(page, colorScheme)) found.push(`${name}: ${one}`);
      },
      failing: async () => {
        await until("the shop fails", () => buyers.last() === 503);
        await until("the chart shows it", async () => /[1-9][0-9.]* % of all calls/.test(await figure(page, 1)), 10_000);
        expect(/of them hit/.test(await figure(page, 2)), `who is hit is counted: ${await figure(page, 2)}`);
      },
      halting: async () => {
        // From the press on, which the page's own script sees first.
        const pressed = await page.evaluate(() => new Promise((done) => {
          document.getElementById("halt").addEventListener("click", () => done(Date.now()), { once: true, capture: true });
        }));
        await new Promise((done) => { setTimeout(done, 1000); });
        const calls = () => buyers.calls.filter(({ began }) => began > pressed);
        await until("calls go on", () => calls().length > 5, 10_000);
        const after = calls();
        const failed = after.filter(({ status }) => status !== 201).map(({ began }) => began - pressed);
        console.log(`     ${after.length} calls after the press of Halt, ${failed.length} of them failed${failed.length ? `, the last one began ${failed.at(-1)} ms after it` : ""}`);
        expect(after.at(-1).status === 201, `the shop answers ${after.at(-1)?.status}`);
        expect(!failed.some((ms) => ms > HALTED), `${failed.at(-1)} ms after the press a call failed`);
      },
      breach: async () => { bounded = await makeRule(page, hand, { route: ROUTE, isBounded: true }); },
      noted: () => deleteRule(page, hand, bounded),
    });
  } finally {
    await buyers.stop();
  }
  expect(!found.length, found.join("\n"));
}, { width, colorScheme });

checks["the story at the shop"] = played(1280, "light", mouse);
checks["the story at the shop, on a phone in the dark"] = played(390, "dark", mouse);
checks["the story at the shop, 320 px wide"] = played(320, "dark", mouse);
checks["the story at the shop, by the keyboard alone"] = played(1280, "light", keyboard);

checks["the shop is killed"] = async (browser) => {
  const shop = await startShop();
  await ask(shop.port, "PUT", "/v1/rules/slow", { site: "db.read", ttl: "5m", faults: [{ latency: "10ms" }] });
  await at(browser, shop, async (page) => {
    await page.locator("#rule-list h3").first().waitFor();
    // Measured in the page: a busy machine takes its time to tell of it.
    await page.evaluate(() => {
      const lost = document.getElementById("lost"), before = performance.now();
      new MutationObserver(() => { window.lostAfter ??= performance.now() - before; }).observe(lost, { attributeFilter: ["hidden"] });
    });
    await shop.kill();
    await page.locator("#lost").waitFor();
    const after = await page.evaluate(() => window.lostAfter);
    expect(after < 3000, `not known after ${Math.round(after)} ms`);
    expect(await page.locator("#state").textContent() === "not known", "the state is not known");
    const says = await page.locator("#lost").textContent();
    expect(/No answer for [0-9]+ s/.test(says), `since when: ${says}`);
    expect(/the last one at [0-9:]{8}/.test(says), `when the last rule ends: ${says}`);
    for (const one of await judge(page)) throw new Error(one);
    await page.getByRole("button", { name: "Halt all" }).click();
    await page.getByText("it is not known whether it is halted").waitFor();
    await page.locator("#new").click();
    await page.locator("#f-path").fill("/products");
    await page.locator("#f-arm").click();
    await until("the edit is said not to be known", async () => /not known whether/.test(await page.locator("#f-said").textContent()));
    expect(await page.locator("#f-path").inputValue() === "/products", "what was typed stays");
    await page.keyboard.press("Escape");
    const again = await startShop({ admin: shop.port.replace("http://", "") });
    try {
      await page.locator("#lost").waitFor({ state: "hidden" });
      await until("it is known again", async () => (await page.locator("#state").textContent()) === "idle");
    } finally {
      await again.kill();
    }
  }, { isNew: true });
};

/** Collects what a page asks, with the headers and the status. */
function watched(page, port) {
  const seen = [];
  page.on("response", async (response) => {
    if (!response.url().startsWith(port)) return;
    const one = { path: response.url().slice(port.length), status: response.status(), headers: {} };
    seen.push(one);
    one.headers = await response.request().allHeaders().catch(() => ({}));
  });
  return seen;
}

checks["the shop's tokens"] = async (browser) => at(browser, await startShop({ tokens: TOKENS }), async (page, shop) => {
  const seen = watched(page, shop.port);
  await page.reload();
  await page.locator("#login[open]").waitFor();
  for (const one of await judge(page)) throw new Error(one);
  await page.waitForTimeout(2000);
  expect(!seen.some(({ path }) => path.startsWith("/v1/")), "nothing is asked before the login");
  await page.locator("#token").fill("a-guess-of-some-length");
  await page.keyboard.press("Enter");
  await page.getByText("none of the port's access tokens").waitFor();
  const guesses = seen.length;
  await login(page, ARM);
  await page.locator("#new").waitFor();
  await page.waitForTimeout(1500);
  const asked = seen.slice(guesses).filter(({ path }) => path.startsWith("/v1/"));
  expect(!asked.some(({ status }) => status === 401), "no request is answered 401 with the token");
  expect(asked.length > 3 && asked.every(({ headers }) => headers.authorization === `Bearer ${ARM}`), "the token is in a header");
  expect(!seen.some(({ path, headers }) => path.includes(ARM) || (headers.referer ?? "").includes(ARM)), "the token is in no address");
  const kept = await page.evaluate(() => [Object.values(sessionStorage), Object.values(localStorage), document.cookie, location.href]);
  expect(JSON.stringify(kept) === JSON.stringify([[ARM], [], "", kept[3]]) && !kept[3].includes(ARM), `it is kept in ${JSON.stringify(kept)}`);
  await page.reload();
  await page.locator("#new").waitFor();
  expect(await page.locator("#login[open]").count() === 0, "the tab keeps it");
  expect(!shop.log().includes(ARM), "the shop logs no token");
});

/** Presses each button that there is, and returns the names. */
async function pressAll(page) {
  const pressed = [];
  const leave = async () => { if (await page.locator("dialog[open]").count()) await page.keyboard.press("Escape"); };
  for (;;) {
    const all = page.locator("header button:visible:enabled, main button:visible:enabled");
    const names = await all.evaluateAll((buttons) => buttons.map((button) => button.ariaLabel ?? button.textContent));
    const at = names.findIndex((name) => !pressed.includes(name));
    if (at < 0) return pressed;
    pressed.push(names[at]);
    await all.nth(at).click();
    await leave();
  }
}

for (const [role, token, there, gone] of [
  ["observe", OBSERVE, ["More for slow", "Explain…", "Hand over…"], ["Halt all", "New rule", "+5 min for slow", "Delete", "Edit…"]],
  ["stop", STOP, ["Halt all", "More for slow"], ["New rule", "Resume…", "+5 min for slow", "Delete"]],
]) {
  checks[`who may only ${role} is refused nothing`] = async (browser) => {
    const shop = await startShop({ tokens: TOKENS });
    await ask(shop.port, "PUT", "/v1/rules/slow", { site: "db.read", ttl: "5m", faults: [{ latency: "10ms" }] }, ARM);
    await at(browser, shop, async (page) => {
      const seen = watched(page, shop.port);
      await login(page, token);
      await page.locator("#rule-list h3").first().waitFor();
      await page.locator("#log-list p").first().waitFor();
      const pressed = await pressAll(page);
      for (const name of there) expect(pressed.includes(name), `no ${name} among ${pressed}`);
      for (const name of gone) expect(!pressed.includes(name), `${name} is shown`);
      expect(!pressed.some((name) => /^(Undo|Aim)/.test(name)), `${pressed}`);
      const switches = await page.getByRole("switch").evaluateAll((all) => all.map(({ disabled }) => disabled));
      expect(String(switches) === "true", `switches that may not be pressed: ${switches}`);
      expect(!seen.some(({ status }) => status === 403 || status === 401), "something is refused");
    });
  };
}

/** Does something with a page of a service that has many rules and sites, once it is at rest. */
async function atLarge(browser, work, options) {
  const service = await startLarge({ tokens: TOKENS, sites: 1000 });
  const rules = Array.from({ length: 500 }, (_, at) => ({
    id: `tenant-${at}-slow`, site: at % 50 ? `more.site${at}` : "db.read", reason: "load of many tenants", rate: 0.05, ttl: "30m",
    enabled: at % 4 !== 0, faults: [{ latency: "1ms" }],
  }));
  await ask(service.port, "PUT", "/v1/rules", { rules }, ARM);
  const visitors = visit(service.service);
  const run = at(browser, service, async (page) => {
    await login(page, ARM);
    await page.locator("#rule-list h3").first().waitFor();
    await page.locator("#site-list tr").nth(20).waitFor();
    await page.waitForTimeout(2000);
    await work(page);
  }, options);
  await run.finally(() => visitors.stop());
}

checks["500 rules and 1,000 sites"] = (browser) => atLarge(browser, async (page) => {
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  expect(elements < ELEMENTS, `${elements} elements`);
  // How long each interaction takes to the next paint.
  await page.evaluate(() => new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.slowest = Math.max(window.slowest, entry.interactionId ? entry.duration : 0);
  }).observe({ type: "event", durationThreshold: 16 }));
  const times = {};
  const timed = async (name, work) => {
    await page.evaluate(() => { window.slowest = 0; });
    await work();
    await page.waitForTimeout(500);
    times[name] = await page.evaluate(() => window.slowest);
  };
  await timed("rules filter", () => page.locator("#find-rule").pressSequentially("tenant-40", { delay: 60 }));
  await page.locator("#rule-count", { hasText: "found" }).waitFor();
  await timed("sites filter", () => page.locator("#find-site").pressSequentially("more.site99", { delay: 60 }));
  const on = page.getByLabel("tenant-401-slow is on");
  await timed("switch", () => on.click());
  await until("it is off", async () => !await on.isChecked());
  await timed("extend", () => page.getByLabel("+5 min for tenant-402-slow").click());
  await page.getByText("tenant-402-slow ends in 3").waitFor();
  await timed("menu", () => page.getByLabel("More for tenant-402-slow").click());
  console.log(`     ${elements} elements, ms to the next paint: ${JSON.stringify(times)}`);
  expect(Object.values(times).some((time) => time > 0), "the browser tells of interactions");
  for (const [name, time] of Object.entries(times)) expect(time < INTERACTION, `${name}: ${time} ms to the next paint`);
}, { isNew: true });

checks["500 rules and 1,000 sites take few bytes"] = (browser) => atLarge(browser, async (page) => {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on("Network.dataReceived", ({ dataLength, encodedDataLength }) => { bytes += Math.max(dataLength, encodedDataLength); });
  await session.send("Network.enable");
  const began = performance.now();
  await page.locator("#find-rule").fill("tenant-40");
  await page.getByLabel("tenant-401-slow is on").click();
  await page.getByLabel("+5 min for tenant-402-slow").click();
  await page.getByText("tenant-402-slow ends in 3").waitFor();
  await page.waitForTimeout(10_000);
  const pace = Math.round((bytes / (performance.now() - began)) * 1000);
  console.log(`     ${pace} bytes a second`);
  expect(pace > 0 && pace < BYTES_A_SECOND, `${pace} bytes a second`);
});
