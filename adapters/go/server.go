package lockstep

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// resetService is the service of etcd-lockstep's own: Reset takes an empty message, and answers with etcd's
// ResponseHeader, whose revision is 0 since nobody here knows that of a fresh value.
const resetService = "etcdlockstep.Target"

// store holds the value of the sequence that runs.
type store struct {
	newValue func() any
	mu       sync.Mutex
	current  *instance
}

// instance is one value, and what was learned from its answers.
type instance struct {
	value any
	mu    sync.Mutex
	// revision is the highest that a header of an answer had.
	revision int64
	// asked is whether any stream has asked for a report of progress.
	asked bool
}

// instance returns the value of the sequence that runs. The first one is made when it is needed.
func (s *store) instance() *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		s.current = &instance{value: s.newValue()}
	}
	return s.current
}

// reset lets go of the value: the next request gets a new one.
func (s *store) reset() {
	s.mu.Lock()
	last := s.current
	s.current = nil
	s.mu.Unlock()
	if last == nil {
		return
	}
	if closer, ok := last.value.(io.Closer); ok {
		// A mock whose Close panics or never returns is not what is examined here.
		go func() {
			defer func() { _ = recover() }()
			_ = closer.Close()
		}()
	}
}

// seen notes the revision of a header.
func (i *instance) seen(header *pb.ResponseHeader) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if revision := header.GetRevision(); revision > i.revision {
		i.revision = revision
	}
}

func (i *instance) askProgress() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = true
}

func (i *instance) progressAsked() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// header is for answers that etcd gives, and of which clientv3 shows its users no header: that of a plain Get at this
// moment, for leases that expire change the revision too, or else the last one that was seen.
func (i *instance) header(ctx context.Context) *pb.ResponseHeader {
	if value, ok := i.value.(getter); ok {
		i.read(ctx, value)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return &pb.ResponseHeader{Revision: i.revision}
}

// read notes the revision that a Get shows. Whatever goes wrong in it, a request of the suite's own will show.
func (i *instance) read(ctx context.Context, value getter) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	done := make(chan struct{})
	go func() {
		defer cancel()
		defer close(done)
		defer func() { _ = recover() }()
		if response, err := value.Get(ctx, "\x00"); err == nil && response != nil {
			i.seen(response.Header)
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func newServer(s *store) *grpc.Server {
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(math.MaxInt32),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.UnaryInterceptor(recoverUnary),
		grpc.StreamInterceptor(recoverStream),
	)
	pb.RegisterKVServer(server, &kvServer{store: s})
	pb.RegisterLeaseServer(server, &leaseServer{store: s})
	pb.RegisterWatchServer(server, &watchServer{store: s})
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: resetService,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Reset", Handler: s.handleReset}},
	}, s)
	return server
}

func (s *store) handleReset(
	_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
) (any, error) {
	// Any message of etcd's without fields will do for an empty one.
	request := &pb.StatusRequest{}
	if err := decode(request); err != nil {
		return nil, err
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/" + resetService + "/Reset"}
	return intercept(ctx, request, info, func(context.Context, any) (any, error) {
		s.reset()
		s.instance() // so that it is Reset that fails where none can be made
		return &pb.ResponseHeader{}, nil
	})
}

func recoverUnary(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (response any, err error) {
	defer recovered(&err)
	return handler(ctx, request)
}

func recoverStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer recovered(&err)
	return handler(srv, stream)
}

// recovered turns a panic of the value into an error, which is an answer to be compared like any other.
func recovered(err *error) {
	if panicked := recover(); panicked != nil {
		*err = status.Error(codes.Internal, fmt.Sprintf("panic: %v", panicked))
	}
}
