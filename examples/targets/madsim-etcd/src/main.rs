//! Serves the simulated etcd of madsim-etcd-client over gRPC, for etcd-lockstep.
//!
//! The simulation runs in a thread of its own, in which its time passes as fast as real time does. What the client of
//! the simulation has no words for is answered with UNIMPLEMENTED.

#[cfg(not(madsim))]
compile_error!("the simulation is there only with RUSTFLAGS='--cfg madsim'");

mod api;
mod simulation;

use api::{Served, etcd, lockstep};
use tokio_stream::wrappers::TcpListenerStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let served = Served::new(simulation::start());
    tonic::transport::Server::builder()
        .add_service(etcd::kv_server::KvServer::new(served.clone()))
        .add_service(etcd::lease_server::LeaseServer::new(served.clone()))
        .add_service(lockstep::target_server::TargetServer::new(served))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
