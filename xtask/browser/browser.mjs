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

/** Pages that no check uses: one whose process runs costs a third of a new one. */
const spare = [];

/** Opens a page, a new one if it is to be so or has options of its own; what it says against itself is collected. */
export async function open(browser, url, { width = 1280, colorScheme = "light", isNew = false, ...own } = {}) {
  const isUsual = !isNew && !Object.keys(own).length;
  const page = (isUsual && spare.pop()) || await browser.newPage({ reducedMotion: "reduce", ...own });
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`${error.message}\n${error.stack}`));
  // A refused request is not the page's mistake; a broken policy is.
  page.on("console", (message) => { if (message.type() === "error" && !/Failed to load resource/.test(message.text())) complaints.push(message.text()); });
  await page.goto(url);
  return { page, complaints, isUsual };
}

/** Does something with a page, which must not complain. The next check may get it. */
export async function withPage(browser, url, work, options) {
  const { page, complaints, isUsual } = await open(browser, url, options);
  await work(page).catch((error) => complaints.unshift(error.message));
  if (complaints.length || !isUsual) {
    await page.close();
  } else {
    await page.evaluate(() => sessionStorage.clear());
    await page.goto("about:blank");
    // The mouse points at nothing of the next page.
    await page.mouse.move(0, 0);
    for (const event of ["pageerror", "console", "response"]) page.removeAllListeners(event);
    spare.push(page);
  }
  expect(!complaints.length, complaints.join("\n"));
}

/** What depends on the colours alone: all that is to be asked again in the other scheme. */
const COLOURS = ["color-contrast", "link-in-text-block"];

/** Runs rules of axe-core in a page, and returns what is wrong. */
async function run(runOnly) {
  const { violations, incomplete } = await window.axe.run(document, { runOnly, resultTypes: ["violations", "incomplete"] });
  const { Color, getContrast } = window.axe.commons.color;
  const colour = (text) => new Color().parseString(text);
  const ground = (node) => colour(getComputedStyle(node).backgroundColor);
  // Text of pictures, and of dialogs that axe-core takes for covered, is left undecided. Each has one plain colour behind it.
  const isFaint = ({ target: [selector] }) => {
    const text = document.querySelector(selector);
    let behind = text;
    while (behind && ground(behind).alpha === 0) behind = behind.parentElement;
    return behind && getContrast(ground(behind), colour(getComputedStyle(text)[text.closest("svg") ? "fill" : "color"])) < 4.5;
  };
  const faint = incomplete.filter(({ id }) => id === "color-contrast").map(({ id, nodes }) => ({ id, nodes: nodes.filter(isFaint) }));
  return [...violations, ...faint].filter(({ nodes }) => nodes.length).map(({ id, nodes }) =>
    `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} (${node.failureSummary.replaceAll("\n", " ").slice(0, 200)})`).join(" | ")}`);
}

/** Returns what axe-core finds wrong with the page as it is, in its colour scheme and in the other one, and whether it scrolls sideways. */
export async function judge(page, colorScheme = SCHEMES[0]) {
  // Evaluated by the debugger, which no policy of the page holds back.
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(AXE);
  // All of the page at once: what is half behind the header comes out as one scrolls.
  const { width } = page.viewportSize();
  await page.setViewportSize({ width, height: await page.evaluate(() => Math.max(900, document.documentElement.scrollHeight)) });
  const found = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll("dialog[open]")]
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => `${one.localName} scrolls sideways: ${one.scrollWidth} > ${one.clientWidth}`));
  for (const scheme of new Set([colorScheme, ...SCHEMES])) {
    await page.emulateMedia({ colorScheme: scheme });
    const wrong = await page.evaluate(run, scheme === colorScheme ? { type: "tag", values: TAGS } : { type: "rule", values: COLOURS });
    found.push(...wrong.map((one) => `${scheme}: ${one}`));
  }
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 900 });
  return found.map((one) => `${width} px, ${one}`);
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
