package lockstep

import (
	"context"
	"errors"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// keepAliveWait is how long the first response of a KeepAlive is waited for.
const keepAliveWait = 2 * time.Second

// The methods of clientv3.Lease, one by one.
type (
	granter interface {
		Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error)
	}
	revoker interface {
		Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error)
	}
	timeToLiver interface {
		TimeToLive(
			ctx context.Context, id clientv3.LeaseID, opts ...clientv3.LeaseOption,
		) (*clientv3.LeaseTimeToLiveResponse, error)
	}
	lister interface {
		Leases(ctx context.Context) (*clientv3.LeaseLeasesResponse, error)
	}
	keeper interface {
		KeepAlive(ctx context.Context, id clientv3.LeaseID) (<-chan *clientv3.LeaseKeepAliveResponse, error)
	}
	onceKeeper interface {
		KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error)
	}
)

type leaseServer struct {
	pb.UnimplementedLeaseServer
	store *store
}

func (s *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(granter)
	if !ok {
		return nil, lacks("the value has no method Grant")
	}
	if r.ID != 0 {
		return nil, lacks("clientv3's Grant takes no id")
	}
	response, err := value.Grant(ctx, r.TTL)
	if err != nil || response == nil {
		return answer[pb.LeaseGrantResponse](i, nil, err)
	}
	return answer(i, &pb.LeaseGrantResponse{
		Header: response.ResponseHeader, ID: int64(response.ID), TTL: response.TTL, Error: response.Error,
	}, nil)
}

func (s *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(revoker)
	if !ok {
		return nil, lacks("the value has no method Revoke")
	}
	response, err := value.Revoke(ctx, clientv3.LeaseID(r.ID))
	return answer(i, (*pb.LeaseRevokeResponse)(response), err)
}

func (s *leaseServer) LeaseTimeToLive(
	ctx context.Context, r *pb.LeaseTimeToLiveRequest,
) (*pb.LeaseTimeToLiveResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(timeToLiver)
	if !ok {
		return nil, lacks("the value has no method TimeToLive")
	}
	var options []clientv3.LeaseOption
	if r.Keys {
		options = append(options, clientv3.WithAttachedKeys())
	}
	response, err := value.TimeToLive(ctx, clientv3.LeaseID(r.ID), options...)
	if err != nil || response == nil {
		return answer[pb.LeaseTimeToLiveResponse](i, nil, err)
	}
	return answer(i, &pb.LeaseTimeToLiveResponse{
		Header: response.ResponseHeader, ID: int64(response.ID), TTL: response.TTL, GrantedTTL: response.GrantedTTL,
		Keys: response.Keys,
	}, nil)
}

func (s *leaseServer) LeaseLeases(ctx context.Context, _ *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(lister)
	if !ok {
		return nil, lacks("the value has no method Leases")
	}
	response, err := value.Leases(ctx)
	if err != nil || response == nil {
		return answer[pb.LeaseLeasesResponse](i, nil, err)
	}
	leases := &pb.LeaseLeasesResponse{Header: response.ResponseHeader}
	for _, lease := range response.Leases {
		leases.Leases = append(leases.Leases, &pb.LeaseStatus{ID: int64(lease.ID)})
	}
	return answer(i, leases, nil)
}

func (s *leaseServer) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response, err := s.keepAlive(stream.Context(), clientv3.LeaseID(request.ID))
		if err != nil {
			return err
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

// keepAlive renews a lease once. Where there is no such lease, etcd answers with a TTL of 0, of which clientv3 makes
// ErrLeaseNotFound in KeepAliveOnce and a closed channel in KeepAlive.
func (s *leaseServer) keepAlive(ctx context.Context, id clientv3.LeaseID) (*pb.LeaseKeepAliveResponse, error) {
	i := s.store.instance()
	response, err := keepAliveOnce(ctx, i.value, id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) || errors.Is(err, rpctypes.ErrGRPCLeaseNotFound) {
		return &pb.LeaseKeepAliveResponse{Header: i.header(ctx), ID: int64(id)}, nil
	}
	if err != nil || response == nil {
		return answer[pb.LeaseKeepAliveResponse](i, nil, err)
	}
	return answer(i, &pb.LeaseKeepAliveResponse{
		Header: response.ResponseHeader, ID: int64(response.ID), TTL: response.TTL,
	}, nil)
}

func keepAliveOnce(ctx context.Context, value any, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	if once, ok := value.(onceKeeper); ok {
		return once.KeepAliveOnce(ctx, id)
	}
	forever, ok := value.(keeper)
	if !ok {
		return nil, lacks("the value has neither a method KeepAliveOnce nor KeepAlive")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	responses, err := forever.KeepAlive(ctx, id)
	if err != nil {
		return nil, err
	}
	select {
	case response, open := <-responses:
		if !open {
			return nil, rpctypes.ErrLeaseNotFound
		}
		return response, nil
	case <-time.After(keepAliveWait):
		return nil, status.Errorf(codes.Unknown, "KeepAlive's channel had no response for %s", keepAliveWait)
	}
}
