//! Opens a connection and asks for a WebSocket on it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long a server may take for it.
const TIMEOUT: Duration = Duration::from_secs(20);
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A WebSocket, and what the server has sent on it already.
pub struct Upgraded {
    /// It does not block.
    pub stream: TcpStream,
    /// Bytes behind the head of the answer.
    pub rest: Vec<u8>,
}

/// Connects and upgrades, blocking.
pub fn connect(port: u16, extension: Option<&str>) -> io::Result<Upgraded> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let offer = extension.map_or(String::new(), |extension| {
        format!("Sec-WebSocket-Extensions: {extension}\r\n")
    });
    let request = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: c21vbGNvcm4gYmVuY2hlcw==\r\n{offer}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (head, rest) = read_head(&mut stream)?;
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 101 ") {
        let line = head.lines().next().unwrap_or_default().to_owned();
        return Err(io::Error::other(format!("no WebSocket: {line}")));
    }
    if extension.is_some() && !head.contains("sec-websocket-extensions:") {
        return Err(io::Error::other("the server does not take the extension"));
    }
    stream.set_nonblocking(true)?;
    Ok(Upgraded { stream, rest })
}

/// The head of the answer, and what has come behind it.
fn read_head(stream: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        head.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(at) = head.windows(HEAD_END.len()).position(|at| at == HEAD_END) {
            let rest = head.split_off(at + HEAD_END.len());
            return Ok((head, rest));
        }
        if count == 0 || head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("the server gave no answer"));
        }
    }
}
