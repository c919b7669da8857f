// `node reports.mjs FOLDER` opens the reports in a folder from disk, judges them, and leaves pictures and a PDF of each.

import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SCHEMES, WIDTHS, expect, judge, launch, withPage } from "./browser.mjs";

const folder = resolve(process.argv[2] ?? ".");
const reports = readdirSync(folder).filter((name) => name.endsWith(".html"));
if (reports.length < 3) throw new Error(`${folder} has ${reports.length} reports, and not those of three experiments`);
const LARGEST = 500_000;
const browser = await launch();
let failed = 0;

async function look(report) {
  const file = join(folder, report);
  const text = readFileSync(file, "utf8");
  expect(text.length < LARGEST, `it has ${text.length} bytes`);
  expect(!/<script/i.test(text), "it has a script");
  for (const width of WIDTHS) {
    const asked = [];
    await withPage(browser, "about:blank", async (page) => {
      page.on("request", (request) => { if (!request.url().startsWith("file:")) asked.push(request.url()); });
      await page.goto(pathToFileURL(file).href);
      const plots = await page.locator("svg[role=img]").count();
      expect(plots > 0, "it has no plot");
      const found = await judge(page);
      expect(!found.length, found.join("\n"));
      for (const colorScheme of width === WIDTHS[2] ? [] : SCHEMES) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: file.replace(".html", `-${width}-${colorScheme}.png`), fullPage: true });
      }
      if (width === WIDTHS[0]) await page.pdf({ path: file.replace(".html", ".pdf"), printBackground: true });
    }, { isNew: true, width });
    expect(!asked.length, `it asks for ${asked.join(", ")}`);
  }
}

for (const report of reports) {
  const error = await look(report).then(() => null, (error) => error);
  console.log(`${error ? "FAIL" : "ok  "} ${report}`);
  if (error) {
    failed += 1;
    console.log(error.message.replace(/^/gm, "     "));
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
