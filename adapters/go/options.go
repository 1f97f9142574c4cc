package lockstep

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// fromKey is the range end that stands for all keys from the key on.
const fromKey = "\x00"

// rangeOption returns the option that a user of clientv3 would choose for a range: most write a prefix as such, and
// some mocks know nothing else (clientv3.IsOptsWithPrefix).
func rangeOption(key, end string) []clientv3.OpOption {
	switch {
	case end == "":
		return nil
	case key == "": // for which WithPrefix and WithFromKey put another key
		return []clientv3.OpOption{clientv3.WithRange(end)}
	case end == fromKey:
		return []clientv3.OpOption{clientv3.WithFromKey()}
	case end == clientv3.GetPrefixRangeEnd(key):
		return []clientv3.OpOption{clientv3.WithPrefix()}
	default:
		return []clientv3.OpOption{clientv3.WithRange(end)}
	}
}

// when returns an option where it is asked for.
func when(asked bool, option clientv3.OpOption) []clientv3.OpOption {
	if asked {
		return []clientv3.OpOption{option}
	}
	return nil
}

func joined(lists ...[]clientv3.OpOption) []clientv3.OpOption {
	var options []clientv3.OpOption
	for _, list := range lists {
		options = append(options, list...)
	}
	return options
}

func getOptions(r *pb.RangeRequest) []clientv3.OpOption {
	sorted := r.SortOrder != pb.RangeRequest_NONE || r.SortTarget != pb.RangeRequest_KEY
	return joined(
		rangeOption(string(r.Key), string(r.RangeEnd)),
		when(r.Revision != 0, clientv3.WithRev(r.Revision)),
		when(r.Limit != 0, clientv3.WithLimit(r.Limit)),
		when(sorted, clientv3.WithSort(clientv3.SortTarget(r.SortTarget), clientv3.SortOrder(r.SortOrder))),
		when(r.Serializable, clientv3.WithSerializable()),
		when(r.KeysOnly, clientv3.WithKeysOnly()),
		when(r.CountOnly, clientv3.WithCountOnly()),
		when(r.MinModRevision != 0, clientv3.WithMinModRev(r.MinModRevision)),
		when(r.MaxModRevision != 0, clientv3.WithMaxModRev(r.MaxModRevision)),
		when(r.MinCreateRevision != 0, clientv3.WithMinCreateRev(r.MinCreateRevision)),
		when(r.MaxCreateRevision != 0, clientv3.WithMaxCreateRev(r.MaxCreateRevision)),
	)
}

func putOptions(r *pb.PutRequest) []clientv3.OpOption {
	return joined(
		when(r.Lease != 0, clientv3.WithLease(clientv3.LeaseID(r.Lease))),
		when(r.PrevKv, clientv3.WithPrevKV()),
		when(r.IgnoreValue, clientv3.WithIgnoreValue()),
		when(r.IgnoreLease, clientv3.WithIgnoreLease()),
	)
}

func deleteOptions(r *pb.DeleteRangeRequest) []clientv3.OpOption {
	return joined(
		rangeOption(string(r.Key), string(r.RangeEnd)),
		when(r.PrevKv, clientv3.WithPrevKV()),
	)
}

func compactOptions(r *pb.CompactionRequest) []clientv3.CompactOption {
	if r.Physical {
		return []clientv3.CompactOption{clientv3.WithCompactPhysical()}
	}
	return nil
}

// watchOptions holds WithCreatedNotify, which is how a user of clientv3 learns what the reply to the request says.
func watchOptions(r *pb.WatchCreateRequest) []clientv3.OpOption {
	options := joined(
		rangeOption(string(r.Key), string(r.RangeEnd)),
		[]clientv3.OpOption{clientv3.WithCreatedNotify()},
		when(r.StartRevision != 0, clientv3.WithRev(r.StartRevision)),
		when(r.ProgressNotify, clientv3.WithProgressNotify()),
		when(r.PrevKv, clientv3.WithPrevKV()),
		when(r.Fragment, clientv3.WithFragment()),
	)
	for _, filter := range r.Filters {
		switch filter {
		case pb.WatchCreateRequest_NOPUT:
			options = append(options, clientv3.WithFilterPut())
		case pb.WatchCreateRequest_NODELETE:
			options = append(options, clientv3.WithFilterDelete())
		}
	}
	return options
}
