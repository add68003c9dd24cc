//! Which core each process runs on: what is measured on the first, and the load on
//! the last.

use std::sync::LazyLock;

use core_affinity::CoreId;

/// The cores of this process, as they were before any thread was pinned: a pinned
/// thread sees only its own, and a child inherits that.
static CORES: LazyLock<Vec<CoreId>> =
    LazyLock::new(|| core_affinity::get_core_ids().unwrap_or_default());

pub fn all() -> &'static [CoreId] {
    &CORES
}

/// The core of what is measured. A child process is given its number, because it
/// would inherit the core of the load.
pub fn measured() -> usize {
    all().first().map_or(0, |core| core.id)
}

/// Pins the load.
pub fn pin_load() {
    if let Some(core) = all().last() {
        core_affinity::set_for_current(*core);
    }
}

/// Pins what is measured.
pub fn pin(id: usize) {
    core_affinity::set_for_current(CoreId { id });
}
