//! Builds a seccomp(2) filter that allows the system calls that a unit allows. systemd-analyze
//! expands systemd's sets of system calls; the headers of the C library have their numbers.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::process::{Command, Stdio};

use super::unit::Unit;

/// A system call that the unit does not allow kills the process. With systemd it fails
/// (SystemCallErrorNumber=), which a test would not notice if the program handles the error.
const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7fff_0000;
/// Or-ed with the error number.
const ERRNO: u32 = 0x0005_0000;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offsets in struct seccomp_data, linux/seccomp.h.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Offset of the low 32 bits of an argument.
fn argument(index: u32) -> u32 {
    16 + 8 * index + if cfg!(target_endian = "big") { 4 } else { 0 }
}

/// AUDIT_ARCH_* of linux/audit.h; `None` for other architectures.
fn architecture() -> Option<u32> {
    Some(match std::env::consts::ARCH {
        "x86_64" => 0xc000_003e,
        "aarch64" => 0xc000_00b7,
        "arm" => 0x4000_0028,
        _ => return None,
    })
}

/// A BPF program.
struct Program(Vec<libc::sock_filter>);

impl Program {
    fn add(&mut self, code: u16, k: u32, jump_true: u8, jump_false: u8) {
        self.0.push(libc::sock_filter {
            code,
            jt: jump_true,
            jf: jump_false,
            k,
        });
    }

    /// For one system call: the instructions that `add_rules` adds, and then the result `end`.
    fn on(&mut self, number: u32, end: u32, add_rules: impl FnOnce(&mut Program)) {
        let mut body = Program(Vec::new());
        add_rules(&mut body);
        body.add(RETURN, end, 0, 0);
        let skipped = u8::try_from(body.0.len()).expect("a few instructions");
        self.add(IF_EQUAL, number, 0, skipped);
        self.0.append(&mut body.0);
    }

    /// Fails the call with `errno` if one of the bits is set in an argument.
    fn fail_on_bits(&mut self, index: u32, bits: u32, errno: i32) {
        self.add(LOAD, argument(index), 0, 0);
        self.add(IF_ANY_BIT, bits, 0, 1);
        self.add(RETURN, ERRNO | errno.unsigned_abs(), 0, 0);
    }
}

/// The filter of a unit, or why it cannot be built here.
pub fn of(unit: &Unit) -> Result<Vec<libc::sock_filter>, String> {
    let architecture =
        architecture().ok_or("the test does not know the number of this architecture")?;
    let numbers = numbers()?;
    let number = |name: &str| numbers.get(name).copied();
    let mut program = Program(Vec::new());
    // SystemCallArchitectures=native.
    assert_eq!(unit.value("SystemCallArchitectures"), "native");
    program.add(LOAD, ARCHITECTURE, 0, 0);
    program.add(IF_EQUAL, architecture, 1, 0);
    program.add(RETURN, KILL, 0, 0);
    program.add(LOAD, NUMBER, 0, 0);

    let mut allowed = allowed(unit)?;
    // A system call with a rule of its own is not in the list of allowed ones.
    let mut add_rule = |names: &[&str], end: u32, add_rules: &dyn Fn(&mut Program)| {
        for name in names {
            if let Some(number) = allowed.take(*name).and_then(|_| number(name)) {
                program.on(number, end, add_rules);
            }
        }
    };
    add_rule(
        &["socket"],
        ERRNO | libc::EAFNOSUPPORT.unsigned_abs(),
        &|program| {
            program.add(LOAD, argument(0), 0, 0);
            for family in unit.words("RestrictAddressFamilies") {
                program.add(IF_EQUAL, family_number(family), 0, 1);
                program.add(RETURN, ALLOW, 0, 0);
            }
        },
    );
    if unit.is_on("MemoryDenyWriteExecute") {
        let both = (libc::PROT_WRITE | libc::PROT_EXEC).unsigned_abs();
        add_rule(&["mmap", "mmap2"], ALLOW, &|program| {
            program.add(LOAD, argument(2), 0, 0);
            program.add(AND, both, 0, 0);
            program.add(IF_EQUAL, both, 0, 1);
            program.add(RETURN, ERRNO | libc::EPERM.unsigned_abs(), 0, 0);
        });
        add_rule(&["mprotect", "pkey_mprotect"], ALLOW, &|program| {
            program.fail_on_bits(2, libc::PROT_EXEC.unsigned_abs(), libc::EPERM);
        });
        add_rule(&["shmat"], ALLOW, &|program| {
            program.fail_on_bits(2, libc::SHM_EXEC.unsigned_abs(), libc::EPERM)
        });
    }
    if unit.is_on("RestrictNamespaces") {
        let namespaces = libc::CLONE_NEWNS
            | libc::CLONE_NEWCGROUP
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET;
        add_rule(&["clone"], ALLOW, &|program| {
            program.fail_on_bits(0, namespaces.unsigned_abs(), libc::EPERM)
        });
        add_rule(
            &["unshare", "setns"],
            ERRNO | libc::EPERM.unsigned_abs(),
            &|_| (),
        );
        // A filter cannot read its flags, which are behind a pointer. With ENOSYS the C library uses
        // clone instead.
        add_rule(&["clone3"], ERRNO | libc::ENOSYS.unsigned_abs(), &|_| ());
    }
    if unit.is_on("RestrictSUIDSGID") {
        let bits = libc::S_ISUID | libc::S_ISGID;
        add_rule(&["chmod", "fchmod", "mkdir", "creat"], ALLOW, &|program| {
            program.fail_on_bits(1, bits, libc::EPERM)
        });
        add_rule(&["fchmodat", "fchmodat2", "mkdirat"], ALLOW, &|program| {
            program.fail_on_bits(2, bits, libc::EPERM)
        });
        add_rule(&["openat2"], ERRNO | libc::ENOSYS.unsigned_abs(), &|_| ());
    }
    if unit.is_on("LockPersonality") {
        add_rule(
            &["personality"],
            ERRNO | libc::EPERM.unsigned_abs(),
            &|_| (),
        );
    }
    for number in allowed.iter().filter_map(|name| number(name)) {
        program.add(IF_EQUAL, number, 0, 1);
        program.add(RETURN, ALLOW, 0, 0);
    }
    program.add(RETURN, KILL, 0, 0);
    Ok(program.0)
}

