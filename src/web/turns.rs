//! Turns: few responses are made at the same time, since each takes memory and more at once would not
//! finish sooner. Those that wait are served in their order, long ones and short ones apart.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pure::time::Monotonic;
use crate::sys;

/// How much work it is to make a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Some milliseconds.
    Light,
    /// As long and as large as there are hosts and days.
    Heavy,
}

/// How many responses of one weight are made at the same time, and how many requests may wait.
#[derive(Clone, Copy, Debug)]
pub struct TurnLimits {
    pub at_once: usize,
    pub waiting: usize,
    pub max_wait: Duration,
}

#[derive(Debug, Default)]
struct Queue {
    in_use: usize,
    /// Tickets in the order of their arrival.
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

/// The turns of one weight.
#[derive(Debug)]
pub(super) struct Turns {
    limits: TurnLimits,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Turns {
    pub(super) fn new(limits: TurnLimits) -> Arc<Turns> {
        Arc::new(Turns {
            limits,
            queue: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until those who came before have had their turn. `None` when too many wait already, or
    /// it took too long.
    pub(super) fn take(self: &Arc<Self>) -> Option<Turn> {
        let mut queue = self.lock();
        let is_free = |queue: &Queue| queue.in_use < self.limits.at_once;
        if !is_free(&queue) || !queue.waiting.is_empty() {
            if queue.waiting.len() >= self.limits.waiting {
                return None;
            }
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            queue.waiting.push_back(ticket);
            let until: Monotonic = sys::monotonic().after(self.limits.max_wait);
            while !is_free(&queue) || queue.waiting.front() != Some(&ticket) {
                let left = until.since(sys::monotonic());
                if left.is_zero() {
                    queue.waiting.retain(|other| *other != ticket);
                    // The next one may have been woken for nothing while this one was the first.
                    self.changed.notify_all();
                    return None;
                }
                let waited = self.changed.wait_timeout(queue, left);
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            queue.waiting.pop_front();
        }
        queue.in_use += 1;
        drop(queue);
        self.changed.notify_all();
        Some(Turn(Arc::clone(self)))
    }
}

/// Dropping it ends the turn.
#[derive(Debug)]
pub(super) struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().in_use -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    fn turns(at_once: usize, waiting: usize, max_wait_ms: u64) -> Arc<Turns> {
        Turns::new(TurnLimits {
            at_once,
            waiting,
            max_wait: Duration::from_millis(max_wait_ms),
        })
    }

    fn wait_for_waiting(turns: &Turns, count: usize) {
        while turns.lock().waiting.len() != count {
            thread::yield_now();
        }
    }

    #[test]
    fn those_that_wait_are_served_one_at_a_time_in_their_order() {
        let turns = turns(1, 10, 60_000);
        let first = turns.take().expect("a turn");
        let order = Mutex::new(Vec::new());
        let busy = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..10 {
                let (turns, order, busy) = (&turns, &order, &busy);
                scope.spawn(move || {
                    let turn = turns.take().expect("a turn");
                    assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0);
                    order.lock().expect("no panic").push(number);
                    busy.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                });
                wait_for_waiting(turns, number + 1);
            }
            drop(first);
        });
        assert_eq!(
            order.into_inner().expect("no panic"),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn one_too_many_is_refused_at_once_and_one_that_waits_too_long_later() {
        let turns = turns(2, 1, 300);
        let two = [turns.take(), turns.take()];
        assert!(two.iter().all(Option::is_some));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take().is_none());
            wait_for_waiting(&turns, 1);
            assert!(turns.take().is_none());
            assert!(waiting.join().expect("no panic"));
        });
        drop(two);
        assert!(turns.take().is_some());
    }
}
