//! The gRPC side: from a call on the network to [`Store::answer`] and back.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use grpcio::{
    ChannelBuilder, EnvBuilder, Environment, Metadata, MetadataBuilder, RpcContext, RpcStatus,
    RpcStatusCode, Server, ServerBuilder, ServerCredentials, Service, ServiceBuilder, UnarySink,
};

use super::deliver::{self, Answer, Outcome};
use super::service::{Answered, CALLS};
use super::store::Store;
use super::unsupported;
use crate::clock::Clock;
use crate::server::Credential;
use crate::wire::method;

/// Calls that never get a response: they are stored, because dropping one is a response.
type Unanswered = Arc<Mutex<Vec<UnarySink<Vec<u8>>>>>;

/// A server that listens; it stops when it is dropped.
pub(super) struct Listening {
    pub port: u16,
    unanswered: Unanswered,
    server: Server,
}

/// The longest wait for calls in progress; preparing a lie may take some time.
const MAX_SHUTDOWN_WAIT: Duration = Duration::from_secs(20);

impl Drop for Listening {
    /// Waits until gRPC has shut down, because its core ends the process if a server is dropped while it is
    /// closing.
    fn drop(&mut self) {
        let mut shutdown = self.server.shutdown();
        self.server.cancel_all_calls();
        let begin = Clock::system().instant();
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut shutdown).poll(&mut context).is_pending()
            && Clock::system().since(begin) < MAX_SHUTDOWN_WAIT
        {
            lock(&self.unanswered).clear(); // the server's shutdown waits for unanswered calls
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Returns the environment of all servers, which is never shut down. gRPC's core ends the process if a call
/// reaches a queue that was shut down, and a last call can still arrive when a server is closed.
fn environment() -> Arc<Environment> {
    static ENVIRONMENT: OnceLock<Arc<Environment>> = OnceLock::new();
    let new = || Arc::new(EnvBuilder::new().cq_count(2).name_prefix("drill").build());
    ENVIRONMENT.get_or_init(new).clone()
}

/// Serves `store` on 127.0.0.1 (port 0: any free port).
///
/// # Errors
/// The port is taken.
pub(super) fn listen(store: Arc<Mutex<Store>>, port: u16) -> grpcio::Result<Listening> {
    let environment = environment();
    let unanswered = Unanswered::default();
    let args = ChannelBuilder::new(environment.clone())
        .max_receive_message_len(64 << 20)
        .max_send_message_len(-1)
        .reuse_port(false)
        .build_args();
    let mut server = ServerBuilder::new(environment)
        .channel_args(args)
        .register_service(service(&store, &unanswered))
        .build()?;
    let address = format!("127.0.0.1:{port}");
    let port = server.add_listening_port(address, ServerCredentials::insecure())?;
    server.start();
    Ok(Listening {
        port,
        unanswered,
        server,
    })
}

fn service(store: &Arc<Mutex<Store>>, unanswered: &Unanswered) -> Service {
    let mut builder = ServiceBuilder::new();
    for call in CALLS {
        let (store, unanswered) = (store.clone(), unanswered.clone());
        let handler = move |context: RpcContext<'_>, request: Vec<u8>, sink: UnarySink<Vec<u8>>| {
            let credential = credential(context.request_headers());
            let answer = {
                let mut store = lock(&store);
                let Answered { reply, active } = store.answer(call, &credential, &request);
                deliver::delivery(active.as_ref(), call, reply, &store)
            };
            context.spawn(send(answer, sink, unanswered.clone()));
        };
        builder = builder.add_unary_handler(&method::unary(call), handler);
    }
    for (call, refused) in unsupported::calls() {
        let handler = move |context: RpcContext<'_>, _: Vec<u8>, sink: UnarySink<Vec<u8>>| {
            let code = RpcStatusCode::from(refused.code);
            let refused = sink.fail(RpcStatus::with_message(code, refused.message.clone()));
            context.spawn(async move { drop(refused.await) });
        };
        builder = builder.add_unary_handler(&method::unary(call), handler);
    }
    builder.build()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the credential from `sessionid`, else from `authorization: Bearer …`. An empty token counts as none:
/// immuclient sends one before it has logged in, and logs in when the response says that it has not.
fn credential(headers: &Metadata) -> Credential {
    let header = |wanted: &str| {
        let (_, value) = headers.iter().find(|(name, _)| *name == wanted)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    if let Some(session) = header("sessionid") {
        return Credential::Session(session);
    }
    let token = header("authorization").unwrap_or_default();
    match token.strip_prefix("Bearer ").unwrap_or(&token) {
        "" | "Bearer" => Credential::None,
        token => Credential::Token(token.to_owned()),
    }
}

async fn send(answer: Answer, mut sink: UnarySink<Vec<u8>>, unanswered: Unanswered) {
    let mut headers = MetadataBuilder::new();
    if let Some(uuid) = &answer.uuid {
        // it fails only for unprintable values, and no lie sets one
        let _ = headers.add_str("immudb-uuid", uuid);
    }
    if answer.gzip {
        // gRPC's core compresses the messages of a call that has this header
        let _ = headers.add_str("grpc-internal-encoding-request", "gzip");
    }
    sink.set_headers(headers.build());
    if let Some(delay) = answer.delay {
        Later::after(delay).await;
    }
    let sent = match answer.outcome {
        Outcome::Message(bytes) => sink.success(bytes),
        Outcome::NoMessage => sink.fail(RpcStatus::ok()),
        Outcome::Error(status) => {
            let code = RpcStatusCode::from(status.code);
            sink.fail(RpcStatus::with_message(code, status.message))
        }
        Outcome::Silence => {
            lock(&unanswered).push(sink);
            return;
        }
    };
    // it is no error if the client cancels the call
    let _ = sent.await;
}

/// A future that is ready after a time: a thread of its own waits, because grpcio has no timer.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Passed>>);

#[derive(Default)]
struct Passed {
    passed: bool,
    waker: Option<Waker>,
}

impl Later {
    fn after(delay: Duration) -> Later {
        let later = Later::default();
        let shared = later.clone();
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            let waker = {
                let mut state = lock(&shared.0);
                state.passed = true;
                state.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        later
    }
}

impl Future for Later {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.passed {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
