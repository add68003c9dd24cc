//! How much one call of `receive` does: a peer that sends the most work in the fewest
//! bytes does not keep its thread from other connections.

use crate::drive::{feed, open};
use crate::wire::{ROLES, config, peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{Config, Connection, Delivery, Event, Fragment, Input, Message, Role};

/// The documented bound, see `Event::Yield`.
const MAX_FRAMES: u64 = 256;

/// A text in `count` frames, all but two of them empty, and another behind it.
fn mostly_empty(from: Role, count: usize) -> Vec<u8> {
    let empty = wire(from).frame(Opcode::Continuation, false, b"").bytes();
    wire(from)
        .frame(Opcode::Text, false, b"be")
        .raw(&empty.repeat(count - 2))
        .frame(Opcode::Continuation, true, b"gun")
        .text("after")
        .bytes()
}

/// Receives everything. Returns the events, and how many frames each call has received.
fn receive_all(ws: &mut Connection, bytes: &[u8]) -> (Vec<Event<'static>>, Vec<u64>) {
    let (mut bytes, mut out) = (bytes.to_vec(), Vec::new());
    let mut input = Input::new(&mut bytes);
    let (mut events, mut frames) = (Vec::new(), Vec::new());
    loop {
        let before = ws.counters().received.frames;
        let event = ws.receive(&mut input, &mut out).map(Event::into_owned);
        frames.push(ws.counters().received.frames - before);
        match event {
            Some(event) => events.push(event),
            None => return (events, frames),
        }
    }
}

#[test]
fn no_call_receives_more_frames_than_documented() {
    for (role, delivery) in ROLES
        .into_iter()
        .flat_map(|role| [Delivery::Messages, Delivery::Fragments].map(|how| (role, how)))
    {
        let config = config().with_delivery(delivery);
        let bytes = mostly_empty(peer_of(role), 10_000);
        let (events, frames) = receive_all(&mut open(role, &config), &bytes);
        assert!(frames.iter().all(|frames| *frames <= MAX_FRAMES));
        assert_eq!(frames.iter().sum::<u64>(), 10_001);
        let yields = events.iter().filter(|event| **event == Event::Yield);
        assert_eq!(yields.count() as u64, 10_001 / MAX_FRAMES);

        let fragment = |text: &'static str, fin| {
            let payload = text.into();
            Event::Fragment(Fragment { payload, fin })
        };
        let expected = match delivery {
            Delivery::Messages => ["begun", "after"]
                .map(|text| Event::Message(text.into()))
                .to_vec(),
            _ => vec![
                fragment("be", false),
                fragment("gun", true),
                fragment("after", true),
            ],
        };
        assert_eq!(
            feed(&mut open(role, &config), [&bytes[..]]).events,
            expected
        );
    }
}

// The bound is about what one call does and the next one goes on with: events that the
// driver sees in between do not reset it.
#[test]
fn frames_of_several_messages_are_counted_together() {
    let message = wire(Role::Client)
        .frame(Opcode::Binary, false, b"")
        .frame(Opcode::Continuation, false, b"")
        .frame(Opcode::Continuation, true, b"end")
        .bytes();
    let (events, _) = receive_all(
        &mut open(Role::Server, &config()),
        &message.repeat(MAX_FRAMES as usize),
    );
    let messages = |events: &[Event<'_>]| {
        let is_message = |event: &&Event<'_>| matches!(event, Event::Message(_));
        events.iter().filter(is_message).count() as u64
    };
    let turns: Vec<_> = events.split(|event| *event == Event::Yield).collect();
    assert_eq!(turns.len(), 3);
    assert!(
        turns
            .iter()
            .all(|turn| messages(turn) <= MAX_FRAMES / 3 + 1)
    );
    assert_eq!(messages(&events), MAX_FRAMES);
}

#[test]
fn input_that_is_consumed_does_not_yield() {
    let bytes = wire(Role::Client).frame(Opcode::Text, false, b"").bytes();
    let more = wire(Role::Client)
        .frame(Opcode::Continuation, false, b"")
        .bytes();
    let bytes = [bytes, more.repeat(MAX_FRAMES as usize - 1)].concat();
    let mut ws = open(Role::Server, &Config::new());
    assert_eq!(receive_all(&mut ws, &bytes).0, []);
    // What was done with one input is not charged to the next.
    for _ in 0..MAX_FRAMES {
        assert_eq!(receive_all(&mut ws, &more.repeat(3)).0, []);
    }
}

// A driver that serves others in between, with what is left in a buffer of its own.
#[test]
fn rest_of_the_input_can_be_received_later() {
    let bytes = mostly_empty(Role::Client, 5000);
    let mut ws = open(Role::Server, &config());
    let (mut rest, mut out, mut turns) = (bytes, Vec::new(), 0);
    let mut messages: Vec<Message> = Vec::new();
    while !rest.is_empty() {
        let mut input = Input::new(&mut rest);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            match event {
                Event::Message(message) => messages.push(message.into_owned()),
                Event::Yield => break,
                _ => unreachable!("{event:?}"),
            }
        }
        rest = input.remaining().to_vec();
        turns += 1;
    }
    assert_eq!(messages, ["begun".into(), "after".into()]);
    assert_eq!(turns, 5001 / MAX_FRAMES + 1);
}
