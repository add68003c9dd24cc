//! Every MUST, MUST NOT, REQUIRED and SHALL of RFC 6455 §4 to §8 that binds an
//! endpoint, beside the tests that show it.
//!
//! A rule that two sections state is listed under both. A lower-case "must"
//! that a peer can notice is here too (§5.4, §5.5.1, §5.5.3), and so is each
//! part of the request that §4.2.1 makes a server check under one MUST. The
//! words REQUIRED and SHALL do not occur in these sections.
//!
//! Left out:
//!
//! - §4.1, at most one connection to an address in the CONNECTING state, and
//!   host names as a stand-in for addresses: connections share nothing, so the
//!   application that opens several keeps their order.
//! - §4.1, the URI for proxy autoconfiguration: no proxy is looked for.
//! - §4.1 and §4.2.2, the TLS handshake, Server Name Indication and that all
//!   else runs through the tunnel: the transport is the caller's.
//! - §4.1, `Origin` in requests of browsers: a browser does not use this crate.
//! - §5.2, that an extension specifies the length of its extension data: binds
//!   authors of extensions. That it is negotiated is listed under §5.8.
//! - §5.4, the three rules on changing a fragmentation: bind intermediaries.
//! - §5.5.1, that clients do not show the reason to end users: binds the
//!   application; the documentation of `Close::reason` says it.

use std::fs;
use std::path::Path;

/// A rule and the tests that show that it is followed.
struct Must {
    /// The section of RFC 6455.
    section: &'static str,
    /// What the rule says, in short.
    rule: &'static str,
    /// `path/file.rs::test`, or `path/file.rs::test#row` for one row of a
    /// table in the test or in a `const` that it names.
    tests: &'static [&'static str],
}

