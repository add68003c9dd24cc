//! The settings of a connection and their default values.
//!
//! Holds every setting and decides nothing: each machine is given its own part.

use core::time::Duration;

use crate::budget::Budget;
use crate::entropy::Entropy;
use crate::handshake::{self, OriginPolicy};
use crate::message::{self, Delivery};
use crate::timer::{Timeout, Timeouts};

/// The contents of [`Config`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) handshake: handshake::Settings,
    pub(crate) message: message::Settings,
    pub(super) max_message_len: Option<usize>,
    pub(super) max_fragments: Option<u32>,
    pub(super) max_total_memory: Option<usize>,
    pub(crate) max_control_frames: u32,
    pub(crate) max_sent_frame_len: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) auto_pong: bool,
    pub(crate) allow_unmasked: bool,
    pub(crate) max_unsent_len: usize,
    pub(crate) entropy: Entropy,
}

fn seconds(seconds: u64) -> Timeout {
    Some(Duration::from_secs(seconds)).into()
}

const DEFAULT_MAX_MESSAGE_LEN: usize = 16 * 1024 * 1024;
const DEFAULT_MAX_FRAGMENTS: u32 = 128 * 1024;
const DEFAULT_MAX_TOTAL_MEMORY: usize = 1024 * 1024 * 1024;

impl Settings {
    /// Fragments are not kept, so only explicitly set limits apply to them.
    pub(super) fn apply_message_limits(&mut self) {
        let (max_len, max_fragments) = match self.message.delivery {
            Delivery::Messages => (DEFAULT_MAX_MESSAGE_LEN, DEFAULT_MAX_FRAGMENTS),
            Delivery::Fragments => (usize::MAX, u32::MAX),
        };
        let limits = &mut self.message.limits;
        limits.max_message_len = self.max_message_len.unwrap_or(max_len);
        limits.max_fragments = self.max_fragments.unwrap_or(max_fragments);
        self.message.max_borrowed_len = limits.max_message_len.min(limits.max_frame_len);
        self.message.budget.set_max(self.max_total_memory());
    }

    /// By default, there is always room for one message of the maximum length: an
    /// incomplete one takes twice its length, and leaves as much to others.
    fn max_total_memory(&self) -> usize {
        let message = self.max_message_len.unwrap_or_default().saturating_mul(4);
        let default = DEFAULT_MAX_TOTAL_MEMORY.max(message);
        self.max_total_memory.unwrap_or(default)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshake: handshake::Settings {
                limits: handshake::Limits {
                    max_head_len: 16 * 1024,
                    max_headers: 100,
                    max_body_len: 64 * 1024,
                },
                origin: OriginPolicy::SameOrigin,
                hosts: None,
                #[cfg(feature = "deflate")]
                deflate: None,
            },
            message: message::Settings {
                limits: message::Limits {
                    max_message_len: DEFAULT_MAX_MESSAGE_LEN,
                    max_frame_len: usize::MAX,
                    max_fragments: DEFAULT_MAX_FRAGMENTS,
                },
                delivery: Delivery::Messages,
                allow_invalid_utf8: false,
                max_borrowed_len: DEFAULT_MAX_MESSAGE_LEN,
                budget: Budget::new(DEFAULT_MAX_TOTAL_MEMORY),
            },
            max_message_len: None,
            max_fragments: None,
            max_total_memory: None,
            max_control_frames: 1000,
            max_sent_frame_len: usize::MAX,
            timeouts: Timeouts {
                handshake: seconds(10),
                ping: seconds(20),
                pong: seconds(20),
                idle: None.into(),
                close: seconds(5),
                write_stall: seconds(30),
                min_write_rate: 0,
            },
            auto_pong: true,
            allow_unmasked: false,
            max_unsent_len: 64 * 1024,
            entropy: Entropy::default(),
        }
    }
}
