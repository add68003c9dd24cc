// Two players in one arena: node game.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open } from "./browser.mjs";

const come = async () => {
  const page = await open(process.argv[2], { width: 1000, height: 860 });
  await page.until(`document.getElementById("status")?.textContent === "open" && state.players.some(({ number }) => number === me)`);
  return page;
};
const [ada, bob] = [await come(), await come()];
const [first, second] = [await ada.evaluate("me"), await bob.evaluate("me")];
assert.notEqual(first, second);
await ada.until(`state.players.length === 2`);

const place = (page, number) => page.evaluate(`state.players.find((player) => player.number === ${number})`);
const key = (page, type, code) => page.evaluate(`dispatchEvent(new KeyboardEvent("${type}", { code: "${code}" }))`);

// Each goes to a wall, which the other sees.
await key(ada, "keydown", "ArrowLeft");
await key(bob, "keydown", "KeyD");
await bob.until(`state.players.find((player) => player.number === ${first}).x === 24`);
await ada.until(`state.players.find((player) => player.number === ${second}).x === 976`);
await key(ada, "keyup", "ArrowLeft");
await key(bob, "keyup", "KeyD");

// By dragging: to the middle, where it stops.
await ada.command("Page.bringToFront");
const box = await ada.evaluate(`(({ left, top, width }) => ({ left, top, width }))(document.getElementById("arena").getBoundingClientRect())`);
const [x, y] = [box.left + box.width / 2, box.top + box.width / 2];
await ada.command("Input.dispatchMouseEvent", { type: "mousePressed", x, y, button: "left", buttons: 1, clickCount: 1 });
await bob.until(`(({ x, y }) => Math.hypot(x - 500, y - 500) < 12)(state.players.find((player) => player.number === ${first}))`);
await ada.command("Input.dispatchMouseEvent", { type: "mouseReleased", x, y, button: "left", clickCount: 1 });

// Dots are collected by going up and down.
await key(ada, "keydown", "KeyW");
await key(bob, "keydown", "ArrowUp");
const rate = await ada.until(`parseInt(document.getElementById("rate").textContent) > 30 && document.getElementById("rate").textContent`);
assert.ok(rate < 80, `${rate} ticks a second`);
await ada.portraits("game");
const score = (await place(bob, first)).score;
await bob.close();
await ada.until(`state.players.length === 1`);
finish(`chromium ok: ${rate} ticks a second, score ${score}`);
