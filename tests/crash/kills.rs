//! The process is killed before, or after, its n-th system call that writes, for each n: ptrace(2)
//! stops it there. What it has written is in the page cache then, so nothing that has returned is
//! lost, and nothing is half done.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::mounts::with_own_mounts;
use crate::common::sys;
use crate::script::{self, MAIN};
use crate::verdict::{Judge, Reference, has_shell};

/// System calls that change the file of their first argument.
const OF_A_FILE: &[libc::c_long] = &[
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_ftruncate,
    #[cfg(target_pointer_width = "32")]
    libc::SYS_ftruncate64,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    SYNC_FILE_RANGE,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    #[cfg(target_arch = "arm")]
    libc::SYS_fchown32,
    libc::SYS_copy_file_range,
];

#[cfg(not(target_arch = "arm"))]
const SYNC_FILE_RANGE: libc::c_long = libc::SYS_sync_file_range;

/// With its arguments in another order: sync_file_range2(2). The libc crate has no name for it with
/// musl.
#[cfg(target_arch = "arm")]
const SYNC_FILE_RANGE: libc::c_long = 341;

/// System calls that change names and what is known of files.
const OF_NAMES: &[libc::c_long] = &[
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmodat,
    libc::SYS_truncate,
    #[cfg(target_pointer_width = "32")]
    libc::SYS_truncate64,
];

/// Their older forms, which newer architectures do not have.
#[cfg(any(target_arch = "x86_64", target_arch = "arm", target_arch = "mips"))]
const OLDER_OF_NAMES: &[libc::c_long] = &[
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_chmod,
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm", target_arch = "mips")))]
const OLDER_OF_NAMES: &[libc::c_long] = &[];

/// The filter that stops a process before these system calls, and before openat(2) that creates or
/// empties a file. Its standard streams are not files of it.
fn filter() -> Vec<libc::sock_filter> {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const IS_ABOVE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    const HAS: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let code = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).expect("16 bits"),
        jt,
        jf,
        k,
    };
    let number = |call: libc::c_long| u32::try_from(call).expect("a small number");
    // In struct seccomp_data the lower halves of the arguments begin here.
    let low = if cfg!(target_endian = "big") { 4 } else { 0 };
    let argument = |index: u32| 16 + 8 * index + low;
    let stop = code(RETURN, libc::SECCOMP_RET_TRACE, 0, 0);
    let go_on = code(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0);
    let mut program = vec![code(LOAD, 0, 0, 0)];
    for call in OF_NAMES.iter().chain(OLDER_OF_NAMES) {
        program.extend([code(IS, number(*call), 0, 1), stop]);
    }
    for call in OF_A_FILE {
        program.extend([code(IS, number(*call), 0, 4), code(LOAD, argument(0), 0, 0)]);
        program.extend([code(IS_ABOVE, 2, 0, 1), stop, go_on]);
    }
    let creates = u32::try_from(libc::O_CREAT | libc::O_TRUNC).expect("flags");
    program.extend([
        code(IS, number(libc::SYS_openat), 0, 4),
        code(LOAD, argument(2), 0, 0),
    ]);
    program.extend([code(HAS, creates, 0, 1), stop, go_on]);
    program.push(go_on);
    program
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// What became of a traced process.
pub struct Traced {
    /// How many system calls it has stopped before.
    pub stops: usize,
    pub is_killed: bool,
    pub output: String,
}

/// Where a command is killed.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// Before or after this one of its system calls that write.
    pub at: usize,
    pub when: When,
}

impl Kill {
    pub const NEVER: Kill = Kill {
        at: usize::MAX,
        when: When::Before,
    };

    /// Before and after every so many of these system calls.
    pub fn each(calls: usize, stride: usize) -> impl Iterator<Item = Kill> {
        let at = (1..=calls).step_by(stride);
        at.flat_map(|at| [When::Before, When::After].map(|when| Kill { at, when }))
    }
}

