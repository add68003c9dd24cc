"""Echoes every message over HTTP/3. Arguments: certificate and key."""

import asyncio
import sys

from aioquic.asyncio import serve
from aioquic.quic.configuration import QuicConfiguration
from websocket import DATA, Http, WebSocket
from websockets.frames import Opcode
from websockets.protocol import Side


class Echo(Http):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sockets = {}

    def headers(self, stream, headers):
        expected = {
            b":method": b"CONNECT",
            b":protocol": b"websocket",
            b":scheme": b"https",
            b":path": b"/",
            b"sec-websocket-version": b"13",
        }
        assert expected.items() <= headers.items(), headers
        self.h3.send_headers(stream, [(b":status", b"200")])
        self.sockets[stream] = WebSocket(self, stream, Side.SERVER)
        self.transmit()

    def data(self, stream, data, ended):
        socket = self.sockets[stream]
        for frame in socket.received(data, ended):
            if frame.opcode is Opcode.TEXT:
                assert frame.fin
                socket.frames.send_text(frame.data)
            else:
                assert frame.opcode not in DATA
        socket.flush()


async def main(cert, key):
    configuration = QuicConfiguration(alpn_protocols=["h3"], is_client=False)
    configuration.load_cert_chain(cert, key)
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Echo)
    port = server._transport.get_extra_info("sockname")[1]
    print(f"listening on wss://127.0.0.1:{port}", flush=True)
    await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
