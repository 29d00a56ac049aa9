//! WebSocket clients that load a server from one thread, and count what comes back.
//!
//! Each connection sends the same ready-made frame over and over, which it is given on the standard
//! input, masked and maybe compressed. So the clients cost little beside the server. What comes
//! back is taken apart frame by frame, and its length is compared.
//!
//! In an echo each connection has some messages under way, and sends one more for each that has
//! come back. In a broadcast the first connection says one message, and the next one when all
//! connections have heard it.
//!
//! The last line of the output is JSON of the same shape as that of `measure/wrk.lua`.

mod connection;
mod frames;
mod handshake;
mod load;
mod tally;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use crate::load::Plan;

/// Loads a WebSocket server on 127.0.0.1 with the frame on the standard input.
#[derive(FromArgs)]
struct Arguments {
    /// port of the server
    #[argh(option)]
    port: u16,
    /// how many connections
    #[argh(option, default = "64")]
    connections: usize,
    /// messages that each connection has under way
    #[argh(option, default = "1")]
    in_flight: u64,
    /// how long
    #[argh(option, default = "1.0")]
    seconds: f64,
    /// the first connection speaks, all hear
    #[argh(switch)]
    broadcast: bool,
    /// what to offer in Sec-WebSocket-Extensions; the server must take it
    #[argh(option)]
    extension: Option<String>,
    /// bytes of each message that comes back; unset: any
    #[argh(option)]
    answer_bytes: Option<u64>,
}

fn main() -> ExitCode {
    match run(&argh::from_env()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Loads the server; returns the line that tells of it.
fn run(arguments: &Arguments) -> io::Result<String> {
    let mut frame = Vec::new();
    io::stdin().read_to_end(&mut frame)?;
    let Ok(time) = Duration::try_from_secs_f64(arguments.seconds) else {
        return Err(io::Error::other("--seconds is no duration"));
    };
    if frame.is_empty() || arguments.connections == 0 || arguments.in_flight == 0 {
        return Err(io::Error::other(
            "a frame, a connection and a message are the least",
        ));
    }
    let plan = Plan {
        frame,
        in_flight: arguments.in_flight,
        broadcast: arguments.broadcast,
        answer_bytes: arguments.answer_bytes,
        time,
    };
    let connections = (0..arguments.connections)
        .map(|_| handshake::connect(arguments.port, arguments.extension.as_deref()))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(load::load(&plan, connections)?.line())
}
