//! The clocks of a machine. A worker gets them as a value, so that a simulation can hand it others
//! than those of this machine: see tests/years.

use std::fmt::Debug;

use crate::pure::time::{ClockSample, Monotonic};
use crate::sys;

pub trait Clock: Debug + Send + Sync {
    /// The three clocks, read together.
    fn clocks(&self) -> ClockSample;

    fn monotonic(&self) -> Monotonic;

    /// Whether a time service says that it has set the wall clock.
    fn is_synchronised(&self) -> bool;

    /// Differs each time that the machine is booted; `None` where the system does not say.
    fn boot_id(&self) -> Option<String>;
}

/// The clocks of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn clocks(&self) -> ClockSample {
        sys::clocks()
    }

    fn monotonic(&self) -> Monotonic {
        sys::monotonic()
    }

    fn is_synchronised(&self) -> bool {
        sys::is_clock_synchronised()
    }

    fn boot_id(&self) -> Option<String> {
        sys::boot_id()
    }
}
