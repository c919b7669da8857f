// What the tests share: the browser, a page that must not complain, and axe-core.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** WCAG 2.2 AA, and what is good practice beyond it. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const WIDTHS = [1280, 390, 320];
export const SCHEMES = ["light", "dark"];

/** Starts Debian's Chromium, or the one that `CHROMIUM` names. */
export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // CI runs as root, where Chromium has no sandbox.
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

/** Opens a page; what it says against itself is collected. */
export async function open(browser, url, { width = 1280, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: "reduce", ...more });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`${error.message}\n${error.stack}`));
  // A refused request is not the page's mistake; a broken policy is.
  page.on("console", (message) => { if (message.type() === "error" && !/Failed to load resource/.test(message.text())) complaints.push(message.text()); });
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}

/** What depends on the colours alone: all that is to be asked again in the other scheme. */
const COLOURS = ["color-contrast", "link-in-text-block"];

/** Returns what axe-core finds wrong with the page as it is, and whether it scrolls sideways. */
export async function judge(page, { isOfColours = false } = {}) {
  // Evaluated by the debugger, which no policy of the page holds back.
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(AXE);
  // All of the page at once: what is half behind the header comes out as one scrolls.
  const { width } = page.viewportSize();
  await page.setViewportSize({ width, height: await page.evaluate(() => Math.max(900, document.documentElement.scrollHeight)) });
  const found = await page.evaluate(async (runOnly) => {
    const { violations } = await window.axe.run(document, { runOnly, resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} (${node.failureSummary.replaceAll("\n", " ").slice(0, 200)})`).join(" | ")}`);
  }, isOfColours ? { type: "rule", values: COLOURS } : { type: "tag", values: TAGS });
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    return root.scrollWidth > root.clientWidth ? [`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`] : [];
  });
  await page.setViewportSize({ width, height: 900 });
  return [...found, ...wide];
}

/** Fails with a sentence. */
export function expect(holds, says) {
  if (!holds) throw new Error(says);
}

/** Waits until something holds. */
export async function until(says, check, most = 5000) {
  const end = performance.now() + most;
  for (;;) {
    if (await check()) return;
    if (performance.now() > end) throw new Error(`not within ${most} ms: ${says}`);
    await new Promise((done) => { setTimeout(done, 50); });
  }
}
