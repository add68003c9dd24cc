"""Uses the echo server over HTTP/3. Arguments: port and certificate."""

import asyncio
import os
import sys

from aioquic.asyncio import connect
from aioquic.h3.connection import Setting
from aioquic.quic.configuration import QuicConfiguration
from websocket import DATA, Http, WebSocket
from websockets.frames import Opcode
from websockets.protocol import Side

CANCELLED = 0x10C


class Client(Http):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.responses, self.queues, self.sockets = {}, {}, {}

    def headers(self, stream, headers):
        if headers[b":status"] == b"200":
            self.sockets[stream] = WebSocket(self, stream, Side.CLIENT)
        self.responses[stream].set_result(headers)

    def data(self, stream, data, ended):
        if stream not in self.sockets:
            return
        for frame in self.sockets[stream].received(data, ended):
            self.queues[stream].put_nowait(frame)
        if ended:
            self.queues[stream].put_nowait("FIN")

    def reset(self, stream, code):
        self.queues[stream].put_nowait(("reset", code))

    async def open(self, **fields):
        stream = self._quic.get_next_available_stream_id()
        head = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "https",
            ":authority": "localhost",
            ":path": "/",
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "echo",
        }
        head.update(fields)
        self.responses[stream] = asyncio.get_running_loop().create_future()
        self.queues[stream] = asyncio.Queue()
        self.h3.send_headers(stream, [(k.encode(), v.encode()) for k, v in head.items()])
        self.transmit()
        return stream, await self.responses[stream]

    async def message(self, stream):
        """The payload of the next message, in as many frames as it comes."""
        payload = b""
        while True:
            frame = await self.queues[stream].get()
            if frame.opcode in DATA:
                payload += frame.data
                if frame.fin:
                    return payload

    async def echo(self, stream, payload):
        socket = self.sockets[stream]
        socket.frames.send_binary(payload)
        socket.flush()
        assert await self.message(stream) == payload

    async def say_goodbye(self, stream):
        socket = self.sockets[stream]
        socket.frames.send_close(1000, "bye")
        socket.flush()
        frame = await self.queues[stream].get()
        assert frame.opcode is Opcode.CLOSE and frame.data == b"\x03\xe8", frame
        assert await self.queues[stream].get() == "FIN"


async def run(client):
    assert client.h3.received_settings[Setting.ENABLE_CONNECT_PROTOCOL] == 1

    # Many on one connection, at once, and large messages on each.
    streams = []
    for _ in range(10):
        stream, headers = await client.open()
        assert headers[b":status"] == b"200", headers
        assert headers[b"sec-websocket-protocol"] == b"echo", headers
        streams.append(stream)
    large = os.urandom(1024 * 1024)
    await asyncio.gather(*(client.echo(stream, large) for stream in streams))

    # A ping, and a refusal.
    client.sockets[streams[0]].frames.send_ping(b"are you there?")
    client.sockets[streams[0]].flush()
    frame = await client.queues[streams[0]].get()
    assert frame.opcode is Opcode.PONG and frame.data == b"are you there?", frame
    _, headers = await client.open(**{"sec-websocket-version": "12"})
    assert headers[b":status"] == b"426" and headers[b"sec-websocket-version"] == b"13"

    # One that is reset hurts no other.
    reset = streams.pop()
    client._quic.reset_stream(reset, CANCELLED)
    client.transmit()
    assert await client.queues[reset].get() == ("reset", CANCELLED)
    await asyncio.gather(*(client.echo(stream, b"hello") for stream in streams))

    last = streams.pop()
    await asyncio.gather(*(client.say_goodbye(stream) for stream in streams))

    print("waiting for 1001", flush=True)
    frame = await client.queues[last].get()
    assert frame.opcode is Opcode.CLOSE and frame.data == b"\x03\xe9", frame
    assert await client.queues[last].get() == "FIN"
    await client.wait_closed()


async def main(port, cert):
    configuration = QuicConfiguration(alpn_protocols=["h3"], is_client=True)
    configuration.load_verify_locations(cert)
    async with connect(
        "localhost", int(port), configuration=configuration, create_protocol=Client
    ) as client:
        while client.h3 is None or client.h3.received_settings is None:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(run(client), 60)


asyncio.run(main(*sys.argv[1:]))
