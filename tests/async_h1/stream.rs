//! A connection with a bit of everything that the crate can do. Pipelined requests are not lost in
//! its buffer.

use crate::echo::run;

pub const STREAM: &str = "\r\nGET /a?b#c HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n\
    POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nGET / HTTP/1\
    \r\n\r\nPUT http://b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: TE\r\n\r\n\
    5;x=\"y\"\r\nhello\r\nC\r\n, world\r\n0\r\n\r\n0\r\nTrailer: a\r\n\r\n\
    HEAD / HTTP/1.1\r\nHost: a\r\n\r\n\
    GET /last HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn the_stream_is_understood() {
    let whole = run(STREAM.as_bytes(), &[]);
    assert_eq!(whole.requests.len(), 5, "{whole:#?}");
    assert!(whole.requests[1].ends_with("\"GET / HTTP/1\""));
    assert!(whole.requests[2].ends_with("\"hello, world\\r\\n0\\r\\n\""));
    assert_eq!(
        whole.wire,
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n\
         HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nC\r\nGET / HTTP/1\r\n0\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\nhello, world\r\n0\r\n\
         HTTP/1.1 200 OK\r\n\r\n\
         HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
}
