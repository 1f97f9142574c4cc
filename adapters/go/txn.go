package lockstep

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var comparisons = map[pb.Compare_CompareResult]string{
	pb.Compare_EQUAL:     "=",
	pb.Compare_NOT_EQUAL: "!=",
	pb.Compare_GREATER:   ">",
	pb.Compare_LESS:      "<",
}

// toCompares returns the arguments of If. What clientv3 has no words for is UNIMPLEMENTED.
func toCompares(compares []*pb.Compare) ([]clientv3.Cmp, error) {
	var made []clientv3.Cmp
	for _, compare := range compares {
		one, err := toCompare(compare)
		if err != nil {
			return nil, err
		}
		made = append(made, one)
	}
	return made, nil
}

func toCompare(c *pb.Compare) (clientv3.Cmp, error) {
	key := string(c.Key)
	result, known := comparisons[c.Result]
	if !known {
		return clientv3.Cmp{}, lacks("clientv3 has no such comparison")
	}
	var made clientv3.Cmp
	switch c.Target {
	case pb.Compare_VERSION:
		made = clientv3.Compare(clientv3.Version(key), result, c.GetVersion())
	case pb.Compare_CREATE:
		made = clientv3.Compare(clientv3.CreateRevision(key), result, c.GetCreateRevision())
	case pb.Compare_MOD:
		made = clientv3.Compare(clientv3.ModRevision(key), result, c.GetModRevision())
	case pb.Compare_VALUE:
		made = clientv3.Compare(clientv3.Value(key), result, string(c.GetValue()))
	case pb.Compare_LEASE:
		made = clientv3.Compare(clientv3.LeaseValue(key), result, c.GetLease())
	default:
		return clientv3.Cmp{}, lacks("clientv3 compares nothing of the kind")
	}
	if len(c.RangeEnd) > 0 {
		made = made.WithRange(string(c.RangeEnd))
	}
	return made, nil
}

// toOps returns the arguments of Then or Else.
func toOps(requests []*pb.RequestOp) ([]clientv3.Op, error) {
	var ops []clientv3.Op
	for _, request := range requests {
		op, err := toOp(request)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func toOp(request *pb.RequestOp) (clientv3.Op, error) {
	switch r := request.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return clientv3.OpGet(string(r.RequestRange.Key), getOptions(r.RequestRange)...), nil
	case *pb.RequestOp_RequestPut:
		put := r.RequestPut
		return clientv3.OpPut(string(put.Key), string(put.Value), putOptions(put)...), nil
	case *pb.RequestOp_RequestDeleteRange:
		return clientv3.OpDelete(string(r.RequestDeleteRange.Key), deleteOptions(r.RequestDeleteRange)...), nil
	case *pb.RequestOp_RequestTxn:
		return toTxnOp(r.RequestTxn)
	default:
		return clientv3.Op{}, lacks("clientv3 has no such operation in a transaction")
	}
}

func toTxnOp(r *pb.TxnRequest) (clientv3.Op, error) {
	compares, err := toCompares(r.Compare)
	if err != nil {
		return clientv3.Op{}, err
	}
	success, err := toOps(r.Success)
	if err != nil {
		return clientv3.Op{}, err
	}
	failure, err := toOps(r.Failure)
	if err != nil {
		return clientv3.Op{}, err
	}
	return clientv3.OpTxn(compares, success, failure), nil
}
