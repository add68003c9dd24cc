//! A client and a server joined without any I/O, printing the bytes that pass
//! between them: `cargo run --example in_memory`

use std::error::Error;

use sansocket::{ClientRequest, CloseCode, Config, Connection, Event, Input};

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new();
    let mut to_server = Vec::new();
    let mut to_client = Vec::new();
    let request = ClientRequest::to("ws://example.com/chat")?.with_subprotocol("echo")?;
    let mut client = Connection::client(&request, &config, &mut to_server)?;
    let mut server = Connection::server(&config);

    while !server.is_closed() {
        show("client", &to_server);
        let mut input = Input::new(&mut to_server);
        while let Some(event) = server.receive(&mut input, &mut to_client) {
            match event {
                Event::Request(request) => {
                    let response = request.accept().with_subprotocol("echo")?;
                    server.respond(response, &mut to_client)?;
                }
                Event::Message(message) => server.send(message, &mut to_client)?,
                _ => {}
            }
        }
        to_server.clear();

        show("server", &to_client);
        let mut input = Input::new(&mut to_client);
        while let Some(event) = client.receive(&mut input, &mut to_server) {
            match event {
                Event::Open(_) => client.send("Hello", &mut to_server)?,
                Event::Message(_) => client.close(CloseCode::NORMAL, "done", &mut to_server)?,
                _ => {}
            }
        }
        to_client.clear();
    }
    println!("server: {:?}", server.outcome());
    println!("client: {:?}", client.outcome());
    Ok(())
}

fn show(who: &str, bytes: &[u8]) {
    println!(
        "{who} sends {} bytes: {}",
        bytes.len(),
        bytes.escape_ascii()
    );
}