fn family_number(name: &str) -> u32 {
    match name {
        "AF_UNIX" => libc::AF_UNIX.unsigned_abs(),
        "AF_INET" => libc::AF_INET.unsigned_abs(),
        "AF_INET6" => libc::AF_INET6.unsigned_abs(),
        "AF_NETLINK" => libc::AF_NETLINK.unsigned_abs(),
        other => panic!("the test does not know the number of {other}"),
    }
}

/// The names that SystemCallFilter= allows: a line adds names, a line with `~` removes them.
fn allowed(unit: &Unit) -> Result<BTreeSet<String>, String> {
    let mut allowed = BTreeSet::new();
    for line in unit.all("SystemCallFilter") {
        let (names, removes) = line
            .strip_prefix('~')
            .map_or((line, false), |names| (names, true));
        for word in names.split_whitespace() {
            let mut names = BTreeSet::new();
            expand(word, &mut names)?;
            if removes {
                allowed = &allowed - &names;
            } else {
                allowed.append(&mut names);
            }
        }
    }
    if allowed.len() < 100 {
        Err(format!("only {} system calls are allowed", allowed.len()))
    } else {
        Ok(allowed)
    }
}

fn expand(word: &str, into: &mut BTreeSet<String>) -> Result<(), String> {
    if !word.starts_with('@') {
        into.insert(word.to_string());
        return Ok(());
    }
    let output = Command::new("systemd-analyze")
        .args(["--no-pager", "syscall-filter", word])
        .output();
    let output = output.map_err(|error| format!("cannot run systemd-analyze: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "systemd-analyze syscall-filter {word}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    for line in String::from_utf8_lossy(&output.stdout)
        .lines()
        .skip(1)
        .map(str::trim)
    {
        if !line.is_empty() && !line.starts_with('#') {
            expand(line, into)?;
        }
    }
    Ok(())
}

/// The numbers of the system calls, from the headers of the C library.
fn numbers() -> Result<HashMap<String, u32>, String> {
    let mut command = Command::new("cc");
    command
        .args(["-E", "-dM", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run cc: {error}"))?;
    child
        .stdin
        .take()
        .expect("it is a pipe")
        .write_all(b"#include <sys/syscall.h>\n")
        .map_err(|error| error.to_string())?;
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let defined: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .collect();
    let resolve = |value: &&str| {
        let mut value = *value;
        // On some architectures `__NR_fcntl` is `__NR3264_fcntl`, which is a number.
        for _ in 0..3 {
            match value.parse() {
                Ok(number) => return Some(number),
                Err(_) => value = defined.get(value)?,
            }
        }
        None
    };
    let number = |(name, value): (&&str, &&str)| {
        Some((name.strip_prefix("__NR_")?.to_string(), resolve(value)?))
    };
    let numbers: HashMap<String, u32> = defined.iter().filter_map(number).collect();
    if numbers.len() < 200 {
        Err(format!("cc knows only {} system calls", numbers.len()))
    } else {
        Ok(numbers)
    }
}
