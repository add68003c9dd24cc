// Drives a headless Chromium over its debugging protocol. A script that imports
// it ends with `finish()`; 90 s after the start it fails by itself.
// NODE_MODULES is where `ws` is installed, PROFILE an empty folder to use, and
// SCREENSHOTS, if set, an existing folder for the pictures.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const { WebSocket } = require("ws");

const browser = spawn("chromium", [
  "--ignore-certificate-errors", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
  "--remote-debugging-port=0", `--user-data-dir=${process.env.PROFILE}`, "about:blank",
], { stdio: ["ignore", "ignore", "pipe"] });
process.on("exit", () => browser.kill("SIGKILL"));
setTimeout(() => { console.error("the browser took too long"); process.exit(1); }, 90_000).unref();

async function debuggerUrl() {
  for await (const line of readline.createInterface({ input: browser.stderr })) {
    const found = line.match(/DevTools listening on (ws:\S+)/);
    if (found) return new URL(found[1]);
  }
  throw new Error("the browser ended");
}

const { host } = await debuggerUrl();
browser.stderr.resume();

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Repeats `attempt` until its result is true, and returns that.
export async function until(attempt) {
  for (;;) {
    const result = await attempt();
    if (result) return result;
    await sleep(50);
  }
}

// A tab that shows `url`. `evaluate(source)` runs JavaScript in it and returns the
// (JSON) value, of a promise too; `text(id)` is an element's text.
export async function open(url, { width: wide = 1000, height = 700 } = {}) {
  const target = await (await fetch(`http://${host}/json/new?${url}`, { method: "PUT" })).json();
  const devtools = new WebSocket(target.webSocketDebuggerUrl, { maxPayload: 0 });
  await once(devtools, "open");
  const waiting = new Map();
  devtools.on("message", (data) => {
    const message = JSON.parse(data);
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  let id = 0;
  const command = (method, params = {}) => new Promise((done, failed) => {
    waiting.set(++id, ({ result, error }) => error ? failed(new Error(error.message)) : done(result));
    devtools.send(JSON.stringify({ id, method, params }));
  });
  await command("Emulation.setDeviceMetricsOverride", { width: wide, height, deviceScaleFactor: 1, mobile: false });
  const evaluate = async (expression) => {
    const { result, exceptionDetails } =
      await command("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const screenshot = async (name) => {
    if (!process.env.SCREENSHOTS) return;
    const { data } = await command("Page.captureScreenshot", { format: "png" });
    await writeFile(path.join(process.env.SCREENSHOTS, name), Buffer.from(data, "base64"));
  };
  return {
    command,
    evaluate,
    text: (element) => evaluate(`document.getElementById(${JSON.stringify(element)})?.textContent ?? ""`),
    click: (element) => evaluate(`document.getElementById(${JSON.stringify(element)}).click()`),
    // Sets the value of an input as if it was typed.
    fill: (element, value) => evaluate(`{
      const input = document.getElementById(${JSON.stringify(element)});
      input.value = ${JSON.stringify(value)};
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }`),
    until: (expression) => until(() => evaluate(expression)),
    screenshot,
    // Takes pictures in light and dark, and as on a phone.
    portraits: async (name) => {
      if (!process.env.SCREENSHOTS) return;
      for (const [kind, width, scheme] of [["light", wide, "light"], ["dark", wide, "dark"], ["phone", 390, "light"]]) {
        await command("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
        await command("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
        await sleep(1500);
        await screenshot(`${name}-${kind}.png`);
      }
    },
    close: () => command("Page.close"),
  };
}

export function finish(line) {
  console.log(line);
  process.exit(0);
}
