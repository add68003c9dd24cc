"""A WebSocket on a stream of aioquic's HTTP/3, with the frames of `websockets`."""

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import ProtocolNegotiated, StreamReset
from websockets.frames import Opcode
from websockets.protocol import Protocol


class WebSocket:
    def __init__(self, http, stream, side):
        self.http, self.stream = http, stream
        self.frames = Protocol(side, max_size=None)
        self.is_ended = False

    def received(self, data, ended):
        """The frames that came."""
        if data:
            self.frames.receive_data(data)
        if ended:
            self.frames.receive_eof()
        self.flush()
        return self.frames.events_received()

    def flush(self):
        """Sends what is to be sent; an empty piece is the end of the stream."""
        for data in self.frames.data_to_send():
            if not self.is_ended:
                self.is_ended = not data
                self.http.h3.send_data(self.stream, data, end_stream=self.is_ended)
        self.http.transmit()


class Http(QuicConnectionProtocol):
    """A connection of HTTP/3: calls `headers`, `data` and `reset`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.h3 = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.h3 = H3Connection(self._quic)
        if isinstance(event, StreamReset):
            self.reset(event.stream_id, event.error_code)
        if self.h3 is None:
            return
        for received in self.h3.handle_event(event):
            if isinstance(received, HeadersReceived):
                self.headers(received.stream_id, dict(received.headers))
            if isinstance(received, DataReceived):
                self.data(received.stream_id, received.data, received.stream_ended)

    def reset(self, stream, code):
        pass


DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
