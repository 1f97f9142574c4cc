package lockstep

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The methods of clientv3.KV, one by one, for a mock need not have them all.
type (
	getter interface {
		Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error)
	}
	putter interface {
		Put(ctx context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error)
	}
	deleter interface {
		Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error)
	}
	compacter interface {
		Compact(ctx context.Context, rev int64, opts ...clientv3.CompactOption) (*clientv3.CompactResponse, error)
	}
	transactor interface {
		Txn(ctx context.Context) clientv3.Txn
	}
)

type kvServer struct {
	pb.UnimplementedKVServer
	store *store
}

func (s *kvServer) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(getter)
	if !ok {
		return nil, lacks("the value has no method Get")
	}
	response, err := value.Get(ctx, string(r.Key), getOptions(r)...)
	return answer(i, (*pb.RangeResponse)(response), err)
}

func (s *kvServer) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(putter)
	if !ok {
		return nil, lacks("the value has no method Put")
	}
	response, err := value.Put(ctx, string(r.Key), string(r.Value), putOptions(r)...)
	return answer(i, (*pb.PutResponse)(response), err)
}

func (s *kvServer) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(deleter)
	if !ok {
		return nil, lacks("the value has no method Delete")
	}
	response, err := value.Delete(ctx, string(r.Key), deleteOptions(r)...)
	return answer(i, (*pb.DeleteRangeResponse)(response), err)
}

func (s *kvServer) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(compacter)
	if !ok {
		return nil, lacks("the value has no method Compact")
	}
	response, err := value.Compact(ctx, r.Revision, compactOptions(r)...)
	return answer(i, (*pb.CompactionResponse)(response), err)
}

func (s *kvServer) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	i := s.store.instance()
	value, ok := i.value.(transactor)
	if !ok {
		return nil, lacks("the value has no method Txn")
	}
	compares, err := toCompares(r.Compare)
	if err != nil {
		return nil, err
	}
	success, err := toOps(r.Success)
	if err != nil {
		return nil, err
	}
	failure, err := toOps(r.Failure)
	if err != nil {
		return nil, err
	}
	txn := value.Txn(ctx)
	if len(compares) > 0 {
		txn = txn.If(compares...)
	}
	if len(success) > 0 {
		txn = txn.Then(success...)
	}
	if len(failure) > 0 {
		txn = txn.Else(failure...)
	}
	response, err := txn.Commit()
	return answer(i, (*pb.TxnResponse)(response), err)
}

// message is a response of etcd's.
type message[T any] interface {
	*T
	GetHeader() *pb.ResponseHeader
}

// answer returns what the value returned, as gRPC carries it. Neither a response nor an error is an empty response: a
// caller that looks at neither notices nothing.
func answer[T any, M message[T]](i *instance, response M, err error) (M, error) {
	if err != nil {
		return nil, toStatus(err)
	}
	if response == nil {
		return new(T), nil
	}
	i.seen(response.GetHeader())
	return response, nil
}
