//! The template's own side of `--preload`: takes orders from the supervisor, and becomes a worker
//! in each process that it forks.
//!
//! A process that forks must have one thread only, so nothing here starts one before it is a
//! worker. Who forks, and waits for those that were forked, is the caller: only Python can fork
//! Python.

use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::link::{FORK, FORK_FIRST, RETIRE, TemplateReport};
use super::worker::{self, Belongings};
use crate::net::descriptor;

/// What makes this process a template.
static TEMPLATE: Mutex<Option<Template>> = Mutex::new(None);

struct Template {
    belongings: Belongings,
    patience: Duration,
    /// The control socket of the worker that is to be forked.
    next: Option<OwnedFd>,
}

/// What the supervisor wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Fork a worker, and report its number or why there is none.
    Fork,
    /// Fork no more; end with the last worker.
    Retire,
    /// The supervisor is gone: end now.
    End,
}

/// Makes this process a template.
pub(super) fn begin(belongings: Belongings, patience: Duration) -> io::Result<()> {
    *template() = Some(Template {
        belongings,
        patience,
        next: None,
    });
    Ok(())
}

fn template() -> MutexGuard<'static, Option<Template>> {
    TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process is a template.
pub fn is_template() -> bool {
    template().is_some()
}

/// Readable when there is an order; `None` in a process that is no template.
pub fn control() -> Option<RawFd> {
    let template = template();
    template.as_ref().map(|t| t.belongings.control.as_raw_fd())
}

/// The next order. Waits for it.
pub fn order() -> Order {
    let mut template = template();
    let Some(template) = template.as_mut() else {
        return Order::End;
    };
    loop {
        match receive(&template.belongings.control) {
            Ok((kind @ (FORK | FORK_FIRST), Some(fd))) => {
                template.next = Some(fd);
                template.belongings.first = kind == FORK_FIRST;
                return Order::Fork;
            }
            Ok((RETIRE, _)) => {
                // No worker will need them.
                template.belongings.sockets.clear();
                return Order::Retire;
            }
            Ok(_) => {}
            Err(_) => return Order::End,
        }
    }
}

/// Tells the supervisor.
pub fn report(report: TemplateReport) {
    let mut template = template();
    if let Some(template) = template.as_mut() {
        if !matches!(report, TemplateReport::Loaded | TemplateReport::Ended(..)) {
            // Held open here it would hide the worker's end.
            template.next = None;
        }
        // A supervisor that is gone needs no telling: the next order says so.
        let _ = (&template.belongings.control).write_all(&report.to_bytes());
    }
}

/// True if this process may show why it cannot start.
pub fn may_complain() -> bool {
    let template = template();
    template
        .as_ref()
        .is_none_or(|t| worker::takes_permission(t.belongings.complaint.as_ref()))
}

/// Makes this process, which a template has just forked, a worker.
///
/// # Errors
/// The system's: no thread. The process is no template, or nobody has ordered a worker.
pub fn become_worker() -> io::Result<()> {
    let Some(template) = template().take() else {
        return Err(worker::foreign());
    };
    let control = template.next.ok_or_else(worker::foreign)?;
    let belongings = Belongings {
        control: control.into(),
        // The template's own control socket is closed here: it is no worker's.
        ..template.belongings
    };
    worker::begin(belongings, template.patience)
}

/// One byte, and the descriptor that came with it. An error at the end, too.
fn receive(control: &UnixStream) -> io::Result<(u8, Option<OwnedFd>)> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut byte)];
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(control, &mut slices, &mut ancillary, RecvFlags::empty())
    })?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut fd = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fd = fds.last();
        }
    }
    if let Some(fd) = &fd {
        descriptor::set_close_on_exec(fd.as_raw_fd())?;
    }
    Ok((byte.first().copied().unwrap_or_default(), fd))
}
