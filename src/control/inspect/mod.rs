//! A look into a server that runs: its actors, and what its dispatch actor is doing.
//!
//! ```text
//!   SIGUSR1 ------------------------> endpoint.rs --> table.rs --> stderr
//!   smolcorn inspect PID (client.rs) --socket--^        '--------> back to the client
//! ```
//!
//! The answer comes from a native thread, which asks no actor and does not need the interpreter's
//! lock. Only the Python stacks do, and they are waited for with a limit. Until somebody asks, the
//! thread sleeps. Unix only; the socket needs Linux.

pub mod client;
#[cfg(unix)]
pub mod endpoint;
mod table;

pub use table::table;

/// The name of the socket of process `number`, in Linux's abstract namespace: it needs no file,
/// and is gone with the process. Who connects is known from the kernel.
#[cfg(target_os = "linux")]
fn socket_name(number: u32) -> String {
    format!("smolcorn-inspect-{number}")
}
