//! The newest values of a host with their times, in little memory.

use crate::pure::time::UtcMillis;

/// The most values that are kept.
pub const LEN: usize = 64;

/// At most [`LEN`] values, the oldest first.
#[derive(Clone, Debug)]
pub struct Window<T> {
    first_at: UtcMillis,
    /// Milliseconds since `first_at`.
    offsets: [u32; LEN],
    values: [T; LEN],
    len: usize,
}

impl<T: Copy + Default> Window<T> {
    pub fn new() -> Window<T> {
        Window {
            first_at: UtcMillis(0),
            offsets: [0; LEN],
            values: [T::default(); LEN],
            len: 0,
        }
    }

    pub fn values(&self) -> &[T] {
        &self.values[..self.len]
    }

    pub fn is_full(&self) -> bool {
        self.len == LEN
    }

    pub fn at(&self, index: usize) -> UtcMillis {
        self.first_at.plus(i64::from(self.offsets[index]))
    }

    /// Adds a value. The window must not be full. What is 49 days older, or was recorded with a later
    /// time before the clock was set back, is forgotten.
    pub fn push(&mut self, at: UtcMillis, value: T) {
        let newest = self.offsets[..self.len].last().copied().unwrap_or(0);
        let offset = u32::try_from(at.0.saturating_sub(self.first_at.0));
        let offset = offset.ok().filter(|offset| *offset >= newest);
        if self.len == 0 || offset.is_none() {
            (self.first_at, self.len) = (at, 0);
        }
        self.offsets[self.len] = if self.len == 0 {
            0
        } else {
            offset.unwrap_or(0)
        };
        self.values[self.len] = value;
        self.len += 1;
    }

    /// Forgets the oldest values.
    pub fn forget(&mut self, count: usize) {
        if count >= self.len {
            self.len = 0;
            return;
        }
        let passed = self.offsets[count];
        self.first_at = self.at(count);
        self.values.copy_within(count..self.len, 0);
        self.offsets.copy_within(count..self.len, 0);
        self.len -= count;
        for offset in &mut self.offsets[..self.len] {
            *offset -= passed;
        }
    }
}
