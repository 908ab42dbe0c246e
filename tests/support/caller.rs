//! A plain caller of a server's methods, which returns the raw bytes of the response.

use std::ffi::CString;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::StreamExt;
use grpcio::{
    CallOption, ChannelBuilder, Client, EnvBuilder, Error, MetadataBuilder, Method, MethodType,
};
use immuaudit::wire::{self, method};

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Message(Vec<u8>),
    NoMessage,
    Failed { code: i32, message: String },
}

impl Answer {
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Answer::Message(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    pub fn message(&self) -> &str {
        match self {
            Answer::Failed { message, .. } => message,
            _ => "",
        }
    }
}

pub struct Caller {
    client: Client,
    pub token: Option<(&'static str, String)>,
    /// The header `immudb-uuid` of the last response that had headers.
    pub uuid: Option<String>,
    pub timeout: Duration,
}

impl Caller {
    pub fn new(port: u16) -> Caller {
        let environment = Arc::new(EnvBuilder::new().cq_count(1).build());
        let identity_only = CString::new("grpc.compression_enabled_algorithms_bitset").unwrap();
        let channel = ChannelBuilder::new(environment)
            .max_receive_message_len(4 << 20)
            .use_local_subchannel_pool(true)
            .raw_cfg_int(identity_only, 1)
            .connect(&format!("127.0.0.1:{port}"));
        Caller {
            client: Client::new(channel),
            token: None,
            uuid: None,
            timeout: Duration::from_secs(10),
        }
    }

    /// Makes a call. The streaming API is used because it allows a response without a message.
    pub fn call(&mut self, name: &'static str, request: Vec<u8>) -> Answer {
        let unary = method::unary(name);
        let method = Method {
            ty: MethodType::ServerStreaming,
            ..unary
        };
        let mut headers = MetadataBuilder::new();
        if let Some((key, value)) = &self.token {
            if headers.add_str(key, value).is_err() {
                return Answer::Failed {
                    code: 16,
                    message: "a token that cannot be sent".into(),
                };
            }
        }
        let option = CallOption::default()
            .timeout(self.timeout)
            .headers(headers.build());
        let failed = |error| match error {
            Error::RpcFailure(status) => Answer::Failed {
                code: status.code().into(),
                message: status.message().into(),
            },
            other => panic!("{other}"),
        };
        let mut receiver = match self.client.server_streaming(&method, &request, option) {
            Ok(receiver) => receiver,
            Err(error) => return failed(error),
        };
        let first = wait(receiver.next());
        if let Some(Ok(_)) = first {
            // after a failed call this could wait forever
            if let Ok(headers) = wait(receiver.headers()) {
                let uuid = headers.iter().find(|(key, _)| *key == "immudb-uuid");
                self.uuid = uuid.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            }
        }
        match first {
            None => Answer::NoMessage,
            Some(Err(error)) => failed(error),
            Some(Ok(bytes)) => match wait(receiver.next()) {
                None => Answer::Message(bytes),
                Some(Err(error)) => failed(error),
                Some(Ok(_)) => panic!("two messages"),
            },
        }
    }

    /// Logs in and opens a database.
    pub fn log_in(&mut self, database: &str) -> Result<(), Answer> {
        self.token = None;
        let token = self.call(method::LOGIN, wire::login("immudb", "immudb"));
        self.keep(token)?;
        let token = self.call(method::USE_DATABASE, wire::database(database));
        self.keep(token)
    }

    fn keep(&mut self, answer: Answer) -> Result<(), Answer> {
        let Answer::Message(bytes) = &answer else {
            return Err(answer);
        };
        let token = wire::token(bytes).map_err(|_| answer.clone())?;
        self.token = Some(("authorization", format!("Bearer {token}")));
        Ok(())
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(ready) => return ready,
            Poll::Pending => std::thread::park(),
        }
    }
}
