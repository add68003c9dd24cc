//! Any stream of frames, read by this library, by tungstenite, by
//! tokio-websockets and by the model: the same messages and the same verdict, but
//! for the differences that `DIFFERENCES` explains.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::Role;
use sansocket_fuzz::differences::{Compared, Library, explain};
use sansocket_fuzz::model::{self, Rules, Verdict};
use sansocket_fuzz::parser::{self, Output};
use sansocket_fuzz::peers::{self, Case, MAX_LEN};
use sansocket_fuzz::stream::Stream;
use sansocket_fuzz::{Cuts, peer_of};

fuzz_target!(|data: (bool, bool, Cuts, Stream<'_>)| {
    let (is_client, is_closing, cuts, stream) = data;
    let role = if is_client {
        Role::Client
    } else {
        Role::Server
    };
    let bytes = stream.bytes(peer_of(role));
    let pieces = cuts.split(&bytes);
    let case = Case {
        role,
        is_closing,
        pieces: &pieces,
    };
    let ours = peers::sansocket(case);
    let rules = Rules {
        role,
        max_message_len: MAX_LEN as u64,
        max_frame_len: MAX_LEN as u64,
        max_fragments: usize::MAX,
    };
    assert_eq!(ours.reading, model::read(&bytes, rules));
    Output::new(role, false).push(&ours.out);

    let frames = parser::split(&bytes);
    for (library, theirs) in [
        (Library::Tungstenite, peers::tungstenite(case)),
        (Library::TokioWebsockets, peers::tokio_websockets(case)),
    ] {
        let compared = Compared {
            library,
            ours: &ours,
            theirs: &theirs,
            frames: &frames,
        };
        assert!(compared.agrees_up_to_end(), "{compared:?}");
        if !compared.agrees() {
            assert!(explain(&compared).is_some(), "{compared:?}");
            continue;
        }
        // tungstenite writes none for a fault, and tokio-websockets none for a
        // message that is too long.
        let is_answered = match ours.reading.verdict {
            Verdict::Closed => true,
            Verdict::Failed(code) => library == Library::TokioWebsockets && code != 1009,
            Verdict::Eof => false,
        };
        if is_answered && !is_closing {
            let (ours, theirs) = compared.written_close_codes();
            assert_eq!(ours, theirs, "{library:?}");
        }
    }
});
