//! A message with any control messages, for the fuzz targets.

use libc::c_int;

use super::{Batch, CONTROL_LEN, SO_TIMESTAMPING_NEW, SO_TIMESTAMPING_OLD};
use crate::sys::Message;

impl Batch {
    /// Passes a message with control messages, as the kernel would have left it here. The byte before
    /// the data of each selects its level and type.
    pub(in crate::sys) fn received<T>(
        frame: &[u8],
        source: &[u8; 28],
        controls: &[(u8, &[u8])],
        take: impl FnOnce(Message<'_>) -> T,
    ) -> T {
        const KINDS: [(c_int, c_int); 5] = [
            (libc::SOL_SOCKET, SO_TIMESTAMPING_NEW),
            (libc::IPPROTO_IP, libc::IP_RECVERR),
            (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
            (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            (libc::SOL_SOCKET, SO_TIMESTAMPING_OLD),
        ];
        let mut batch = Batch::new(frame.len().max(1));
        batch.frames[..frame.len()].copy_from_slice(frame);
        let mut used = 0;
        for (kind, data) in controls {
            let (level, kind) = KINDS[usize::from(*kind) % KINDS.len()];
            // SAFETY: the two compute a length from a length.
            let (len, space) = unsafe {
                let len = data.len() as u32;
                (libc::CMSG_LEN(len) as usize, libc::CMSG_SPACE(len) as usize)
            };
            if used + space > CONTROL_LEN {
                break;
            }
            let control = &mut batch.controls[0].0[used..used + space];
            let (header_len, word) = (len - data.len(), size_of::<usize>());
            control[..word].copy_from_slice(&len.to_ne_bytes());
            control[word..word + 4].copy_from_slice(&level.to_ne_bytes());
            control[word + 4..word + 8].copy_from_slice(&kind.to_ne_bytes());
            control[header_len..len].copy_from_slice(data);
            used += space;
        }
        // SAFETY: any bytes are a valid address structure of this size.
        batch.sources[0] = unsafe {
            source
                .as_ptr()
                .cast::<libc::sockaddr_in6>()
                .read_unaligned()
        };
        let control = (&raw mut batch.controls[0]).cast();
        let header = &mut batch.headers[0];
        header.msg_len = frame.len() as u32;
        header.msg_hdr.msg_namelen = source.len() as libc::socklen_t;
        header.msg_hdr.msg_control = control;
        header.msg_hdr.msg_controllen = used as _;
        take(batch.message(0))
    }
}
