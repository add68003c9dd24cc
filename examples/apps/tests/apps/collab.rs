//! Tabs that edit at once show the same in the end.

use sansocket::{Config, Message, blocking};

use crate::peers::{has_browser, is_missing, run_in_browser};
use crate::server::Server;

#[test]
fn tabs_converge_and_late_ones_have_the_state() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let server = Server::start("collab");
    run_in_browser("collab.mjs", &[&server.page()]);
    server.interrupt();
}

#[test]
fn edit_in_the_name_of_another_is_refused() {
    let server = Server::start("collab");
    let url = format!("{}room", server.url);
    let mut ws = blocking::connect(url.as_str(), &Config::new()).unwrap();
    ws.send(r#"{"hello":"Eve"}"#).unwrap();
    let welcome = ws.next().unwrap().unwrap();
    let begin = r#"{"you":1,"people":{"1":"Eve"},"lines":[],"text":[]}"#;
    assert_eq!(welcome, Message::from(begin));
    let edit = |by| format!(r#"{{"insert":{{"after":null,"id":[1,{by}],"text":"hi"}}}}"#);
    for by in [1, 2] {
        ws.send(edit(by)).unwrap();
    }
    let told: Vec<_> = std::iter::from_fn(|| ws.next().unwrap()).collect();
    assert_eq!(told.len(), 2, "a greeting and the first edit: {told:?}");
    assert_eq!(ws.outcome().unwrap().code, 1008.into());
}
