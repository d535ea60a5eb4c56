//! Random numbers that are the same for the same seed: splitmix64 (Steele, Lea and Flood, 2014).

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// At least `min`, less than `max`.
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        min + i64::try_from(self.next() % (max - min).max(1).unsigned_abs()).expect("it is smaller")
    }

    /// Between `min` and `max`, as likely in 1..2 as in 100..200.
    pub fn spread(&mut self, min: i64, max: i64) -> i64 {
        let share = self.next() as f64 / u64::MAX as f64;
        let (low, high) = ((min as f64).ln(), (max as f64).ln());
        whole((low + share * (high - low)).exp())
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.next() % all.len() as u64).expect("an index")]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is rounded")]
pub fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// A number that depends on all bits of another.
pub fn mix(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
