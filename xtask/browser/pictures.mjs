// `node pictures.mjs` makes the pictures of the console that the README and the book show, of the running shop.

import { open, launch, SCHEMES } from "./browser.mjs";
import { ask, startShop, visit } from "./program.mjs";

const FOLDER = new URL("../../docs/pages/", import.meta.url).pathname;
const TOKEN = "t9gTZpkXcT0uoBPqM3sPrw";
/** The time before a rule is armed, and after that, in seconds: the charts show both. */
const [BEFORE, AFTER] = [45, 70];
const WINDOW = { width: 1180, height: 830 };

const RULES = [
  { id: "checkout-503", site: "http.server", reason: "GameDay 12: does the cart survive a failing checkout?", match: { method: "POST", path: "/checkout/{id}" }, rate: 0.3, max_active: 20, ttl: "10m", faults: [{ status: 503 }], guards: [{ site: "http.server", error_ratio: 0.3, window: "10s" }] },
  { id: "slow-payment", site: "http.client", reason: "the provider's p99 of last Black Friday", rate: 0.2, ttl: "5m", faults: [{ latency: "200ms..500ms" }], guards: [{ site: "http.server", latency: { p99: "800ms" }, window: "10s" }] },
  { id: "slow-stock", site: "db.read", mode: "shadow", reason: "estimate first", match: { labels: { table: "products" } }, rate: 0.5, ttl: "30m", faults: [{ latency: "20ms" }] },
];

const seconds = (count) => new Promise((done) => { setTimeout(done, count * 1000); });

const shop = await startShop({ tokens: `oncall:arm:${TOKEN}` });
const visitors = [
  visit(`${shop.service}/products`, { pause: 40 }), visit(`${shop.service}/products/2`, { pause: 70 }),
  visit(`${shop.service}/checkout/1`, { method: "POST", pause: 90 }),
];
const browser = await launch();
const { page, complaints } = await open(browser, shop.port, WINDOW);
await page.setViewportSize(WINDOW);
await page.locator("#token").fill(TOKEN);
await page.keyboard.press("Enter");
await page.locator("#main:not([hidden])").waitFor();
await seconds(BEFORE);
for (const rule of RULES) await ask(shop.port, "PUT", `/v1/rules/${rule.id}`, rule, TOKEN);
await seconds(AFTER);
// What is told of deeds goes by itself, and the mouse points at nothing.
await page.mouse.move(0, 0);
for (const colorScheme of SCHEMES) {
  await page.emulateMedia({ colorScheme });
  await seconds(1);
  await page.screenshot({ path: `${FOLDER}console-${colorScheme}.png` });
}
await browser.close();
await Promise.all(visitors.map((one) => one.stop()));
await shop.kill();
for (const one of complaints) console.log(one);
process.exit(complaints.length ? 1 : 0);
