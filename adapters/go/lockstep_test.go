package lockstep_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"

	"etcd-lockstep/lockstep"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// connect serves a value, and returns a connection to it.
func connect(t *testing.T, newValue func() any) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := lockstep.NewServer(newValue)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	connection, err := grpc.Dial(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// recorder keeps what it is called with, as an Op.
type recorder struct {
	op  clientv3.Op
	txn txn
}

type txn struct {
	compares    []clientv3.Cmp
	then, other []clientv3.Op
}

func (r *recorder) Get(_ context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	r.op = clientv3.OpGet(key, opts...)
	return &clientv3.GetResponse{Header: &pb.ResponseHeader{Revision: 7}, Count: 3}, nil
}

func (r *recorder) Put(_ context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	r.op = clientv3.OpPut(key, val, opts...)
	return nil, nil
}

func (r *recorder) Delete(_ context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	r.op = clientv3.OpDelete(key, opts...)
	return &clientv3.DeleteResponse{Deleted: 2}, nil
}

func (r *recorder) Txn(context.Context) clientv3.Txn { return &r.txn }

func (t *txn) If(compares ...clientv3.Cmp) clientv3.Txn {
	t.compares = compares
	return t
}

func (t *txn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.then = ops
	return t
}

func (t *txn) Else(ops ...clientv3.Op) clientv3.Txn {
	t.other = ops
	return t
}

func (t *txn) Commit() (*clientv3.TxnResponse, error) {
	return &clientv3.TxnResponse{Succeeded: true}, nil
}

// TestOptionsComeThrough sends requests with clientv3, and expects the value to be called as clientv3 was.
func TestOptionsComeThrough(t *testing.T) {
	recorded := &recorder{}
	kv := clientv3.NewKVFromKVClient(pb.NewKVClient(connect(t, func() any { return recorded })), nil)
	for name, op := range map[string]clientv3.Op{
		"key":          clientv3.OpGet("k"),
		"prefix":       clientv3.OpGet("k", clientv3.WithPrefix()),
		"from key":     clientv3.OpGet("k", clientv3.WithFromKey()),
		"range":        clientv3.OpGet("k", clientv3.WithRange("l\x00")),
		"empty key":    clientv3.OpGet("", clientv3.WithRange("z")),
		"no UTF-8":     clientv3.OpGet("\xff\x00", clientv3.WithRange("\xff\xff")),
		"revision":     clientv3.OpGet("k", clientv3.WithRev(5)),
		"limit":        clientv3.OpGet("k", clientv3.WithLimit(2)),
		"sort":         clientv3.OpGet("k", clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend)),
		"serializable": clientv3.OpGet("k", clientv3.WithSerializable()),
		"keys only":    clientv3.OpGet("k", clientv3.WithKeysOnly()),
		"count only":   clientv3.OpGet("k", clientv3.WithCountOnly()),
		"filters": clientv3.OpGet(
			"k", clientv3.WithMinModRev(1), clientv3.WithMaxModRev(2),
			clientv3.WithMinCreateRev(3), clientv3.WithMaxCreateRev(4),
		),
		"put":           clientv3.OpPut("k", "v\xff"),
		"lease":         clientv3.OpPut("k", "v", clientv3.WithLease(42)),
		"put prev_kv":   clientv3.OpPut("k", "v", clientv3.WithPrevKV()),
		"ignored value": clientv3.OpPut("k", "", clientv3.WithIgnoreValue()),
		"ignored lease": clientv3.OpPut("k", "v", clientv3.WithIgnoreLease()),
		"delete":        clientv3.OpDelete("k"),
		"delete all":    clientv3.OpDelete("k", clientv3.WithPrefix(), clientv3.WithPrevKV()),
	} {
		if _, err := kv.Do(context.Background(), op); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(recorded.op, op) {
			t.Errorf("%s:\nsent %+v\ngot  %+v", name, op, recorded.op)
		}
	}
}

