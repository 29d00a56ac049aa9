//! Another make of HTTP/1.1 on the other side of the wire: the client of the crate async-h1, over
//! a real socket, against listener, connections and machine. The happy paths only: for the rest
//! the client is too forgiving, and the tests by literal bytes are there.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod server;

use std::time::Duration;

use http_types::{Body, Method, Request, Response, StatusCode, Url};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, BufReader, Cursor};
use smol::net::TcpStream;

use server::Server;

/// A test that waits this long for something has failed. Nothing is measured with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of the client.
struct Client {
    stream: TcpStream,
    base: Url,
}

impl Client {
    async fn connect(server: &Server) -> Client {
        let address = server.address();
        Client {
            stream: TcpStream::connect(address).await.unwrap(),
            base: Url::parse(&format!("http://{address}")).unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, self.base.join(path).unwrap())
    }

    async fn send(&self, request: Request) -> Response {
        async_h1::connect(self.stream.clone(), request)
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::Get, path)).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Response {
        let mut request = self.request(Method::Post, path);
        request.set_body(body);
        self.send(request).await
    }

    /// True when the server has closed the connection and sent nothing more.
    async fn ends(mut self) -> bool {
        self.stream.read(&mut [0]).await.unwrap() == 0
    }
}

/// Runs `test` against each engine that is built in.
fn on_each_engine(test: impl AsyncFn(&Server)) {
    for engine in server::ENGINES {
        println!("engine: {}", engine.as_str());
        let server = Server::start(*engine);
        let patience = async {
            smol::Timer::after(PATIENCE).await;
            panic!("waited for something in vain");
        };
        smol::block_on(test(&server).or(patience));
        server.stop();
    }
}

/// A body without a known length, which the client sends in chunks.
fn unmeasured(bytes: Vec<u8>) -> Body {
    Body::from_reader(BufReader::new(Cursor::new(bytes)), None)
}

/// Bytes in which a lost or doubled piece shows.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 % 251) as u8).collect()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.header(name).map(|values| values.last().as_str())
}

#[test]
fn get() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut response = client.get("/hello?a=1&b=%20").await;
        assert_eq!(response.status(), StatusCode::Ok);
        assert_eq!(header(&response, "content-length"), Some("26"));
        assert_eq!(header(&response, "content-type"), Some("text/plain"));
        assert_eq!(header(&response, "server"), Some("smolcorn"));
        assert_eq!(
            response.body_string().await.unwrap(),
            "GET /hello a=1&b=%20 body "
        );
    });
}

#[test]
fn not_found() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut response = client.get("/nowhere").await;
        assert_eq!(response.status(), StatusCode::NotFound);
        assert_eq!(response.body_string().await.unwrap(), "");
    });
}

#[test]
fn post_with_a_length() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut response = client.post("/hello", "some text").await;
        assert_eq!(
            response.body_string().await.unwrap(),
            "POST /hello  body some text"
        );
    });
}

#[test]
fn post_in_chunks() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut response = client
            .post("/hello", unmeasured(b"some text".to_vec()))
            .await;
        assert_eq!(
            response.body_string().await.unwrap(),
            "POST /hello  body some text"
        );
    });
}

#[test]
fn a_response_in_chunks() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut response = client.post("/chunks", "some text").await;
        assert_eq!(header(&response, "transfer-encoding"), Some("chunked"));
        assert_eq!(header(&response, "content-length"), None);
        assert_eq!(
            response.body_string().await.unwrap(),
            "POST /chunks  body some text"
        );
    });
}

#[test]
fn one_connection_for_many_requests() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        for number in 1..=20 {
            let mut response = match number % 4 {
                0 => client.get(&format!("/number?{number}")).await,
                1 => client.post("/number", unmeasured(pattern(number))).await,
                2 => client.post("/chunks", pattern(number)).await,
                _ => client.get("/nowhere").await,
            };
            assert_eq!(header(&response, "x-request"), Some(&*number.to_string()));
            response.body_bytes().await.unwrap();
        }
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn several_connections() {
    on_each_engine(async |server| {
        let first = Client::connect(server).await;
        let second = Client::connect(server).await;
        for _ in 0..3 {
            for client in [&first, &second] {
                let mut response = client.get("/hello").await;
                assert_eq!(response.body_string().await.unwrap(), "GET /hello  body ");
            }
        }
        assert_eq!(server.connections(), 2);
    });
}

#[test]
fn no_body_where_there_can_be_none() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let response = client.send(client.request(Method::Head, "/hello")).await;
        assert_eq!(header(&response, "content-length"), Some("18"));
        let mut response = client.get("/empty").await;
        assert_eq!(response.status(), StatusCode::NoContent);
        assert_eq!(response.body_bytes().await.unwrap(), b"");
        let mut response = client.get("/hello").await;
        assert_eq!(header(&response, "x-request"), Some("3"));
        assert_eq!(response.body_string().await.unwrap(), "GET /hello  body ");
    });
}

#[test]
fn the_last_response_closes_the_connection() {
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut request = client.request(Method::Get, "/hello");
        request.insert_header("connection", "close");
        let mut response = client.send(request).await;
        assert_eq!(header(&response, "connection"), Some("close"));
        assert_eq!(response.body_string().await.unwrap(), "GET /hello  body ");
        assert!(client.ends().await);
    });
}

#[test]
fn large_bodies() {
    const LEN: usize = 3 * 1024 * 1024 + 17;
    on_each_engine(async |server| {
        let client = Client::connect(server).await;
        let mut expected = b"POST /large  body ".to_vec();
        expected.extend(pattern(LEN));
        for body in [Body::from(pattern(LEN)), unmeasured(pattern(LEN))] {
            let mut response = client.post("/large", body).await;
            let length = expected.len().to_string();
            assert_eq!(header(&response, "content-length"), Some(&*length));
            let body = response.body_bytes().await.unwrap();
            assert!(body == expected, "the body came back changed");
        }
    });
}
