//! What the events of this server do.
//!
//! | event | does | acknowledged with |
//! |---|---|---|
//! | `join` room | enters a room | how many are in it |
//! | `leave` room | leaves it | |
//! | `say` room, ... | `said` id, ... to the others in the room | how many receive it |
//! | `shout` ... | `shouted` id, ... to everybody | how many receive it |
//! | `echo` ... | | the same arguments |
//!
//! Any argument may be binary. The namespace `/admin` needs `auth: { token: "secret" }`.

use serde_json::{Value, json};

use crate::hub::{Hub, MemberId};
use crate::packet::{Kind, Packet};

/// Why a client may not connect to the namespace, if so.
pub(crate) fn refusal(request: &Packet) -> Option<&'static str> {
    match &*request.namespace {
        "/" => None,
        "/admin" if request.data["token"] == "secret" => None,
        "/admin" => Some("not authorized"),
        _ => Some("Invalid namespace"),
    }
}

/// Handles an event and returns the acknowledgement, if the client asked for one.
pub(crate) fn handle(hub: &Hub, member: MemberId, event: Packet) -> Option<Packet> {
    let mut ack = Packet {
        id: event.id,
        ..Packet::new(Kind::Ack, &event.namespace, Value::Null)
    };
    let name = event.data[0].as_str().unwrap_or_default();
    ack.data = match (name, event.data[1].as_str()) {
        ("join", Some(room)) => match hub.join(member, room) {
            Some(count) => json!([count]),
            None => json!([{ "error": "in too many rooms" }]),
        },
        ("leave", Some(room)) => {
            hub.leave(member, room);
            json!([])
        }
        ("say", Some(room)) => {
            let room = room.to_owned();
            json!([hub.emit(member, Some(&room), renamed(event, "said", 2))])
        }
        ("shout", _) => json!([hub.emit(member, None, renamed(event, "shouted", 1))]),
        ("echo", _) => {
            ack.attachments.clone_from(&event.attachments);
            renamed(event, "", 1).data.as_array()?[1..].into()
        }
        _ => json!([{ "error": "unknown event" }]),
    };
    ack.id.is_some().then_some(ack)
}

/// An event of another name, with the arguments from `first` on.
fn renamed(mut event: Packet, name: &str, first: usize) -> Packet {
    event.id = None;
    if let Value::Array(args) = &mut event.data {
        args.splice(..first, [name.into()]);
    }
    event
}