func TestATransactionComesThrough(t *testing.T) {
	recorded := &recorder{}
	kv := clientv3.NewKVFromKVClient(pb.NewKVClient(connect(t, func() any { return recorded })), nil)
	sent := txn{
		compares: []clientv3.Cmp{
			clientv3.Compare(clientv3.Version("k"), "=", 1),
			clientv3.Compare(clientv3.CreateRevision("k"), "!=", 2),
			clientv3.Compare(clientv3.ModRevision("k"), ">", 3),
			clientv3.Compare(clientv3.Value("k"), "<", "v"),
			clientv3.Compare(clientv3.LeaseValue("k").WithRange("l"), "=", 4),
		},
		then: []clientv3.Op{
			clientv3.OpGet("k", clientv3.WithPrefix()),
			clientv3.OpPut("k", "v", clientv3.WithLease(5)),
			clientv3.OpTxn(
				[]clientv3.Cmp{clientv3.Compare(clientv3.Version("x"), "=", 0)},
				[]clientv3.Op{clientv3.OpPut("x", "1")}, []clientv3.Op{clientv3.OpGet("x")},
			),
		},
		other: []clientv3.Op{clientv3.OpDelete("k", clientv3.WithFromKey())},
	}
	response, err := kv.Txn(context.Background()).If(sent.compares...).Then(sent.then...).Else(sent.other...).Commit()
	if err != nil || !response.Succeeded {
		t.Fatal(response, err)
	}
	if !reflect.DeepEqual(recorded.txn, sent) {
		t.Errorf("\nsent %+v\ngot  %+v", sent, recorded.txn)
	}
}

func TestAnAnswerComesThrough(t *testing.T) {
	kv := pb.NewKVClient(connect(t, func() any { return &recorder{} }))
	got, err := kv.Range(context.Background(), &pb.RangeRequest{Key: []byte("k")})
	if err != nil || got.Count != 3 || got.Header.Revision != 7 {
		t.Error(got, err)
	}
	if put, err := kv.Put(context.Background(), &pb.PutRequest{}); err != nil || put.Header != nil {
		t.Error("neither a response nor an error is an empty response, not", put, err)
	}
}

func TestWhatTheValueLacksIsUnimplemented(t *testing.T) {
	connection := connect(t, func() any { return struct{}{} })
	ctx := context.Background()
	kv, lease := pb.NewKVClient(connection), pb.NewLeaseClient(connection)
	for name, call := range map[string]func() error{
		"Range":       func() error { _, err := kv.Range(ctx, &pb.RangeRequest{}); return err },
		"Put":         func() error { _, err := kv.Put(ctx, &pb.PutRequest{}); return err },
		"DeleteRange": func() error { _, err := kv.DeleteRange(ctx, &pb.DeleteRangeRequest{}); return err },
		"Txn":         func() error { _, err := kv.Txn(ctx, &pb.TxnRequest{}); return err },
		"Compact":     func() error { _, err := kv.Compact(ctx, &pb.CompactionRequest{}); return err },
		"Grant":       func() error { _, err := lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{}); return err },
		"Revoke":      func() error { _, err := lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{}); return err },
		"TimeToLive":  func() error { _, err := lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{}); return err },
		"Leases":      func() error { _, err := lease.LeaseLeases(ctx, &pb.LeaseLeasesRequest{}); return err },
		"KeepAlive": func() error {
			stream, err := lease.LeaseKeepAlive(ctx)
			if err != nil {
				return err
			}
			_ = stream.Send(&pb.LeaseKeepAliveRequest{})
			_, err = stream.Recv()
			return err
		},
		"Watch": func() error {
			stream, err := pb.NewWatchClient(connection).Watch(ctx)
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		},
		"Status": func() error {
			_, err := pb.NewMaintenanceClient(connection).Status(ctx, &pb.StatusRequest{})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatClientv3CannotSayIsUnimplemented(t *testing.T) {
	connection := connect(t, func() any { return &failing{} })
	_, err := pb.NewLeaseClient(connection).LeaseGrant(context.Background(), &pb.LeaseGrantRequest{TTL: 5, ID: 7})
	if status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	_, err = pb.NewKVClient(connect(t, func() any { return &recorder{} })).Txn(
		context.Background(), &pb.TxnRequest{Compare: []*pb.Compare{{Result: 9}}},
	)
	if status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}

// failing answers with an error, or panics.
type failing struct{ err error }

func (f *failing) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if f.err == nil {
		panic("assignment to entry in nil map")
	}
	return nil, f.err
}

func (f *failing) Grant(context.Context, int64) (*clientv3.LeaseGrantResponse, error) {
	return nil, f.err
}

func (f *failing) KeepAliveOnce(context.Context, clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	return nil, f.err
}

