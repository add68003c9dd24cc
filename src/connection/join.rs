//! Joining the fragments of a message, for adapters that return whole messages.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Connection;
use crate::message::{Assembler, Fragment, Message, join_fragments};

impl Connection {
    /// Joins a fragment to those before it, which are in `partial`. Returns the
    /// message once it is complete. Fails the connection if the memory budget is
    /// exceeded.
    pub(crate) fn join(
        &mut self,
        fragment: Fragment<'_>,
        partial: &mut Option<Box<Assembler>>,
        out: &mut Vec<u8>,
    ) -> Option<Message> {
        let budget = &self.config.settings().message.budget;
        let joined = join_fragments(partial, fragment, budget);
        joined.unwrap_or_else(|error| {
            *partial = None;
            self.fail(error, out);
            None
        })
    }
}
