// Several people at one board and one text: node collab.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open, until } from "./browser.mjs";

const url = process.argv[2];
const come = async (name) => {
  const page = await open(url, { width: 1000, height: 760 });
  await page.until(`document.getElementById("status")?.textContent === "open"`);
  await page.fill("name", name);
  await page.evaluate(`document.getElementById("name").onchange()`);
  await page.until(`document.getElementById("people").textContent.includes("${name} (you)")`);
  return page;
};
const value = (page) => page.evaluate(`document.getElementById("text").value`);
// Edits as a person who types does; all at once, so that no other's edit comes between.
const edit = (page, source) => page.evaluate(`{
  const area = document.getElementById("text");
  const edit = (start, end, text) => {
    area.setRangeText(text, start, end, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  ${source}
}`);
// Edits in each tab before it hears of those in the other.
const together = async (edits) => {
  for (const [page] of edits) await page.evaluate(`held = []; socket.send = (message) => held.push(message); true`);
  for (const [page, source] of edits) await edit(page, source);
  for (const [page] of edits) await page.evaluate(`delete socket.send; held.forEach((message) => socket.send(message))`);
};
const agree = (pages, isDone = () => true) => until(async () => {
  const texts = await Promise.all(pages.map(value));
  return texts.every((text) => text === texts[0]) && isDone(texts[0]) && (texts[0] || true);
});

const [ada, bob] = [await come("Ada"), await come("Bob")];
await ada.until(`document.getElementById("people").textContent.includes("Bob")`);

// At the same place at the same time: neither is lost, nor mixed with the other.
await edit(ada, `edit(0, 0, "The quick 🦊 jumps.")`);
await agree([ada, bob], (text) => text.includes("jumps"));
await together([
  [ada, `edit(4, 9, ""); edit(4, 4, "slow");`],
  [bob, `edit(4, 4, "very "); edit(9, 9, "very ");`],
]);
const text = await agree([ada, bob], (text) => text.includes("slow") && text.includes("very"));
assert.equal(text, "The very very slow 🦊 jumps.");

// Anything anywhere, in two tabs at once.
const random = (mark) => `for (let i = 0; i < 40; i++) {
  const chars = [...area.value], at = Math.floor(Math.random() * (chars.length + 1));
  const offset = (index) => chars.slice(0, index).join("").length;
  edit(offset(at), offset(at + (i % 3 === 0 ? 2 : 0)), "${mark}" + i);
}`;
for (let round = 0; round < 3; round++) {
  await together([[ada, random("a")], [bob, random("b")]]);
  await edit(ada, `edit(0, 0, "<${round}>")`);
  await edit(bob, `edit(area.value.length, area.value.length, "[${round}]")`);
}
await agree([ada, bob], (text) => text.includes("<2>") && text.includes("[2]"));

// Drawing, with the pointer: Bob sees it.
const mouse = (page, type, x, y) => page.command("Input.dispatchMouseEvent",
  { type, x, y, button: "left", buttons: type === "mouseReleased" ? 0 : 1, clickCount: 1 });
await ada.command("Page.bringToFront");
const box = await ada.evaluate(`(({ left, top }) => ({ left, top }))(canvas.getBoundingClientRect())`);
await mouse(ada, "mousePressed", box.left + 60, box.top + 60);
for (let step = 1; step <= 12; step++) {
  await mouse(ada, "mouseMoved", box.left + 60 + 15 * step, box.top + 60 + 60 * Math.sin(step / 2));
  await ada.evaluate(`new Promise((done) => requestAnimationFrame(() => done()))`);
}
await mouse(ada, "mouseReleased", box.left + 240, box.top + 60);
await bob.until(`lines.length > 5`);
assert.match(await bob.evaluate(`document.querySelector(".pointer").textContent`), /Ada/);
const ink = `pen.getImageData(0, 0, canvas.width, canvas.height).data.filter((byte, index) => index % 4 === 3 && byte).length`;
assert.ok(await bob.evaluate(ink) > 100, "it is drawn");

// Who comes late has the same.
await edit(ada, `edit(0, area.value.length, "Dear all,\\n\\nlet us meet at noon.\\nAda"); area.focus(); area.setSelectionRange(9, 9)`);
await agree([ada, bob], (text) => text.endsWith("noon.\nAda"));
const eve = await come("Eve");
await agree([ada, bob, eve], (text) => text.endsWith("noon.\nAda"));
const board = (page) => page.evaluate(`JSON.stringify(lines)`);
await until(async () => await board(ada) === await board(eve));
assert.equal(await board(bob), await board(eve));

await bob.command("Page.bringToFront");
await edit(bob, `area.focus(); area.setSelectionRange(30, 30)`);
await eve.until(`document.querySelector(".cursor")?.dataset.name === "Bob"`);
await eve.portraits("collab");
await bob.close();
await ada.until(`!document.getElementById("people").textContent.includes("Bob")`);
await ada.click("clear");
await eve.until(`lines.length === 0`);
finish(`chromium ok: ${text}`);
