"""Drives an echo server with the `websockets` package: python_websockets.py URL"""

import asyncio
import sys

import websockets


async def main(url):
    async with websockets.connect(url, subprotocols=["chat", "echo"], max_size=2**24) as ws:
        assert ws.subprotocol == "echo", ws.subprotocol
        for message in ["grüße 🦀", "", b"", bytes(range(256)), "x" * 70_000, b"7" * 2**20]:
            await ws.send(message)
            assert await ws.recv() == message, message[:20]

        await ws.send(["frag", "", "ments"])
        assert await ws.recv() == "fragments"
        await asyncio.wait_for(await ws.ping(b"between"), 10)

        for i in range(1000):
            await ws.send(str(i))
        assert [int(await ws.recv()) for _ in range(1000)] == list(range(1000))

        await ws.close(4001, "enough")
        assert ws.close_code == 4001, ws.close_code

    async with websockets.connect(url, subprotocols=["chat"]) as ws:
        assert ws.subprotocol is None
    print("python websockets ok")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
