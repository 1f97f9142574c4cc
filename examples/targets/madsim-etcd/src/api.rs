//! etcd's API: each request as a call of the client in the simulation.

use crate::simulation::{Call, Job, status};
use etcd::{
    compare::{CompareResult, CompareTarget, TargetUnion},
    request_op, response_op,
};
use madsim_etcd_client as sim;
use std::{future::Future, sync::mpsc, time::Instant};
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

#[allow(dead_code)] // the proto file has messages that no service here has
pub mod etcd {
    tonic::include_proto!("etcdserverpb");
}
pub mod lockstep {
    tonic::include_proto!("etcdlockstep");
}

#[derive(Clone)]
pub struct Served {
    jobs: mpsc::Sender<Job>,
}

impl Served {
    pub fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self { jobs }
    }

    async fn ask<T, F, Fut>(&self, ask: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce(sim::Client) -> Fut + Send + 'static,
        Fut: Future<Output = sim::Result<T>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        self.send(Call::Ask(Box::new(move |client| {
            Box::pin(async move {
                let _ = sender.send(ask(client).await);
            })
        })))?;
        answer.await.map_err(|_| ended())?.map_err(status)
    }

    fn send(&self, call: Call) -> Result<(), Status> {
        self.jobs.send(Job { at: Instant::now(), call }).map_err(|_| ended())
    }
}

fn ended() -> Status {
    Status::unavailable("the simulation ended")
}

fn no_words(what: &str) -> Status {
    Status::unimplemented(format!("the client has no {what}"))
}

#[tonic::async_trait]
impl lockstep::target_server::Target for Served {
    async fn reset(&self, _: Request<lockstep::ResetRequest>) -> Result<Response<lockstep::ResetResponse>, Status> {
        let (sender, done) = oneshot::channel();
        self.send(Call::Reset(sender))?;
        done.await.map_err(|_| ended())?;
        Ok(Response::new(Default::default()))
    }
}

// KV

#[tonic::async_trait]
impl etcd::kv_server::Kv for Served {
    async fn range(&self, request: Request<etcd::RangeRequest>) -> Result<Response<etcd::RangeResponse>, Status> {
        let request = request.into_inner();
        let options = get_options(&request)?;
        let got = self.ask(|client| async move { client.kv_client().get(request.key, options).await }).await?;
        Ok(Response::new(range_response(&got)))
    }

    async fn put(&self, request: Request<etcd::PutRequest>) -> Result<Response<etcd::PutResponse>, Status> {
        let request = request.into_inner();
        let options = put_options(&request)?;
        let put = self
            .ask(move |client| async move { client.kv_client().put(request.key, request.value, Some(options)).await })
            .await?;
        Ok(Response::new(put_response(&put)))
    }

    async fn delete_range(
        &self,
        request: Request<etcd::DeleteRangeRequest>,
    ) -> Result<Response<etcd::DeleteRangeResponse>, Status> {
        let request = request.into_inner();
        only_a_key(&request)?;
        let deleted = self.ask(|client| async move { client.kv_client().delete(request.key, None).await }).await?;
        Ok(Response::new(delete_response(&deleted)))
    }

    async fn txn(&self, request: Request<etcd::TxnRequest>) -> Result<Response<etcd::TxnResponse>, Status> {
        let txn = txn(request.into_inner())?;
        let done = self.ask(|client| async move { client.kv_client().txn(txn).await }).await?;
        Ok(Response::new(txn_response(&done)))
    }
}

/// None reads one key. `get` with a revision is a `todo!()` in the crate.
fn get_options(request: &etcd::RangeRequest) -> Result<Option<sim::GetOptions>, Status> {
    let plain =
        etcd::RangeRequest { key: request.key.clone(), range_end: request.range_end.clone(), ..Default::default() };
    if *request != plain {
        return Err(no_words("such option of a read"));
    }
    match &request.range_end {
        end if end.is_empty() => Ok(None),
        end if prefix_end(&request.key).as_ref() == Some(end) => Ok(Some(sim::GetOptions::new().with_prefix())),
        _ => Err(no_words("range that is no prefix")),
    }
}

