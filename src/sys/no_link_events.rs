//! macOS and FreeBSD: changes of links are not watched. A check looks at its link when it ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::pure::link_history::LinkChange;

#[derive(Debug)]
pub enum LinkEvents {}

impl LinkEvents {
    pub fn open() -> io::Result<LinkEvents> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn read(&self, _: impl FnMut(LinkChange)) -> io::Result<()> {
        match *self {}
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}
