//! gRPC's core: started for the first connection, and ended if none is needed for a while. While it runs, its
//! threads wake up two or three times a second, and no setting prevents that.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use grpcio::{EnvBuilder, Environment};

use crate::sys;

/// The longest wait for the end of gRPC's thread. It mostly ends within a millisecond, and within a second if a timer
/// of gRPC is pending.
const MAX_SHUTDOWN_WAIT: Duration = Duration::from_secs(2);
/// The maximum number of threads that earlier runs of the core may leave. Once it is reached, the core keeps
/// running.
const MAX_LEFT_THREADS: usize = 4;

/// The part of gRPC's core that the connections to one server need.
#[derive(Default)]
pub(super) struct Core {
    running: Option<Running>,
    /// Threads that had not ended when they were waited for.
    left: Vec<Receiver<()>>,
}

struct Running {
    environment: Arc<Environment>,
    /// Receives a message when the thread has ended.
    ended: Receiver<()>,
}

impl Core {
    /// Returns the environment of connections; starts the core if it does not run.
    pub fn environment(&mut self) -> Arc<Environment> {
        let running = self.running.get_or_insert_with(Running::begin);
        running.environment.clone()
    }

    /// Ends the core, after every connection was dropped. If its thread stays, the core is ended later.
    pub fn end(&mut self) {
        self.left.retain(|ended| {
            let has_ended = ended.try_recv().is_ok();
            if has_ended {
                sys::end_grpc();
            }
            !has_ended
        });
        if self.left.len() >= MAX_LEFT_THREADS {
            return;
        }
        let Some(Running { environment, ended }) = self.running.take() else {
            return;
        };
        drop(environment); // this shuts down its queue, so its thread ends
        match ended.recv_timeout(MAX_SHUTDOWN_WAIT) {
            Ok(()) => sys::end_grpc(),
            Err(_) => self.left.push(ended), // the queue is in use, and ending the core now would abort the process
        }
    }
}

impl Running {
    fn begin() -> Running {
        let (sender, ended) = mpsc::channel();
        let environment = EnvBuilder::new()
            .cq_count(1) // one queue is enough, because the program waits for one call at a time
            .name_prefix("grpc-poll")
            .before_stop(move || {
                let _ = sender.send(()); // the receiver may have been dropped
            })
            .build();
        Running {
            environment: Arc::new(environment),
            ended,
        }
    }
}