/// Runs a command and kills it; it gets SIGTERM before the call `stop_at`.
#[expect(clippy::zombie_processes, reason = "wait_traced waits for it")]
pub fn run_until(command: &mut Command, kill: Kill, stop_at: Option<usize>) -> Traced {
    sys::trace(command, filter());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let process = libc::pid_t::try_from(child.id()).expect("a process id");
    let mut has_options = false;
    let mut traced = Traced {
        stops: 0,
        is_killed: false,
        output: String::new(),
    };
    loop {
        let (id, status) = sys::wait_traced().expect("it is traced");
        if !libc::WIFSTOPPED(status) {
            if id == process {
                break;
            }
            continue;
        }
        let signal = libc::WSTOPSIG(status);
        let is_event = |event| status >> 8 == libc::SIGTRAP | event << 8;
        if is_event(libc::PTRACE_EVENT_SECCOMP) {
            traced.stops += 1;
            if stop_at == Some(traced.stops) {
                sys::send_signal(process, libc::SIGTERM).expect("it lives");
            }
            let is_last = traced.stops == kill.at;
            if is_last && kill.when == When::Before {
                traced.is_killed = true;
                sys::send_signal(process, libc::SIGKILL).expect("it lives");
            } else {
                sys::resume_traced(id, 0, is_last);
            }
        } else if signal == libc::SIGTRAP | 0x80 {
            // The system call has returned.
            traced.is_killed = true;
            sys::send_signal(process, libc::SIGKILL).expect("it lives");
        } else if signal == libc::SIGTRAP && !has_options {
            sys::set_trace_options(process).expect("it is traced");
            has_options = true;
            sys::resume_traced(id, 0, false);
        } else {
            // A new thread begins with SIGSTOP.
            let is_ours = matches!(signal, libc::SIGTRAP | libc::SIGSTOP);
            sys::resume_traced(id, if is_ours { 0 } else { signal }, false);
        }
    }
    let mut stdout = child.stdout.take().expect("a pipe");
    drop(stdout.read_to_string(&mut traced.output));
    traced
}

/// Every so many system calls, where all would take too long.
pub fn stride(short: usize) -> usize {
    match std::env::var("CRASH_ROUNDS") {
        Ok(_) => 1,
        Err(_) => short,
    }
}

pub fn empty(folder: &Path) {
    // It does not exist at first.
    drop(fs::remove_dir_all(folder));
    fs::create_dir(folder).expect("a new folder");
}

#[test]
fn a_kill_at_any_system_call_that_writes_loses_nothing_that_was_committed() {
    let test = "kills::a_kill_at_any_system_call_that_writes_loses_nothing_that_was_committed";
    if !has_shell(test) {
        return;
    }
    let _turn = crate::in_turn();
    with_own_mounts(test, |folder| {
        let began = Instant::now();
        let initial = folder.join("initial");
        let finished = folder.join("finished");
        let killed = folder.join("killed");
        for folder in [&initial, &finished] {
            empty(folder);
        }
        script::prepare(&initial);
        script::copy_files(&initial, &finished);
        let reference = Reference::read(&finished);
        let mut judge = Judge::new(&reference, &folder.join("judged"), &finished.join(MAIN));
        let mut run = |kill| {
            empty(&killed);
            script::copy_files(&initial, &killed);
            let traced = run_until(&mut script::process(&killed, None), kill, None);
            let done = traced.output.lines().rev();
            let steps = done
                .filter_map(|line| line.strip_prefix(script::DONE))
                .find_map(|number| number.parse().ok())
                .unwrap_or(0);
            let verdict = judge
                .files(&killed)
                .and_then(|found| reference.accept_all(&found, steps));
            verdict.unwrap_or_else(|error| panic!("{kill:?}, after {steps} steps: {error}"));
            traced
        };
        let calls = run(Kill::NEVER).stops;
        assert!(calls > 300, "only {calls} system calls were seen");
        let stride = stride(29);
        let kills = Kill::each(calls, stride)
            .filter(|kill| run(*kill).is_killed)
            .count();
        println!(
            "PROOF {calls} system calls that write; killed {kills} times, before and after every {}: \
             {} different files judged, none lost or damaged, in {:.0?}",
            stride,
            judge.judged(),
            began.elapsed()
        );
    });
}
