//! How the loop's thread is woken from other threads, once for a batch of messages.
//!
//! A loop that can watch a descriptor watches one end of a socket pair. Any other loop is woken
//! by `call_soon_threadsafe`, from a thread of its own, because the actors' threads must not
//! wait for the GIL.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::JoinHandle;

use pyo3::intern;
use pyo3::prelude::*;
use smolcorn_actors::thread;

/// A way to wake the loop.
pub enum LoopWaker {
    /// The loop watches our end of a socket pair.
    #[cfg(unix)]
    Descriptor(DescriptorWaker),
    /// A thread calls `call_soon_threadsafe`.
    Thread(ThreadWaker),
}

impl LoopWaker {
    /// What messages wake.
    pub fn waker(&self) -> &Waker {
        match self {
            #[cfg(unix)]
            LoopWaker::Descriptor(descriptor) => &descriptor.waker,
            LoopWaker::Thread(thread) => &thread.waker,
        }
    }

    /// Takes note that the loop is awake.
    pub fn awake(&self) {
        #[cfg(unix)]
        if let LoopWaker::Descriptor(descriptor) = self {
            descriptor.clear();
        }
    }

    /// Stops waking.
    pub fn close(&self, py: Python<'_>, event_loop: &Py<PyAny>) -> PyResult<()> {
        match self {
            #[cfg(unix)]
            LoopWaker::Descriptor(descriptor) => descriptor.unwatch(py, event_loop),
            LoopWaker::Thread(thread) => {
                let _ = event_loop;
                thread.close(py);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
pub use descriptor::DescriptorWaker;

#[cfg(unix)]
mod descriptor {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A socket pair of which the loop watches one end.
    pub struct DescriptorWaker {
        ours: UnixStream,
        pub(super) waker: Waker,
    }

    struct OtherEnd(UnixStream);

    impl Wake for OtherEnd {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            // A full pipe wakes as well as one byte more would.
            let _ = (&self.0).write(&[1]);
        }
    }

    impl DescriptorWaker {
        /// Lets `event_loop` call `turn` for each wake. Fails where the loop cannot.
        pub fn watch(py: Python<'_>, event_loop: &Py<PyAny>, turn: &Py<PyAny>) -> PyResult<Self> {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            event_loop.call_method1(py, intern!(py, "add_reader"), (ours.as_raw_fd(), turn))?;
            Ok(DescriptorWaker {
                ours,
                waker: Waker::from(Arc::new(OtherEnd(theirs))),
            })
        }

        pub(super) fn clear(&self) {
            let mut bytes = [0; 64];
            while matches!((&self.ours).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }

        pub(super) fn unwatch(&self, py: Python<'_>, event_loop: &Py<PyAny>) -> PyResult<()> {
            event_loop.call_method1(py, intern!(py, "remove_reader"), (self.ours.as_raw_fd(),))?;
            Ok(())
        }
    }
}

/// A thread that calls `call_soon_threadsafe`.
pub struct ThreadWaker {
    waker: Waker,
    bell: Arc<Bell>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

struct Bell {
    sender: flume::Sender<bool>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A full channel means that the thread has not seen the wake before: one is enough.
        let _ = self.sender.try_send(true);
    }
}

impl ThreadWaker {
    /// Starts the thread.
    pub fn start(py: Python<'_>, event_loop: &Py<PyAny>, turn: &Py<PyAny>) -> PyResult<Self> {
        let (sender, receiver) = flume::bounded::<bool>(1);
        let event_loop = event_loop.clone_ref(py);
        let turn = turn.clone_ref(py);
        let thread = thread::spawn("smolcorn-wake", move || {
            while let Ok(true) = receiver.recv() {
                Python::attach(|py| {
                    // A loop that is closed needs no waking.
                    let _ =
                        event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (&turn,));
                });
            }
            Python::attach(|_| drop((event_loop, turn)));
        })?;
        let bell = Arc::new(Bell { sender });
        Ok(ThreadWaker {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            thread: std::sync::Mutex::new(Some(thread)),
        })
    }

    fn close(&self, py: Python<'_>) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            py.detach(|| {
                let _ = self.bell.sender.send(false);
                let _ = thread.join();
            });
        }
    }
}
