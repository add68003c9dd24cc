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
    ws.send(edit(1)).unwrap();
    let received = [ws.next().unwrap(), ws.next().unwrap()];
    assert!(
        received.iter().all(Option::is_some),
        "a greeting and the edit"
    );
    ws.send(edit(2)).unwrap();
    assert_eq!(ws.next().unwrap(), None);
    assert_eq!(ws.outcome().unwrap().code, 1008.into());
}
