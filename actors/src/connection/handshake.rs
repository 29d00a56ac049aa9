//! The TLS handshake of a connection: before it is done the machine is not called.

use std::task::{Context, Poll};

use super::{Connection, Phase, Step};
use crate::actor::StopReason;
use crate::messages::ToDispatch;
use crate::protocol::{Close, Protocol};
use crate::stream::{Handshake, PlainStream, Stream};
use crate::trace::{self, What};

impl<P: Protocol> Connection<P> {
    pub(super) fn begin_handshake(&mut self) {
        let timeout = self.nursery.limits.handshake_timeout;
        self.enter(Phase::Handshake {
            until: self.nursery.local.clock().tick_after(timeout),
        });
    }

    /// Goes on with the handshake. True when it is over and the connection is to be served, or
    /// at least to be ended in good order.
    pub(super) fn shake_hands(&mut self, context: &mut Context<'_>) -> Step<bool> {
        let (Some(Stream::Tls(stream)), Some(tls)) = (&mut self.stream, &self.nursery.tls) else {
            return Err(StopReason::Aborted);
        };
        match stream.poll_handshake(context, &*tls.chooser) {
            // The client has said nothing, and nobody will wait for it.
            Poll::Pending if self.drain_due && !stream.has_begun() => Err(StopReason::Finished),
            Poll::Pending => self.check_handshake_timeout().map(|()| false),
            Poll::Ready(Handshake::Done(session)) => {
                let _ = self.nursery.dispatch.tell(ToDispatch::Secured {
                    connection: self.id,
                    session: Box::new(session),
                });
                if self.drain_due
                    && let Some(stream) = &mut self.stream
                {
                    stream.assume_readable();
                }
                self.open();
                Ok(true)
            }
            Poll::Ready(Handshake::Plaintext(socket)) => {
                let answer = tls.plaintext_answer.to_vec();
                self.report_failure(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    "the client does not speak TLS",
                ));
                self.machine.outbox.push_bytes(&answer);
                self.end_in_clear(socket);
                Ok(true)
            }
            Poll::Ready(Handshake::Failed(error, socket)) => {
                self.report_failure(error);
                match socket {
                    // It may still send; a reset could overtake the alert that tells it why.
                    Some(socket) => {
                        self.end_in_clear(socket);
                        Ok(true)
                    }
                    None => Err(StopReason::HandshakeFailed),
                }
            }
        }
    }

    /// Writes what is in the outbox to the bare socket, and lingers.
    fn end_in_clear(&mut self, socket: PlainStream) {
        self.stream = Some(Stream::Plain(socket));
        self.enter(Phase::Open);
        self.machine.close = Close::Linger;
    }

    fn check_handshake_timeout(&mut self) -> Step<()> {
        let Phase::Handshake { until } = self.phase else {
            return Ok(());
        };
        if until > self.nursery.local.clock().tick() {
            return Ok(());
        }
        trace::note(self.name(), || What::Timer("handshake"));
        self.report_failure(std::io::ErrorKind::TimedOut.into());
        Err(StopReason::HandshakeFailed)
    }

    fn report_failure(&self, error: std::io::Error) {
        let _ = self.nursery.dispatch.tell(ToDispatch::HandshakeFailed {
            connection: self.id,
            error,
        });
    }
}
