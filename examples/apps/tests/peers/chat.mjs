// Uses the page of the chat as two people would, while its server is stopped and
// started again: node chat.mjs PROGRAM
import assert from "node:assert/strict";
import { finish } from "./browser.mjs";
import { join, start, stop } from "./chat_tabs.mjs";

const { child, address } = await start("127.0.0.1:0");
const ada = await join(address, "Ada", "garden");
await ada.people("Ada");
await ada.say("Hello 👋");
await ada.shows("Ada: Hello 👋");

// Names, presence, history, another room.
const bob = await join(address, "Bob", "garden", { width: 390, height: 780 });
await ada.people("Ada", "Bob");
await bob.people("Ada", "Bob");
await bob.shows("Ada: Hello 👋");
const eve = await join(address, "Eve", "kitchen");
await eve.people("Eve");

// Typing, and its end with the message.
await bob.fill("text", "Grüße,");
await ada.until(`document.getElementById("typing").textContent === "Bob is typing …"`);
assert.equal(await bob.text("typing"), "", "not one's own");
await bob.say("Grüße, Ada: <b>not bold</b>");
await ada.shows("Ada: Hello 👋", "Bob: Grüße, Ada: <b>not bold</b>");
await ada.until(`document.getElementById("typing").textContent === ""`);

// A picture that is pasted, and a chosen one that is too large until it is scaled down.
const paint = (size, type, noise) => `(async () => {
  const canvas = new OffscreenCanvas(${size}, ${size * 0.6}), pen = canvas.getContext("2d");
  const sky = pen.createLinearGradient(0, 0, 0, ${size * 0.6});
  sky.addColorStop(0, "#3a6df0"); sky.addColorStop(1, "#f7b267");
  pen.fillStyle = sky; pen.fillRect(0, 0, ${size}, ${size});
  for (let i = 0; i < ${noise}; i++) {
    pen.fillStyle = "hsl(" + Math.random() * 360 + " 80% 50%)";
    pen.fillRect(Math.random() * ${size}, Math.random() * ${size}, 3, 3);
  }
  return new File([await canvas.convertToBlob({ type: "${type}" })], "a picture", { type: "${type}" });
})()`;
const transfer = (picture) => `${picture}.then(file => {
  const data = new DataTransfer();
  data.items.add(file);
  return [data, file.size];
})`;
await ada.evaluate(`${transfer(paint(400, "image/png", 0))}.then(([clipboardData]) =>
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData })))`);
await bob.until(`document.querySelector("#log img")?.naturalWidth === 400`);
const size = await bob.evaluate(`${transfer(paint(1800, "image/png", 200_000))}.then(([data, size]) => {
  document.getElementById("file").files = data.files;
  document.getElementById("file").dispatchEvent(new Event("change"));
  return size;
})`);
assert.ok(size > 512 * 1024, `${size} bytes are too few`);
await ada.until(`document.querySelectorAll("#log img").length === 2`);
await ada.until(`document.querySelectorAll("#log img")[1].naturalWidth >= 600`);

const conversation = ["Ada: Hello 👋", "Bob: Grüße, Ada: <b>not bold</b>", "Ada: picture", "Bob: picture"];
await ada.shows(...conversation);
await bob.fill("text", "A longer thought, which is not yet");
await ada.until(`document.getElementById("typing").textContent !== ""`);
for (const [tab, name] of [[ada, "chat"], [bob, "chat-390"]]) {
  for (const value of ["light", "dark"]) {
    await tab.command("Page.bringToFront");
    await tab.command("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
    await tab.screenshot(`${name}-${value}.png`);
  }
}

// Not a picture: said on the page, not sent.
await ada.evaluate(`share([new File(["text"], "notes.txt", { type: "text/plain" })])`);
assert.match(await ada.text("note"), /^notes.txt cannot be shown/);

// The server stops; what is said meanwhile is sent when it is back.
await stop(child);
await ada.until(`document.getElementById("status").textContent.startsWith("the server stops; again in")`);
await ada.say("Is anybody there?");
assert.equal(await ada.evaluate(`document.querySelectorAll("#pending li").length`), 1);
await ada.command("Page.bringToFront");
await ada.screenshot("chat-reconnecting.png");
await start(address);
await ada.people("Ada", "Bob");
const after = [...conversation, "Ada: Is anybody there?"];
await ada.shows(...after);
await bob.shows(...after);
assert.equal(await ada.evaluate(`document.querySelectorAll("#pending li").length`), 0);
assert.deepEqual(await eve.log(), []);

// A tab that is closed is not present.
await bob.close();
await ada.people("Ada");
finish("chat ok");
