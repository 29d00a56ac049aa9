//! An engine on the crate async-h1, for comparison: `--http async-h1`. docs/options.md has its
//! limits.
//!
//! The crate's two public pieces are used: `server::decode`, which makes a request of bytes, and
//! `server::Encoder`, which makes bytes of a response. Around them the machine, its limits and its
//! deadlines are those of the native engine, and so is what the crate would get wrong:
//!
//! ```text
//!   head   --> our strict parser --refused--> the status that is due
//!                     |
//!                     | what it understood, but for `expect`
//!                     v
//!              Pipe --> decode --> body of known length      --> application
//!   chunked body -----------> our own decoder                --> application
//!   response head, body --> Pipe --> Encoder                 --> client
//! ```
//!
//! The crate reads from a [`Pipe`](pipe::Pipe) in memory that holds the bytes of one exchange and
//! no more, so its own buffer cannot swallow the next request. It is polled where its machine is,
//! without a waker: what is pending is polled again when there is more to give. So it starts no
//! thread, no timer and no executor.
//!
//! http-types panics on values that are not ASCII and on unknown status codes. Nothing unchecked
//! gets there.

mod pipe;
mod request;
mod response;

use smolcorn_actors::outbox::{Outbox, Payload};

use super::h1::Machine;
use super::h1::codec::{Codec, HeadSetting, ResponseFraming, Unwritable};
use super::head::{Parsed, parse};
use super::refusal::Refusal;
use super::response::ResponseHead;
use crate::config::{HttpConfig, HttpLimits};
use request::RequestBody;
use response::Writer;

/// The HTTP/1 machine on the crate async-h1.
pub type AsyncH1 = Machine<AsyncH1Codec>;

/// The crate takes heads shorter than 8 KiB.
const HEAD_BYTES_MAX: usize = 8 * 1024 - 1;

/// The crate takes as many headers.
const HEADER_COUNT_MAX: usize = 128;

/// `config` with the limits that the crate has.
pub fn within_limits(mut config: HttpConfig) -> HttpConfig {
    let limits = &mut config.limits;
    limits.head_bytes_max = limits.head_bytes_max.min(HEAD_BYTES_MAX);
    limits.header_count_max = limits.header_count_max.min(HEADER_COUNT_MAX);
    config
}

/// One exchange on the crate async-h1.
#[derive(Debug)]
pub struct AsyncH1Codec {
    method: http_types::Method,
    body: RequestBody,
    /// None before the head, and where only the head is the crate's.
    writer: Option<Writer>,
}

impl Codec for AsyncH1Codec {
    fn read_head(
        head: &[u8],
        lines: usize,
        limits: &HttpLimits,
    ) -> Result<(Parsed, AsyncH1Codec), Refusal> {
        let parsed = parse(head, lines, limits)?;
        let (method, body) = request::decode(&parsed, limits)?;
        let codec = AsyncH1Codec {
            method,
            body,
            writer: None,
        };
        Ok((parsed, codec))
    }

    fn read_body(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        self.body.decode(input, sink)
    }

    fn body_is_complete(&self) -> bool {
        self.body.is_complete()
    }

    fn body_left_min(&self) -> u64 {
        self.body.left_min()
    }

    fn write_head(
        &mut self,
        head: &ResponseHead,
        setting: &HeadSetting<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        let writer = Writer::begin(head, setting, self.method, outbox)?;
        self.writer = (setting.framing != ResponseFraming::Bodiless).then_some(writer);
        Ok(())
    }

    fn write_data(
        &mut self,
        data: Payload,
        _framing: ResponseFraming,
        last: bool,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        let writer = self.writer.as_mut().ok_or(Unwritable)?;
        writer.write(data.as_bytes(), last, outbox)
    }

    fn write_last_chunk(
        &mut self,
        _trailers: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        let writer = self.writer.as_mut().ok_or(Unwritable)?;
        writer.write(&[], true, outbox)
    }
}
