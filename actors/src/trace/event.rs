//! What can be told of an actor, and how it reads as a line.

use std::fmt;

use crate::actor::{ActorName, StopReason};

/// Something that happened.
pub struct Event<'a> {
    /// When, or when it ended; nanoseconds (see [`now`](super::now)).
    pub at: u64,
    /// To whom.
    pub actor: ActorName,
    /// Who else is concerned: the other end of a message, the connection of a request.
    pub about: Option<ActorName>,
    /// What.
    pub what: What<'a>,
}

/// What happened.
#[derive(Clone, Copy)]
pub enum What<'a> {
    /// The actor has begun.
    Started,
    /// It has ended.
    Stopped(Option<StopReason>),
    /// It has come to this state.
    State(&'static str),
    /// Its time for something has come.
    Timer(&'static str),
    /// It has accepted the connection that the event is about.
    Accepted,
    /// It has sent a message to whom the event is about.
    Sent(About),
    /// It has taken a message out of its mailbox, from whom the event is about.
    Taken {
        /// The message.
        message: About,
        /// When it was put there.
        sent: u64,
    },
    /// It has done what the message asks for.
    Handled {
        /// The message.
        message: About,
        /// When it was put into the mailbox.
        sent: u64,
        /// When it was taken out.
        begun: u64,
    },
    /// So many messages are in its mailbox.
    Mailbox(usize),
    /// So many of something that it has.
    Count(&'static str, usize),
    /// It has done something.
    Span {
        /// What.
        name: &'a str,
        /// Since when.
        begun: u64,
        /// More about it.
        args: &'a [(&'a str, Arg<'a>)],
    },
    /// Work of the application, in its name. Works that go on at the same time have different
    /// lanes; parts of one work have the lane of the whole.
    Work {
        /// Which lane, from 1 on.
        lane: u32,
        /// What.
        name: &'a str,
        /// Since when.
        begun: u64,
        /// More about it.
        args: &'a [(&'a str, Arg<'a>)],
    },
}

/// More about something.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// A number.
    Number(u64),
    /// A time, nanoseconds.
    Nanos(u64),
    /// A text.
    Text(&'a str),
    /// An actor.
    Actor(ActorName),
}

/// A message, as far as a trace shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its kind.
    pub kind: &'static str,
    /// Its number among its kind; 0: it has none.
    pub number: u32,
    /// Payload bytes.
    pub bytes: u64,
}

impl About {
    /// A message without number and payload.
    pub const fn kind(kind: &'static str) -> About {
        About {
            kind,
            number: 0,
            bytes: 0,
        }
    }
}

/// A message that a trace can show.
pub trait Describe {
    /// What it shows.
    fn describe(&self) -> About;
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if self.number > 0 {
            write!(f, " #{}", self.number)?;
        }
        if self.bytes > 0 {
            write!(f, ", {} bytes", self.bytes)?;
        }
        Ok(())
    }
}

impl Event<'_> {
    /// The event as a line of a log; `None` for what only a picture can show.
    pub fn line(&self) -> Option<String> {
        let actor = self.actor;
        let other = self.about.unwrap_or(ActorName::Dispatch);
        Some(match self.what {
            What::Started => format!("{actor} started"),
            What::Stopped(None) => format!("{actor} stopped"),
            What::Stopped(Some(reason)) => format!("{actor} stopped: {reason}"),
            What::State(state) => format!("{actor} is {state}"),
            What::Timer(what) => format!("{actor} timer: {what}"),
            What::Accepted => format!("{actor} accepted {other}"),
            What::Sent(about) => format!("{actor} -> {other}: {about}"),
            What::Taken { message, sent } => {
                let waited = self.at.saturating_sub(sent) as f64 / 1e6;
                format!("{actor} <- {other}: {message} (waited {waited:.3} ms)")
            }
            What::Handled { .. }
            | What::Mailbox(_)
            | What::Count(..)
            | What::Span { .. }
            | What::Work { .. } => return None,
        })
    }
}
