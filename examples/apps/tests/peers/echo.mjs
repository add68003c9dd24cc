// Uses the page of an echo server as a person would: node echo.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open } from "./browser.mjs";

const page = await open(process.argv[2]);
await page.until(`document.getElementById("status")?.textContent === "echo ok"`);
await page.fill("message", "grüße 🦀");
await page.click("send");
await page.until(`document.getElementById("log").textContent.includes("< grüße 🦀")`);
const log = await page.text("log");
assert.match(log, /^open, subprotocol echo$/m);
assert.match(log, /^> grüße 🦀$/m);
await page.screenshot("echo.png");
console.log(log.trim());
finish("chromium ok");