const MUSTS: &[Must] = &[
    Must {
        section: "4.1",
        rule: "a client opens, sends the handshake and reads the answer",
        tests: &["tests/protocol/handshake_client.rs::client_opens_on_valid_response"],
    },
    Must {
        section: "4.1",
        rule: "the components of the URI are valid, else the client fails",
        tests: &["tests/protocol/handshake_client.rs::client_refuses_invalid_uri"],
    },
    Must {
        section: "4.1",
        rule: "a connection that cannot be opened fails the client",
        tests: &["tests/protocol/handshake_client.rs::client_reports_transport_that_does_not_open"],
    },
    Must {
        section: "4.1",
        rule: "the request is valid HTTP",
        tests: &["tests/protocol/handshake_client.rs::client_sends_complete_request"],
    },
    Must {
        section: "4.1",
        rule: "the method is GET and the version at least 1.1",
        tests: &["tests/protocol/handshake_client.rs::client_sends_complete_request"],
    },
    Must {
        section: "4.1",
        rule: "the request target matches the resource name",
        tests: &["tests/protocol/handshake_client.rs::client_writes_target_and_host_of_uri"],
    },
    Must {
        section: "4.1",
        rule: "Host has the host, and the port unless it is the default",
        tests: &["tests/protocol/handshake_client.rs::client_writes_target_and_host_of_uri"],
    },
    Must {
        section: "4.1",
        rule: "Upgrade includes the keyword `websocket`",
        tests: &["tests/protocol/handshake_client.rs::client_sends_complete_request"],
    },
    Must {
        section: "4.1",
        rule: "Connection includes the token `Upgrade`",
        tests: &["tests/protocol/handshake_client.rs::client_sends_complete_request"],
    },
    Must {
        section: "4.1",
        rule: "Sec-WebSocket-Key is a nonce of 16 bytes in base64",
        tests: &["tests/protocol/handshake_client.rs::client_draws_nonce_for_each_connection"],
    },
    Must {
        section: "4.1",
        rule: "the nonce is selected randomly for each connection",
        tests: &["tests/protocol/handshake_client.rs::client_draws_nonce_for_each_connection"],
    },
    Must {
        section: "4.1",
        rule: "Sec-WebSocket-Version is 13",
        tests: &["tests/protocol/handshake_client.rs::client_sends_complete_request"],
    },
    Must {
        section: "4.1",
        rule: "offered subprotocols are non-empty tokens",
        tests: &["tests/protocol/handshake_client.rs::client_refuses_invalid_subprotocol"],
    },
    Must {
        section: "4.1",
        rule: "offered subprotocols are all unique",
        tests: &["tests/protocol/handshake_client.rs::client_refuses_invalid_subprotocol"],
    },
    Must {
        section: "4.1",
        rule: "after its handshake the client waits for the response before it sends more",
        tests: &["tests/protocol/handshake_client.rs::client_sends_nothing_before_response"],
    },
    Must {
        section: "4.1",
        rule: "the client validates the response",
        tests: &[
            "tests/protocol/handshake_client.rs::client_opens_on_valid_response",
            "tests/protocol/handshake_client.rs::client_hands_over_refusal",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response",
        ],
    },
    Must {
        section: "4.1",
        rule: "no Upgrade, or one that is not `websocket`: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#no Upgrade",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#other Upgrade",
        ],
    },
    Must {
        section: "4.1",
        rule: "no Connection, or one without the token `Upgrade`: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#no Connection",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#Connection without the token",
        ],
    },
    Must {
        section: "4.1",
        rule: "no Sec-WebSocket-Accept, or another value: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#no Accept",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#other Accept",
        ],
    },
    Must {
        section: "4.1",
        rule: "an extension that was not requested: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#extension not offered",
        ],
    },
    Must {
        section: "4.1",
        rule: "a subprotocol that was not requested: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#subprotocol not offered",
        ],
    },
    Must {
        section: "4.1",
        rule: "a response that breaks the rules of §4.2.2 otherwise: fail",
        tests: &[
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#malformed head",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#HTTP/1.0",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#two subprotocols",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#empty subprotocol",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "a request that does not match is answered with an HTTP error code",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#malformed head",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 1: GET, HTTP/1.1 or higher, a resource name",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#method is not GET",
            "tests/protocol/handshake_server.rs::server_answers_plain_request_with_426#upgrade of HTTP/1.0",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#target is not a path",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 2: Host",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#no Host",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#two Hosts",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 3: Upgrade with `websocket`, without case",
        tests: &[
            "tests/protocol/handshake_server.rs::server_answers_plain_request_with_426",
            "tests/protocol/handshake_server.rs::server_opens_on_valid_request#Upgrade in capitals",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 4: Connection with the token `Upgrade`, without case",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#no Connection",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#Connection without the token",
            "tests/protocol/handshake_server.rs::server_opens_on_valid_request#Connection is a list",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 5: Sec-WebSocket-Key of 16 bytes in base64",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#no key",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#key of 15 bytes",
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#key is not base64",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 6: Sec-WebSocket-Version of 13",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#no version",
            "tests/protocol/handshake_server.rs::server_refuses_other_version",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 8: the subprotocols follow their grammar",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#subprotocol is not a token",
        ],
    },
    Must {
        section: "4.2.1",
        rule: "part 9: the extensions follow their grammar",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#extension is not a token",
        ],
    },
    Must {
        section: "4.2.2",
        rule: "a server completes the steps to accept the connection",
        tests: &["tests/protocol/handshake_server.rs::server_opens_on_valid_request"],
    },
    Must {
        section: "4.2.2",
        rule: "an origin that is not welcome gets an HTTP error code",
        tests: &["tests/protocol/handshake_server.rs::server_refuses_unwelcome_origin"],
    },
    Must {
        section: "4.2.2",
        rule: "a version not understood gets an error code and the versions that are",
        tests: &["tests/protocol/handshake_server.rs::server_refuses_other_version"],
    },
    Must {
        section: "4.2.2",
        rule: "a service that is not available gets an HTTP error code",
        tests: &["tests/protocol/handshake_server.rs::server_sends_refusal_of_caller"],
    },
    Must {
        section: "4.2.2",
        rule: "the chosen subprotocol is one that the client offered",
        tests: &["tests/protocol/handshake_server.rs::server_chooses_only_offered_subprotocol"],
    },
    Must {
        section: "4.2.2",
        rule: "without a chosen subprotocol there is no field for it",
        tests: &["tests/protocol/handshake_server.rs::server_chooses_only_offered_subprotocol"],
    },
    Must {
        section: "4.2.2",
        rule: "the extensions in use derive from the client's offers",
        tests: &["tests/protocol/handshake_server.rs::server_lists_no_extension"],
    },
    Must {
        section: "4.2.2",
        rule: "extensions that the client did not list are not listed",
        tests: &["tests/protocol/handshake_server.rs::server_lists_no_extension"],
    },
    Must {
        section: "4.2.2",
        rule: "who accepts replies with 101, Upgrade, Connection and Sec-WebSocket-Accept",
        tests: &["tests/protocol/handshake_server.rs::server_opens_on_valid_request"],
    },
    Must {
        section: "4.3",
        rule: "a quoted extension parameter is a token once unescaped",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#quoted parameter is not a token",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#quoted parameter is not a token",
        ],
    },
    Must {
        section: "4.4",
        rule: "the answer to another version lists all that the server speaks",
        tests: &["tests/protocol/handshake_server.rs::server_refuses_other_version"],
    },
    Must {
        section: "5.1",
        rule: "a client masks all frames that it sends",
        tests: &["tests/protocol/framing.rs::client_masks_every_frame"],
    },
    Must {
        section: "5.1",
        rule: "a server closes the connection on a frame that is not masked",
        tests: &["tests/protocol/framing.rs::server_fails_unmasked_frame"],
    },
    Must {
        section: "5.1",
        rule: "a server masks no frame",
        tests: &["tests/protocol/framing.rs::server_masks_no_frame"],
    },
    Must {
        section: "5.1",
        rule: "a client closes the connection on a masked frame",
        tests: &["tests/protocol/framing.rs::client_fails_masked_frame"],
    },
    Must {
        section: "5.2",
        rule: "reserved bits are 0 in what is sent",
        tests: &["tests/protocol/framing.rs::endpoint_writes_well_formed_frames"],
    },
    Must {
        section: "5.2",
        rule: "a reserved bit without a meaning fails the connection",
        tests: &["tests/protocol/framing.rs::endpoint_fails_reserved_bits"],
    },
    Must {
        section: "5.2",
        rule: "an unknown opcode fails the connection",
        tests: &["tests/protocol/framing.rs::endpoint_fails_reserved_opcode"],
    },
    Must {
        section: "5.2",
        rule: "the most significant bit of a 64-bit length is 0",
        tests: &["tests/protocol/framing.rs::endpoint_fails_length_above_63_bits"],
    },
    Must {
        section: "5.2",
        rule: "a length is encoded in the minimal number of bytes",
        tests: &[
            "tests/protocol/framing.rs::endpoint_writes_well_formed_frames",
            "tests/protocol/framing.rs::endpoint_fails_non_minimal_length",
        ],
    },
    Must {
        section: "5.3",
        rule: "a masked frame has its mask bit set",
        tests: &["tests/protocol/framing.rs::client_masks_every_frame"],
    },
    Must {
        section: "5.3",
        rule: "a client picks a fresh masking key for each frame",
        tests: &["tests/protocol/framing.rs::client_draws_fresh_key_for_each_frame"],
    },
    Must {
        section: "5.3",
        rule: "masking keys derive from a strong source of entropy",
        tests: &["tests/protocol/framing.rs::client_takes_keys_from_entropy_alone"],
    },
    Must {
        section: "5.3",
        rule: "a masking key does not make the next one simple to predict",
        tests: &["tests/protocol/framing.rs::client_takes_keys_from_entropy_alone"],
    },
    Must {
        section: "5.4",
        rule: "senders and receivers do not depend on frame boundaries",
        tests: &["tests/protocol/messages.rs::endpoint_receives_message_in_any_fragments"],
    },
    Must {
        section: "5.4",
        rule: "control frames are not fragmented",
        tests: &[
            "tests/protocol/framing.rs::endpoint_fails_fragmented_control_frame",
            "tests/protocol/messages.rs::endpoint_sends_control_frames_whole_between_fragments",
        ],
    },
    Must {
        section: "5.4",
        rule: "fragments are delivered in the order in which they were sent",
        tests: &["tests/protocol/messages.rs::endpoint_receives_message_in_any_fragments"],
    },
    Must {
        section: "5.4",
        rule: "fragments of two messages are not interleaved",
        tests: &[
            "tests/protocol/messages.rs::endpoint_fails_interleaved_messages",
            "tests/protocol/messages.rs::endpoint_refuses_to_interleave_messages",
        ],
    },
    Must {
        section: "5.4",
        rule: "control frames inside a fragmented message are handled",
        tests: &["tests/protocol/messages.rs::endpoint_handles_control_frames_between_fragments"],
    },
    Must {
        section: "5.4",
        rule: "fragmented and unfragmented messages are received",
        tests: &[
            "tests/protocol/messages.rs::endpoint_receives_message_in_any_fragments",
            "tests/protocol/vectors.rs::vectors_hold_at_every_split#fragmented text",
        ],
    },
    Must {
        section: "5.4",
        rule: "all fragments of a message are of one type",
        tests: &[
            "tests/protocol/messages.rs::endpoint_refuses_to_interleave_messages",
            "tests/protocol/messages.rs::endpoint_fails_continuation_without_message",
        ],
    },
    Must {
        section: "5.5",
        rule: "a control frame has at most 125 bytes of payload",
        tests: &[
            "tests/protocol/framing.rs::endpoint_fails_long_control_frame",
            "tests/protocol/framing.rs::endpoint_refuses_long_control_payload",
        ],
    },
    Must {
        section: "5.5",
        rule: "a control frame is not fragmented",
        tests: &[
            "tests/protocol/framing.rs::endpoint_fails_fragmented_control_frame",
            "tests/protocol/messages.rs::endpoint_sends_control_frames_whole_between_fragments",
        ],
    },
    Must {
        section: "5.5.1",
        rule: "the body of a close frame begins with a 2-byte code in network order",
        tests: &[
            "tests/protocol/closing.rs::endpoint_sends_close_with_code_and_reason",
            "tests/protocol/closing.rs::endpoint_fails_invalid_close_frame#one byte",
        ],
    },
    Must {
        section: "5.5.1",
        rule: "close frames from a client are masked",
        tests: &["tests/protocol/framing.rs::client_masks_every_frame"],
    },
    Must {
        section: "5.5.1",
        rule: "no data frames are sent after a close frame",
        tests: &[
            "tests/protocol/closing.rs::endpoint_sends_no_data_after_close",
            "tests/protocol/closing.rs::endpoint_delivers_nothing_after_close_frame",
        ],
    },
    Must {
        section: "5.5.1",
        rule: "a close frame is answered with one, unless one was sent before",
        tests: &["tests/protocol/closing.rs::endpoint_answers_close_frame_once"],
    },
    Must {
        section: "5.5.1",
        rule: "after both close frames an endpoint closes the transport",
        tests: &[
            "tests/protocol/closing.rs::server_is_closed_after_both_close_frames",
            "tests/protocol/closing.rs::client_is_closed_at_end_of_stream_or_deadline",
        ],
    },
    Must {
        section: "5.5.1",
        rule: "the server closes the transport immediately",
        tests: &["tests/protocol/closing.rs::server_is_closed_after_both_close_frames"],
    },
    Must {
        section: "5.5.2",
        rule: "a ping is answered with a pong, unless a close frame was received",
        tests: &["tests/protocol/messages.rs::endpoint_answers_ping_until_close_frame_comes"],
    },
    Must {
        section: "5.5.3",
        rule: "the pong has the payload of its ping",
        tests: &["tests/protocol/messages.rs::endpoint_answers_ping_with_its_payload"],
    },
    Must {
        section: "5.6",
        rule: "a whole text message is valid UTF-8",
        tests: &[
            "tests/protocol/messages.rs::endpoint_fails_invalid_utf8",
            "tests/protocol/messages.rs::endpoint_accepts_character_split_between_fragments",
        ],
    },
    Must {
        section: "5.8",
        rule: "the use of extensions is negotiated in the opening handshake",
        tests: &[
            "tests/protocol/handshake_server.rs::server_lists_no_extension",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#extension not offered",
            "tests/protocol/framing.rs::endpoint_fails_reserved_bits",
        ],
    },
    Must {
        section: "6.1",
        rule: "an endpoint performs the steps to send a message",
        tests: &["tests/protocol/messages.rs::endpoint_writes_message_as_frames"],
    },
    Must {
        section: "6.1",
        rule: "step 1: messages are sent only in the OPEN state",
        tests: &["tests/protocol/messages.rs::endpoint_sends_only_while_open"],
    },
    Must {
        section: "6.1",
        rule: "step 1: sending is given up when the state changes",
        tests: &["tests/protocol/messages.rs::endpoint_sends_only_while_open"],
    },
    Must {
        section: "6.1",
        rule: "step 2: the data is encapsulated in a frame",
        tests: &[
            "tests/protocol/messages.rs::endpoint_writes_message_as_frames",
            "tests/protocol/vectors.rs::vectors_hold_at_every_split",
        ],
    },
    Must {
        section: "6.1",
        rule: "step 3: the first opcode tells text or binary",
        tests: &["tests/protocol/messages.rs::endpoint_writes_message_as_frames"],
    },
    Must {
        section: "6.1",
        rule: "step 4: the last frame has its FIN bit set",
        tests: &["tests/protocol/messages.rs::endpoint_writes_message_as_frames"],
    },
    Must {
        section: "6.1",
        rule: "step 5: what a client sends is masked",
        tests: &["tests/protocol/framing.rs::client_masks_every_frame"],
    },
    Must {
        section: "6.1",
        rule: "step 7: the frames are transmitted",
        tests: &["tests/protocol/messages.rs::endpoint_writes_message_as_frames"],
    },
    Must {
        section: "6.2",
        rule: "incoming data is parsed as frames",
        tests: &["tests/protocol/vectors.rs::vectors_hold_at_every_split"],
    },
    Must {
        section: "6.2",
        rule: "a control frame is handled as §5.5 says",
        tests: &["tests/protocol/messages.rs::endpoint_handles_control_frames_between_fragments"],
    },
    Must {
        section: "6.2",
        rule: "the type of a message is that of its first frame",
        tests: &["tests/protocol/messages.rs::endpoint_tells_kind_of_first_frame"],
    },
    Must {
        section: "6.2",
        rule: "data frames behind the last fragment belong to a new message",
        tests: &["tests/protocol/messages.rs::endpoint_tells_kind_of_first_frame"],
    },
    Must {
        section: "6.2",
        rule: "a server removes the masking",
        tests: &["tests/protocol/messages.rs::server_removes_masking"],
    },
    Must {
        section: "7.1.2",
        rule: "who starts the closing handshake sends the code and the reason",
        tests: &["tests/protocol/closing.rs::endpoint_sends_close_with_code_and_reason"],
    },
    Must {
        section: "7.1.7",
        rule: "a client that fails the connection closes it",
        tests: &["tests/protocol/closing.rs::client_closes_on_failure"],
    },
    Must {
        section: "7.1.7",
        rule: "a server that fails the connection closes it",
        tests: &["tests/protocol/closing.rs::server_closes_on_failure"],
    },
    Must {
        section: "7.1.7",
        rule: "nothing from the peer is processed after a failure",
        tests: &["tests/protocol/closing.rs::endpoint_reads_nothing_after_failure"],
    },
    Must {
        section: "7.2.1",
        rule: "a client that must fail does so as §7.1.7 says",
        tests: &[
            "tests/protocol/closing.rs::client_closes_on_failure",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response",
        ],
    },
    Must {
        section: "7.2.1",
        rule: "a transport that is lost fails the client",
        tests: &["tests/protocol/closing.rs::endpoint_fails_at_unexpected_end_of_stream"],
    },
    Must {
        section: "7.2.2",
        rule: "a server that aborts the opening handshake simply closes",
        tests: &["tests/protocol/handshake_server.rs::server_reads_nothing_behind_refusal"],
    },
    Must {
        section: "7.4.1",
        rule: "1005 is not set in a close frame",
        tests: &[
            "tests/protocol/closing.rs::endpoint_refuses_invalid_close_code#1005 with a reason",
            "tests/protocol/closing.rs::endpoint_never_sends_reserved_close_code",
            "tests/protocol/closing.rs::endpoint_fails_invalid_close_frame#1005",
        ],
    },
    Must {
        section: "7.4.1",
        rule: "1006 is not set in a close frame",
        tests: &[
            "tests/protocol/closing.rs::endpoint_refuses_invalid_close_code#1006 without a reason",
            "tests/protocol/closing.rs::endpoint_never_sends_reserved_close_code",
            "tests/protocol/closing.rs::endpoint_fails_invalid_close_frame#1006",
        ],
    },
    Must {
        section: "7.4.1",
        rule: "1015 is not set in a close frame",
        tests: &[
            "tests/protocol/closing.rs::endpoint_refuses_invalid_close_code#1015 without a reason",
            "tests/protocol/closing.rs::endpoint_never_sends_reserved_close_code",
            "tests/protocol/closing.rs::endpoint_fails_invalid_close_frame#1015",
        ],
    },
    Must {
        section: "8.1",
        rule: "text that is not UTF-8 fails the connection",
        tests: &[
            "tests/protocol/messages.rs::endpoint_fails_invalid_utf8",
            "tests/protocol/messages.rs::endpoint_fails_invalid_utf8_inside_frame",
            "tests/protocol/closing.rs::endpoint_fails_invalid_close_frame#reason is not UTF-8",
        ],
    },
    Must {
        section: "8.1",
        rule: "the same holds in the opening handshake",
        tests: &[
            "tests/protocol/handshake_server.rs::server_refuses_invalid_request#target is not UTF-8",
            "tests/protocol/handshake_client.rs::client_fails_invalid_response#subprotocol is not UTF-8",
        ],
    },
];