fn prefix_end(key: &[u8]) -> Option<Vec<u8>> {
    let last = key.iter().rposition(|byte| *byte < 0xff)?;
    let mut end = key[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn put_options(request: &etcd::PutRequest) -> Result<sim::PutOptions, Status> {
    if request.ignore_value || request.ignore_lease {
        return Err(no_words("such option of a put"));
    }
    let options = sim::PutOptions::new().with_lease(request.lease);
    Ok(if request.prev_kv { options.with_prev_key() } else { options })
}

fn only_a_key(request: &etcd::DeleteRangeRequest) -> Result<(), Status> {
    if request.range_end.is_empty() && !request.prev_kv { Ok(()) } else { Err(no_words("option of a delete")) }
}

fn txn(request: etcd::TxnRequest) -> Result<sim::Txn, Status> {
    Ok(sim::Txn::new()
        .when(request.compare.into_iter().map(compare).collect::<Result<Vec<_>, _>>()?)
        .and_then(request.success.into_iter().map(operation).collect::<Result<Vec<_>, _>>()?)
        .or_else(request.failure.into_iter().map(operation).collect::<Result<Vec<_>, _>>()?))
}

fn compare(compare: etcd::Compare) -> Result<sim::Compare, Status> {
    let result = match compare.result() {
        CompareResult::Equal => sim::CompareOp::Equal,
        CompareResult::Greater => sim::CompareOp::Greater,
        CompareResult::Less => sim::CompareOp::Less,
        CompareResult::NotEqual => sim::CompareOp::NotEqual,
    };
    match (compare.target(), compare.target_union) {
        (CompareTarget::Value, Some(TargetUnion::Value(value))) if compare.range_end.is_empty() => {
            Ok(sim::Compare::value(compare.key, result, value))
        }
        _ => Err(no_words("comparison but that of one key's value")),
    }
}

fn operation(operation: etcd::RequestOp) -> Result<sim::TxnOp, Status> {
    Ok(match operation.request.ok_or_else(|| no_words("operation that is none"))? {
        request_op::Request::RequestRange(range) => {
            let options = get_options(&range)?;
            sim::TxnOp::get(range.key, options)
        }
        request_op::Request::RequestPut(put) => {
            let options = put_options(&put)?;
            sim::TxnOp::put(put.key, put.value, Some(options))
        }
        request_op::Request::RequestDeleteRange(delete) => {
            only_a_key(&delete)?;
            sim::TxnOp::delete(delete.key, None)
        }
        request_op::Request::RequestTxn(nested) => sim::TxnOp::txn(txn(nested)?),
    })
}

// Answers

fn header(header: Option<&sim::ResponseHeader>) -> Option<etcd::ResponseHeader> {
    header.map(|header| etcd::ResponseHeader { revision: header.revision(), ..Default::default() })
}

/// A key-value of the crate has no version.
fn key_value(kv: &sim::KeyValue) -> etcd::KeyValue {
    etcd::KeyValue {
        key: kv.key().to_vec(),
        value: kv.value().to_vec(),
        lease: kv.lease(),
        create_revision: kv.create_revision(),
        mod_revision: kv.mod_revision(),
        ..Default::default()
    }
}

/// The crate's answer has no count; where nothing limits the read, it is the number of keys.
fn range_response(got: &sim::GetResponse) -> etcd::RangeResponse {
    etcd::RangeResponse {
        header: header(got.header()),
        kvs: got.kvs().iter().map(key_value).collect(),
        count: got.kvs().len() as i64,
        ..Default::default()
    }
}

fn put_response(put: &sim::PutResponse) -> etcd::PutResponse {
    etcd::PutResponse { header: header(put.header()), prev_kv: put.prev_key().map(key_value) }
}

fn delete_response(deleted: &sim::DeleteResponse) -> etcd::DeleteRangeResponse {
    etcd::DeleteRangeResponse { header: header(deleted.header()), deleted: deleted.deleted(), ..Default::default() }
}

fn txn_response(done: &sim::TxnResponse) -> etcd::TxnResponse {
    etcd::TxnResponse {
        header: header(done.header()),
        succeeded: done.succeeded(),
        responses: done.op_responses().iter().map(operation_response).collect(),
    }
}

fn operation_response(response: &sim::TxnOpResponse) -> etcd::ResponseOp {
    let response = match response {
        sim::TxnOpResponse::Get(got) => response_op::Response::ResponseRange(range_response(got)),
        sim::TxnOpResponse::Put(put) => response_op::Response::ResponsePut(put_response(put)),
        sim::TxnOpResponse::Delete(deleted) => response_op::Response::ResponseDeleteRange(delete_response(deleted)),
        sim::TxnOpResponse::Txn(done) => response_op::Response::ResponseTxn(txn_response(done)),
    };
    etcd::ResponseOp { response: Some(response) }
}

// Lease

#[tonic::async_trait]
impl etcd::lease_server::Lease for Served {
    async fn lease_grant(
        &self,
        request: Request<etcd::LeaseGrantRequest>,
    ) -> Result<Response<etcd::LeaseGrantResponse>, Status> {
        let request = request.into_inner();
        let options = sim::LeaseGrantOptions::new().with_id(request.id);
        let granted = self
            .ask(move |client| async move { client.lease_client().grant(request.ttl, Some(options)).await })
            .await?;
        Ok(Response::new(etcd::LeaseGrantResponse {
            header: header(granted.header()),
            id: granted.id(),
            ttl: granted.ttl(),
            ..Default::default()
        }))
    }

    async fn lease_revoke(
        &self,
        request: Request<etcd::LeaseRevokeRequest>,
    ) -> Result<Response<etcd::LeaseRevokeResponse>, Status> {
        let id = request.into_inner().id;
        let revoked = self.ask(move |client| async move { client.lease_client().revoke(id).await }).await?;
        Ok(Response::new(etcd::LeaseRevokeResponse { header: header(revoked.header()) }))
    }

    /// Each request as a stream of its own, of which the client takes the first answer for itself.
    async fn lease_keep_alive(
        &self,
        requests: Request<Streaming<etcd::LeaseKeepAliveRequest>>,
    ) -> Result<Response<BoxStream<etcd::LeaseKeepAliveResponse>>, Status> {
        let served = self.clone();
        Ok(Response::new(Box::pin(requests.into_inner().then(move |request| {
            let served = served.clone();
            async move {
                let id = request?.id;
                let kept = served
                    .ask(move |client| async move {
                        let (mut keeper, mut answers) = client.lease_client().keep_alive(id).await?;
                        keeper.keep_alive().await?;
                        answers.message().await
                    })
                    .await?
                    .ok_or_else(|| Status::unknown("the stream of keepalives ended"))?;
                Ok(etcd::LeaseKeepAliveResponse { header: header(kept.header()), id: kept.id(), ttl: kept.ttl() })
            }
        }))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<etcd::LeaseTimeToLiveRequest>,
    ) -> Result<Response<etcd::LeaseTimeToLiveResponse>, Status> {
        let request = request.into_inner();
        let options = sim::LeaseTimeToLiveOptions::new();
        let options = if request.keys { options.with_keys() } else { options };
        let left = self
            .ask(move |client| async move { client.lease_client().time_to_live(request.id, Some(options)).await })
            .await?;
        Ok(Response::new(etcd::LeaseTimeToLiveResponse {
            header: header(left.header()),
            id: left.id(),
            ttl: left.ttl(),
            granted_ttl: left.granted_ttl(),
            keys: left.keys().to_vec(),
        }))
    }

    async fn lease_leases(
        &self,
        _: Request<etcd::LeaseLeasesRequest>,
    ) -> Result<Response<etcd::LeaseLeasesResponse>, Status> {
        let listed = self.ask(|client| async move { client.lease_client().leases().await }).await?;
        let leases = listed.leases().iter().map(|lease| etcd::LeaseStatus { id: lease.id() }).collect();
        Ok(Response::new(etcd::LeaseLeasesResponse { header: header(listed.header()), leases }))
    }
}
