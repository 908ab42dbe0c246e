//! A proxy for a real server. It forwards the bytes and metadata of each call, and a distortion can
//! change the response.

use std::sync::{Arc, Mutex};

use futures_util::SinkExt;
use grpcio::{
    CallOption, ChannelBuilder, Client, ClientSStreamReceiver, EnvBuilder, Environment, Metadata,
    MetadataBuilder, Method, MethodType, RpcContext, RpcStatus, RpcStatusCode, Server,
    ServerBuilder, ServerCredentials, ServerStreamingSink, Service, ServiceBuilder, WriteFlags,
};
use immuaudit::wire::method;
use protobuf::Message;

/// A response, from the server and then to the client.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The header `immudb-uuid`.
    pub uuid: Option<String>,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    /// One message, or several.
    Messages(Vec<Vec<u8>>),
    Error(i32, String),
    /// No response at all.
    Silence,
}

impl Reply {
    /// Changes the first message of a response.
    pub fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Body::Messages(messages) = &mut self.body {
            if let Some(first) = messages.first_mut() {
                change(first);
            }
        }
    }

    /// Changes the first message after parsing it.
    pub fn message<M: Message>(&mut self, change: impl FnOnce(&mut M)) {
        self.change(|bytes| {
            let mut message = M::parse_from_bytes(bytes).expect("an answer");
            change(&mut message);
            *bytes = message.write_to_bytes().expect("a message");
        });
    }
}

/// Changes a response; the arguments are the call's name without the service, the request and the
/// response.
pub type Distort = Box<dyn FnMut(&str, &[u8], &mut Reply) + Send>;

type Distortion = Arc<Mutex<Option<Distort>>>;
type Held = Arc<Mutex<Vec<ServerStreamingSink<Vec<u8>>>>>;

pub struct Proxy {
    pub port: u16,
    distortion: Distortion,
    held: Held,
    _server: Server,
    _environment: Arc<Environment>,
}

const CALLS: [&str; 9] = [
    method::LOGIN,
    method::OPEN_SESSION,
    method::DATABASE_LIST,
    method::USE_DATABASE,
    method::CURRENT_STATE,
    method::VERIFIABLE_TX_BY_ID,
    method::TX_BY_ID,
    method::TX_SCAN,
    method::GET,
];

impl Proxy {
    /// Starts a proxy for the server on this port.
    pub fn before(port: u16) -> Proxy {
        let environment = Arc::new(EnvBuilder::new().cq_count(2).build());
        let channel = ChannelBuilder::new(environment.clone())
            .max_receive_message_len(-1)
            .use_local_subchannel_pool(true)
            .connect(&format!("127.0.0.1:{port}"));
        let client = Client::new(channel);
        let distortion = Distortion::default();
        let held = Held::default();
        let service = service(&client, &distortion, &held);
        let args = ChannelBuilder::new(environment.clone())
            .max_send_message_len(-1)
            .reuse_port(false)
            .build_args();
        let mut server = ServerBuilder::new(environment.clone())
            .channel_args(args)
            .register_service(service)
            .build()
            .expect("a server");
        let port = server
            .add_listening_port("127.0.0.1:0", ServerCredentials::insecure())
            .expect("a port");
        server.start();
        Proxy {
            port,
            distortion,
            held,
            _server: server,
            _environment: environment,
        }
    }

    /// Changes responses with `distort` from now on.
    pub fn distort(&self, distort: impl FnMut(&str, &[u8], &mut Reply) + Send + 'static) {
        *self.distortion.lock().expect("no panic") = Some(Box::new(distort));
    }

    /// Forwards every response unchanged from now on.
    pub fn be_honest(&self) {
        *self.distortion.lock().expect("no panic") = None;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.held.lock().expect("no panic").clear();
    }
}

fn service(client: &Client, distortion: &Distortion, held: &Held) -> Service {
    let mut builder = ServiceBuilder::new();
    for call in CALLS {
        let (client, distortion, held) = (client.clone(), distortion.clone(), held.clone());
        // on the wire a call with one response begins like a call with a stream of responses
        let streaming = Method {
            ty: MethodType::ServerStreaming,
            ..method::unary(call)
        };
        let handler =
            move |context: RpcContext<'_>, request: Vec<u8>, sink: ServerStreamingSink<Vec<u8>>| {
                let headers = credentials(context.request_headers());
                let (client, distortion, held) = (client.clone(), distortion.clone(), held.clone());
                context.spawn(async move {
                    let mut reply = forward(&client, call, &request, headers).await;
                    let name = call.rsplit('/').next().unwrap_or(call);
                    if let Some(distort) = &mut *distortion.lock().expect("no panic") {
                        distort(name, &request, &mut reply);
                    }
                    answer(reply, sink, held).await;
                });
            };
        builder = builder.add_server_streaming_handler(&streaming, handler);
    }
    builder.build()
}

fn credentials(headers: &Metadata) -> Metadata {
    let mut builder = MetadataBuilder::new();
    for (name, value) in headers.iter() {
        if ["authorization", "sessionid"].contains(&name) {
            let value = String::from_utf8_lossy(value);
            builder.add_str(name, &value).expect("valid metadata");
        }
    }
    builder.build()
}

async fn forward(
    client: &Client,
    call: &'static str,
    request: &Vec<u8>,
    headers: Metadata,
) -> Reply {
    use futures_util::StreamExt;
    let streaming = Method {
        ty: MethodType::ServerStreaming,
        ..method::unary(call)
    };
    let option = CallOption::default().headers(headers);
    let mut receiver: ClientSStreamReceiver<Vec<u8>> = client
        .server_streaming(&streaming, request, option)
        .expect("a call");
    match receiver.next().await {
        Some(Ok(bytes)) => {
            let headers = receiver.headers().await.expect("headers");
            let uuid = headers.iter().find(|(name, _)| *name == "immudb-uuid");
            Reply {
                uuid: uuid.map(|(_, value)| String::from_utf8_lossy(value).into_owned()),
                body: Body::Messages(vec![bytes]),
            }
        }
        Some(Err(grpcio::Error::RpcFailure(status))) => Reply {
            uuid: None,
            body: Body::Error(status.code().into(), status.message().into()),
        },
        other => panic!("{other:?}"),
    }
}

async fn answer(reply: Reply, mut sink: ServerStreamingSink<Vec<u8>>, held: Held) {
    let mut headers = MetadataBuilder::new();
    if let Some(uuid) = &reply.uuid {
        headers.add_str("immudb-uuid", uuid).expect("printable");
    }
    sink.set_headers(headers.build());
    match reply.body {
        Body::Messages(messages) => {
            for message in messages {
                if sink.send((message, WriteFlags::default())).await.is_err() {
                    return; // the caller has cancelled the call
                }
            }
            let _ = sink.close().await;
        }
        Body::Error(code, message) => {
            let status = RpcStatus::with_message(RpcStatusCode::from(code), message);
            let _ = sink.fail(status).await;
        }
        Body::Silence => held.lock().expect("no panic").push(sink),
    }
}
