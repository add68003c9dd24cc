// Watches the ticker with and without compression: node ticker.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open } from "./browser.mjs";

const page = await open(process.argv[2], { width: 1000, height: 1000 });
// Messages a second, and bytes of each, once they were measured.
const measured = async (kind) => {
  const cell = (index) => `parseFloat(document.getElementById("${kind}").cells[${index}].textContent.replaceAll(",", ""))`;
  await page.until(`${cell(1)} > 0`);
  return page.evaluate(`[${cell(1)}, ${cell(3)}]`);
};

await page.until(`document.getElementById("status")?.textContent === "open"`);
const [rate, plain] = await measured("plain");
await page.click("compression");
const [compressedRate, compressed] = await measured("compressed");
// Every price is in the chart: with less than a line for each, none was skipped.
const points = await page.evaluate(`[...history.values()].map((points) => points.length)`);
assert.equal(points.length, 12);
assert.ok(points[0] > 50, `${points[0]} points`);
for (const each of [rate, compressedRate]) assert.ok(each > 25 && each < 60, `${each} messages a second`);
assert.ok(plain > 1000, `${plain} bytes`);
assert.ok(compressed < plain * 0.6, `${compressed} of ${plain} bytes`);
assert.match(await page.text("saved"), /^Compression saves \d+ %/);
assert.equal(await page.text("status"), "open");
await page.portraits("ticker");
finish(`${rate} messages a second; ${plain} bytes each, ${compressed} compressed`);
