// Serves T4, a store with etcd's API, for etcd-lockstep: one node without object storage, a new one after each reset.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/t4db/t4"
	"github.com/t4db/t4/etcd"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run serves T4 until SIGTERM, on databases that are deleted afterwards.
func run() error {
	served := &served{}
	if err := served.reset(); err != nil {
		return err
	}
	defer func() { served.now.Load().end() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(etcd.NewServerOptions(nil, nil)...)
	pb.RegisterKVServer(server, served)
	pb.RegisterLeaseServer(server, served)
	pb.RegisterWatchServer(server, served)
	server.RegisterService(&target, served)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		server.Stop()
	}()
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}

// target is the service in adapters/proto/target.proto.
var target = grpc.ServiceDesc{
	ServiceName: "etcdlockstep.Target",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Reset",
		Handler: func(all any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(&emptypb.Empty{}); err != nil {
				return nil, err
			}
			return &emptypb.Empty{}, all.(*served).reset()
		},
	}},
}

// node is one T4, and where its data is.
type node struct {
	*etcd.Server
	store  *t4.Node
	folder string
}

func (n *node) end() {
	n.store.Close()
	os.RemoveAll(n.folder)
}

// served hands each call to the T4 of now.
type served struct {
	pb.UnimplementedKVServer
	pb.UnimplementedLeaseServer
	pb.UnimplementedWatchServer
	now atomic.Pointer[node]
}

func (s *served) reset() error {
	folder, err := os.MkdirTemp("", "t4-")
	if err != nil {
		return err
	}
	store, err := t4.Open(t4.Config{DataDir: folder, Logger: t4.NoopLogger})
	if err != nil {
		return err
	}
	if before := s.now.Swap(&node{etcd.New(store, nil, nil), store, folder}); before != nil {
		before.end()
	}
	return nil
}

func (s *served) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return s.now.Load().Range(ctx, r)
}

func (s *served) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	return s.now.Load().Put(ctx, r)
}

func (s *served) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return s.now.Load().DeleteRange(ctx, r)
}

func (s *served) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	return s.now.Load().Txn(ctx, r)
}

func (s *served) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return s.now.Load().Compact(ctx, r)
}

func (s *served) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return s.now.Load().LeaseGrant(ctx, r)
}

func (s *served) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	return s.now.Load().LeaseRevoke(ctx, r)
}

func (s *served) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	return s.now.Load().LeaseTimeToLive(ctx, r)
}

func (s *served) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	return s.now.Load().LeaseLeases(ctx, r)
}

func (s *served) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	return s.now.Load().LeaseKeepAlive(stream)
}

func (s *served) Watch(stream pb.Watch_WatchServer) error {
	return s.now.Load().Watch(stream)
}
