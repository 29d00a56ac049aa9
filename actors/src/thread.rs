//! Threads of the server's own, which no signal interrupts.
//!
//! A signal for the process goes to its main thread, as long as that has none under way already;
//! then to any other thread that takes signals. Python's handlers belong on the main thread or on
//! Python's own threads. Where Rust has the `main`, its threads have an alternate stack of 8 KiB
//! for signals, and where registers are large (AVX-512) that is too small for a handler that is
//! bound lazily: the process dies of it.

#![allow(unsafe_code)]

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread. Threads that it starts take no signals either.
///
/// # Errors
/// The system has no room for another thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // A thread begins with the mask of the one that starts it.
    #[cfg(unix)]
    let _masked = signals::Masked::new();
    Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(unix)]
pub use signals::handle_on_own_stack;

#[cfg(unix)]
mod signals {
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;

    /// What a thread's own instructions cause, and nobody else: blocked, it would only be unheard.
    const FAULTS: [libc::c_int; 7] = [
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGTRAP,
    ];

    /// This thread takes no signals, until it is dropped.
    pub(super) struct Masked {
        before: libc::sigset_t,
    }

    impl Masked {
        pub(super) fn new() -> Masked {
            let mut set = MaybeUninit::uninit();
            let mut before = MaybeUninit::uninit();
            // SAFETY: `sigfillset` makes the first set, which is only changed and read after it;
            // `pthread_sigmask` writes the second one, and fails only for a first argument that
            // it does not know.
            unsafe {
                libc::sigfillset(set.as_mut_ptr());
                for fault in FAULTS {
                    libc::sigdelset(set.as_mut_ptr(), fault);
                }
                libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
                Masked {
                    before: before.assume_init(),
                }
            }
        }
    }

    impl Drop for Masked {
        fn drop(&mut self) {
            // SAFETY: the set was written by the same function.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
        }
    }

    /// From now on handlers run on this thread's ordinary stack. For the main thread of a program
    /// that Rust began, before Python has its handlers there.
    ///
    /// # Errors
    /// A handler runs on the other stack right now.
    pub fn handle_on_own_stack() -> io::Result<()> {
        let none = libc::stack_t {
            ss_sp: ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: libc::SIGSTKSZ,
        };
        // SAFETY: nothing of the new stack is used, because it is disabled, and the old one is
        // not asked for. Whoever made the old one keeps and frees its memory.
        match unsafe { libc::sigaltstack(&none, ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The signals that the calling thread blocks, of all that there are.
    fn blocked() -> Vec<libc::c_int> {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: the set is written by the call, which changes nothing without a first one.
        let set = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr());
            set.assume_init()
        };
        // SAFETY: the set was written above, and the numbers are those of signals.
        (1..32)
            .filter(|signal| unsafe { libc::sigismember(&set, *signal) } == 1)
            .collect()
    }

    #[test]
    fn a_thread_takes_no_signals_and_neither_do_its_own() {
        let before = blocked();
        let theirs = spawn("outer", || {
            let inner = std::thread::spawn(blocked).join().unwrap();
            (blocked(), inner)
        });
        let (outer, inner) = theirs.unwrap().join().unwrap();
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
            assert!(outer.contains(&signal), "{signal}");
        }
        assert!(!outer.contains(&libc::SIGSEGV));
        assert_eq!(inner, outer);
        assert_eq!(blocked(), before);
    }

    #[test]
    fn a_thread_without_another_stack_for_handlers() {
        std::thread::spawn(|| {
            handle_on_own_stack().unwrap();
            let mut now = std::mem::MaybeUninit::<libc::stack_t>::uninit();
            // SAFETY: the present setting is written by the call, which changes nothing.
            let now = unsafe {
                libc::sigaltstack(std::ptr::null(), now.as_mut_ptr());
                now.assume_init()
            };
            assert_eq!(now.ss_flags, libc::SS_DISABLE);
        })
        .join()
        .unwrap();
    }
}