#[test]
fn every_must_names_a_test_that_exists() {
    let mut missing = Vec::new();
    for Must {
        section,
        rule,
        tests,
    } in MUSTS
    {
        if tests.is_empty() {
            missing.push(format!("§{section}, {rule}: no test"));
        }
        for name in tests.iter().filter(|name| !exists(name)) {
            missing.push(format!("§{section}, {rule}: {name}"));
        }
    }
    assert!(
        missing.is_empty(),
        "tests that do not exist:\n{}",
        missing.join("\n")
    );
}

#[test]
fn test_is_found_only_where_it_runs() {
    let source = r#"
#[test]
#[should_panic]
// Why.
fn runs() {
    for row in ROWS.iter().chain(["one"]) {}
    // "commented out"
}

const ROWS: &[&str] = &[
    "two",
];

const REST: &[&str] = &[
    "three",
];

#[test]
#[ignore]
fn ignored() {}

fn helper() {}

// #[test]
fn commented_out() {}
"#;
    let cases = [
        ("runs", None, true),
        ("runs", Some("one"), true),
        ("runs", Some("two"), true),
        ("runs", Some("three"), false),
        ("runs", Some("tw"), false),
        ("runs", Some("commented out"), false),
        ("run", None, false),
        ("ignored", None, false),
        ("helper", None, false),
        ("commented_out", None, false),
    ];
    for (test, row, expected) in cases {
        assert_eq!(has_test(source, test, row), expected, "{test} {row:?}");
    }
}

