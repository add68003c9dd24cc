//! How much memory all connections of a [`Config`](crate::Config) hold for their
//! peers: one counter, and what each holder has drawn from it.
//!
//! There is no list of connections. A holder may grow only while it holds no more
//! than what is left over for all others, so the largest are refused first: `n`
//! holders that grow alike get to `max / (n + 1)` each, and as much is left for
//! whoever comes next. (Switches share their packet memory in the same way: Choudhury
//! and Hahne, "Dynamic Queue Length Thresholds", 1998.)

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::error::LimitError;

/// What each holder has without drawing from the budget: enough for a small message,
/// so that those are received even when nothing is left.
const ALLOWANCE: usize = 64 * 1024;

/// The counter, and how far it may go.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// The counter is shared by all clones, the maximum is not.
    total: Arc<AtomicUsize>,
    max: usize,
}

/// Memory drawn from a budget. Returned to it on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    total: Arc<AtomicUsize>,
    len: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            total: Arc::default(),
            max,
        }
    }

    pub(crate) const fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// What is drawn at the moment.
    pub(crate) fn total(&self) -> usize {
        // The counter orders nothing else.
        self.total.load(Ordering::Relaxed)
    }

    /// Draws what a holder of this many bytes needs, before it allocates them.
    pub(crate) fn reserve(
        &self,
        reservation: &mut Option<Reservation>,
        len: usize,
    ) -> Result<(), LimitError> {
        let drawn = len.saturating_sub(ALLOWANCE);
        if drawn == 0 {
            return Ok(());
        }
        let reservation = reservation.get_or_insert_with(|| Reservation {
            total: self.total.clone(),
            len: 0,
        });
        reservation.grow_to(drawn, self.max)
    }

    /// Whether the holder is too large by now, because others have grown.
    pub(crate) fn check(&self, reservation: Option<&Reservation>) -> Result<(), LimitError> {
        let len = reservation.map_or(0, |reservation| reservation.len);
        if len > self.max.saturating_sub(self.total()) {
            return Err(LimitError::TooMuchMemory);
        }
        Ok(())
    }
}

impl Reservation {
    fn grow_to(&mut self, len: usize, max: usize) -> Result<(), LimitError> {
        let added = len.saturating_sub(self.len);
        self.total
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| {
                let total = total.checked_add(added)?;
                (len <= max.saturating_sub(total)).then_some(total)
            })
            .map_err(|_| LimitError::TooMuchMemory)?;
        self.len += added;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.total.fetch_sub(self.len, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const MAX: usize = 1 << 20;

    /// Grows in steps of this length until it is refused; returns what it got to.
    fn grow(budget: &Budget, reservation: &mut Option<Reservation>, step: usize) -> usize {
        let mut len = ALLOWANCE;
        while budget.reserve(reservation, len + step).is_ok() {
            len += step;
        }
        len - ALLOWANCE
    }

    #[test]
    fn allowance_is_not_drawn() {
        let budget = Budget::new(0);
        let mut reservation = None;
        assert_eq!(budget.reserve(&mut reservation, ALLOWANCE), Ok(()));
        assert!(reservation.is_none());
        assert_eq!(budget.check(None), Ok(()));
        let refused = budget.reserve(&mut reservation, ALLOWANCE + 1);
        assert_eq!(refused, Err(LimitError::TooMuchMemory));
        assert_eq!(budget.total(), 0);
    }

    #[test]
    fn holders_that_grow_alike_leave_as_much_as_each_has() {
        for holders in 1..50 {
            let budget = Budget::new(MAX);
            let mut drawn: Vec<_> = (0..holders).map(|_| None).collect();
            let mut len = ALLOWANCE;
            let mut grown = true;
            while grown {
                len += 1024;
                grown = drawn.iter_mut().all(|one| budget.reserve(one, len).is_ok());
            }
            let share = MAX / (holders + 1);
            assert!(len - ALLOWANCE <= share + 1024, "{holders}");
            assert!(len - ALLOWANCE + 1024 >= share, "{holders}");
            let left = MAX - budget.total();
            assert!(left + 1024 >= share, "{holders}: {left} are left");
            drop(drawn);
            assert_eq!(budget.total(), 0);
        }
    }

    // Later holders find less, and the first one is then the one that has too much.
    #[test]
    fn largest_holder_is_found_too_large() {
        let budget = Budget::new(MAX);
        let (mut first, mut second) = (None, None);
        assert_eq!(grow(&budget, &mut first, 1), MAX / 2);
        assert_eq!(budget.check(first.as_ref()), Ok(()));
        assert_eq!(grow(&budget, &mut second, 1), MAX / 4);
        assert_eq!(budget.check(second.as_ref()), Ok(()));
        let found = budget.check(first.as_ref());
        assert_eq!(found, Err(LimitError::TooMuchMemory));
        drop(first);
        assert_eq!(grow(&budget, &mut second, 1), MAX / 2);
        assert_eq!(budget.total(), MAX / 2);
    }

    #[test]
    fn clones_share_the_counter_and_not_the_maximum() {
        let budget = Budget::new(MAX);
        let mut other = budget.clone();
        other.set_max(usize::MAX);
        let mut reservation = None;
        assert_eq!(other.reserve(&mut reservation, usize::MAX / 2), Ok(()));
        assert_eq!(budget.total(), usize::MAX / 2 - ALLOWANCE);
        assert!(budget.check(reservation.as_ref()).is_err());
        // No sum can overflow.
        let mut third = None;
        assert!(other.reserve(&mut third, usize::MAX).is_err());
        drop((reservation, third));
        assert_eq!(budget.total(), 0);
    }
}
