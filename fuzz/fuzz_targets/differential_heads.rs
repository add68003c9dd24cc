//! Heads of requests and responses, read by this library and by tungstenite: both
//! accept or both refuse them, but for the differences that `DIFFERENCES` explains.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz::head::Head;
use sansocket_fuzz::head_differences::{
    Compared, answer, explain, open, tungstenite_answer, tungstenite_open,
};

fuzz_target!(|data: (bool, Head<'_>)| {
    let (is_request, head) = data;
    if is_request {
        compare_requests(&head.request());
    } else {
        compare_responses(&head.response());
    }
});

fn compare_requests(head: &[u8]) {
    match (answer(head), tungstenite_answer(head)) {
        (Ok(ours), Ok(theirs)) => {
            let has_key = ours.windows(theirs.len()).any(|bytes| bytes == theirs);
            assert!(has_key, "{}", ours.escape_ascii());
        }
        (Err(_), Err(_)) => {}
        (Err(ours), Ok(_)) => check(head, &Compared::WeRefuse(ours)),
        (Ok(_), Err(theirs)) => check(head, &Compared::TheyRefuse(theirs)),
    }
}

fn compare_responses(head: &[u8]) {
    match (open(head), tungstenite_open(head)) {
        (Ok(()), Ok(())) | (Err(_), Err(_)) => {}
        (Err(ours), Ok(())) => check(head, &Compared::WeRefuse(ours)),
        (Ok(()), Err(theirs)) => check(head, &Compared::TheyRefuse(theirs)),
    }
}

fn check(head: &[u8], compared: &Compared) {
    assert!(
        explain(compared).is_some(),
        "{compared:?}: {}",
        head.escape_ascii()
    );
}
