//! `--reload`: one worker that is replaced whenever a file changes.
//!
//! ```text
//!   plan.rs       what to watch: folders and patterns from the options
//!   filter.rs     which files matter, which folders nobody looks into
//!   gitignore.rs  what .gitignore files say         glob.rs  patterns
//!   tree.rs       the watched folders               poll.rs  looking, where there are no events
//!   burst.rs      when a burst of changes is over   watch.rs the thread that watches
//!   page.rs       the answer while the application is broken
//!   responder.rs  who gives it
//! ```
//!
//! Nothing here runs Python, and what watches knows nothing of processes or sockets.

pub mod burst;
pub mod filter;
pub mod gitignore;
pub mod glob;
pub mod page;
pub mod plan;
pub mod poll;
pub mod responder;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod watch;
