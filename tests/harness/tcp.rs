//! TCP connections whose buffers in the system are as small as they get.

use std::net::{Ipv4Addr, TcpStream};

use tokio::net::TcpSocket;

const SMALL: u32 = 4096;

/// A client's end and a server's.
pub(crate) fn small_pair() -> (TcpStream, TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let socket = || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(SMALL).unwrap();
        socket.set_recv_buffer_size(SMALL).unwrap();
        socket
    };
    let ends = runtime.block_on(async {
        let server = socket();
        server.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = server.listen(1).unwrap();
        let client = socket().connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        [client.unwrap(), server.unwrap().0]
    });
    let [client, server] = ends.map(|end| {
        let end = end.into_std().unwrap();
        end.set_nonblocking(false).unwrap();
        end.set_nodelay(true).unwrap();
        end
    });
    (client, server)
}