/// Whether what a name of [`Must::tests`] names is there.
fn exists(name: &str) -> bool {
    let Some((file, test)) = name.split_once("::") else {
        return false;
    };
    let (test, row) = match test.split_once('#') {
        Some((test, row)) => (test, Some(row)),
        None => (test, None),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).is_ok_and(|source| has_test(&source, test, row))
}

/// Whether the source has this test, not ignored, and in it this row.
fn has_test(source: &str, test: &str, row: Option<&str>) -> bool {
    let code = without_comments(source);
    let Some((before, body)) = item(&code, &format!("fn {test}(")) else {
        return false;
    };
    let attributes = before
        .lines()
        .rev()
        .take_while(|line| line.starts_with("#["));
    let (mut is_test, mut is_ignored) = (false, false);
    for attribute in attributes {
        is_test |= attribute == "#[test]";
        is_ignored |= attribute.starts_with("#[ignore");
    }
    is_test && !is_ignored && row.is_none_or(|row| has_row(&code, body, row))
}

fn without_comments(source: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    source
        .lines()
        .filter(is_code)
        .flat_map(|line| ["\n", line])
        .collect()
}

/// Whether the row is in the test or in a table that the test names.
fn has_row(code: &str, test: &str, row: &str) -> bool {
    let row = format!("\"{row}\"");
    let words = test.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut tables = words.filter_map(|word| item(code, &format!("const {word}:")));
    test.contains(&row) || tables.any(|(_, table)| table.contains(&row))
}

/// The item at the left margin that starts with this, after the text before it.
/// It ends where the next line begins with a closing bracket.
fn item<'s>(code: &'s str, start: &str) -> Option<(&'s str, &'s str)> {
    let at = code.find(&format!("\n{start}"))? + 1;
    let (before, rest) = code.split_at(at);
    let ends = [rest.find("\n}"), rest.find("\n]")];
    let end = ends.into_iter().flatten().min().unwrap_or(rest.len());
    Some((before, rest.get(..end)?))
}
