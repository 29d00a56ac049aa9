//! Processes that lost their parent and that nobody else waits for.
//!
//! They become children of the first process of their container. When that one never waits for
//! them, they stay as zombies until the container ends. So a supervisor that is that process does.

use std::fs;

use rustix::process::{Pid, WaitOptions, getpid, waitpid};

/// True if orphans become children of this process: it is the first one, or has asked for them.
pub fn come_here() -> bool {
    getpid().is_init() || asked_for_them()
}

#[cfg(target_os = "linux")]
fn asked_for_them() -> bool {
    matches!(rustix::process::child_subreaper(), Ok(Some(_)))
}

#[cfg(not(target_os = "linux"))]
fn asked_for_them() -> bool {
    false
}

/// Waits for every child that has ended, but for those that are `ours`: whoever started them
/// wants to know how they end.
pub fn reap(is_ours: impl Fn(u32) -> bool) {
    // Where the system has no such file there are no containers either.
    let path = format!("/proc/self/task/{}/children", getpid());
    let children = fs::read_to_string(path).unwrap_or_default();
    let numbers = children.split_ascii_whitespace().filter_map(parse);
    for pid in numbers.filter(|pid| !is_ours(pid.as_raw_pid().cast_unsigned())) {
        // One that still runs is looked at again when it ends.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

fn parse(number: &str) -> Option<Pid> {
    Pid::from_raw(number.parse().ok()?)
}