func TestErrorsKeepTheirCodeAndText(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{nil, codes.Internal, "panic: assignment to entry in nil map"},
		{errors.New("no"), codes.Unknown, "no"},
		{rpctypes.ErrCompacted, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted"},
		{rpctypes.ErrGRPCEmptyKey, codes.InvalidArgument, "etcdserver: key is not provided"},
		{context.DeadlineExceeded, codes.Unknown, "context deadline exceeded"},
		{rpctypes.ErrNoLeader, codes.Unknown, "Unavailable: etcdserver: no leader"},
		{status.Error(codes.Unimplemented, "later"), codes.Unknown, "Unimplemented: later"},
	} {
		kv := pb.NewKVClient(connect(t, func() any { return &failing{c.err} }))
		_, err := kv.Range(context.Background(), &pb.RangeRequest{})
		if status.Code(err) != c.code || status.Convert(err).Message() != c.text {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestAKeepAliveOfNoLeaseHasATTLOf0(t *testing.T) {
	lease := pb.NewLeaseClient(connect(t, func() any { return &failing{rpctypes.ErrLeaseNotFound} }))
	stream, err := lease.LeaseKeepAlive(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: 7}); err != nil {
		t.Fatal(err)
	}
	if response, err := stream.Recv(); err != nil || response.ID != 7 || response.TTL != 0 {
		t.Error(response, err)
	}
}

// counter counts its puts as revisions, and sends them to its one watcher.
type counter struct {
	revision int64
	events   chan clientv3.WatchResponse
	closed   chan struct{}
}

func (c *counter) Put(_ context.Context, key, _ string, _ ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	c.revision++
	if c.events != nil {
		kv := &mvccpb.KeyValue{Key: []byte(key), ModRevision: c.revision}
		c.events <- clientv3.WatchResponse{Events: []*clientv3.Event{{Type: mvccpb.PUT, Kv: kv}}}
	}
	return &clientv3.PutResponse{Header: &pb.ResponseHeader{Revision: c.revision}}, nil
}

func (c *counter) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	c.events = make(chan clientv3.WatchResponse, 1)
	return c.events
}

func (c *counter) Close() error {
	close(c.closed)
	return nil
}

func TestAResetMakesANewValueAndClosesTheOld(t *testing.T) {
	closed := make(chan struct{})
	connection := connect(t, func() any { return &counter{closed: closed} })
	kv := pb.NewKVClient(connection)
	put := func() int64 {
		t.Helper()
		response, err := kv.Put(context.Background(), &pb.PutRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return response.Header.Revision
	}
	if first, second := put(), put(); first != 1 || second != 2 {
		t.Fatal(first, second)
	}
	// By the path and with the messages that docs/targets.md names.
	header := &pb.ResponseHeader{}
	err := connection.Invoke(context.Background(), "/etcdlockstep.Target/Reset", &pb.StatusRequest{}, header)
	if err != nil || header.Revision != 0 {
		t.Fatal(header, err)
	}
	<-closed
	if again := put(); again != 1 {
		t.Error(again)
	}
}

func TestAFactoryThatPanicsFailsTheReset(t *testing.T) {
	connection := connect(t, func() any { panic("no database") })
	err := connection.Invoke(
		context.Background(), "/etcdlockstep.Target/Reset", &pb.StatusRequest{}, &pb.ResponseHeader{},
	)
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "panic: no database" {
		t.Error(err)
	}
}

func TestAWatcherIsSentEvents(t *testing.T) {
	connection := connect(t, func() any { return &counter{} })
	kv := pb.NewKVClient(connection)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := pb.NewWatchClient(connection).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send := func(request *pb.WatchRequest) {
		t.Helper()
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() *pb.WatchResponse {
		t.Helper()
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	create := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("k"), WatchId: 9},
	}}
	send(create)
	if created := receive(); !created.Created || created.WatchId != 9 {
		t.Error(created)
	}
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("k")}); err != nil {
		t.Fatal(err)
	}
	if sent := receive(); sent.WatchId != 9 || len(sent.Events) != 1 || sent.Events[0].Kv.ModRevision != 1 {
		t.Error(sent)
	}
	send(create)
	if again := receive(); !again.Canceled || again.WatchId != -1 {
		t.Error("an id that is taken is refused, and not", again)
	}
	send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: 9},
	}})
	if canceled := receive(); !canceled.Canceled || canceled.WatchId != 9 || canceled.Header.Revision != 1 {
		t.Error(canceled)
	}
}

func TestServeInTestIsSkippedElsewhere(t *testing.T) {
	t.Setenv(lockstep.EnvServe, "")
	inner := &skipped{}
	func() {
		defer func() { _ = recover() }()
		lockstep.ServeInTest(inner, func() any { return nil })
	}()
	if !inner.skipped {
		t.Error("it was not skipped")
	}
}

type skipped struct{ skipped bool }

func (s *skipped) Helper() {}

func (s *skipped) Skip(...any) {
	s.skipped = true
	panic("as testing.T leaves the test")
}

func (s *skipped) Fatal(...any) {}
