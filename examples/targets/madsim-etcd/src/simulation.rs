//! The simulation: a node with the server, and one whose client is asked from outside.

use madsim::{runtime::Runtime, time};
use madsim_etcd_client::{Client, Error, SimServer};
use std::{future::Future, pin::Pin, sync::mpsc, time::Duration, time::Instant};
use tonic::Status;

const SERVER: &str = "10.0.0.1:2379";

/// A call of the client in the simulation, made at a moment of real time. It answers by itself.
pub struct Job {
    pub at: Instant,
    pub call: Call,
}

pub enum Call {
    /// Start the server again: it keeps nothing.
    Reset(tokio::sync::oneshot::Sender<()>),
    Ask(Box<dyn FnOnce(Client) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>),
}

/// Starts the simulation. Its thread ends the program with it: where the server panics, so does the simulation.
pub fn start() -> mpsc::Sender<Job> {
    let (jobs, incoming) = mpsc::channel::<Job>();
    std::thread::spawn(move || {
        let ran = std::panic::catch_unwind(|| run(incoming));
        std::process::exit(ran.is_err().into());
    });
    jobs
}

fn run(incoming: mpsc::Receiver<Job>) {
    let started = Instant::now();
    let runtime = Runtime::new();
    let server = runtime
        .create_node()
        .name("server")
        .ip("10.0.0.1".parse().unwrap())
        .init(|| async { SimServer::builder().serve(SERVER.parse().unwrap()).await.unwrap() })
        .build();
    let client = runtime.create_node().name("client").ip("10.0.0.2".parse().unwrap()).build();
    let handle = runtime.handle().clone();
    runtime.block_on(async move {
        let begun = time::Instant::now();
        for job in incoming {
            let real = job.at.duration_since(started);
            time::sleep(real.saturating_sub(begun.elapsed())).await;
            match job.call {
                Call::Reset(done) => {
                    handle.kill(server.id());
                    time::sleep(Duration::from_millis(1)).await; // it lets go of its address
                    handle.restart(server.id());
                    time::sleep(Duration::from_millis(1)).await;
                    let _ = done.send(());
                }
                Call::Ask(ask) => client.spawn(async move { ask(connected().await).await }).await.unwrap(),
            }
        }
    });
}

async fn connected() -> Client {
    Client::connect([SERVER], None).await.expect("no connection within the simulation")
}

/// The gRPC status that an error of the client carries.
pub fn status(error: Error) -> Status {
    match error {
        Error::GRpcStatus(status) => status,
        other => Status::unknown(other.to_string()),
    }
}
