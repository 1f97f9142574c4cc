package main

import (
	"context"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// mock stands in for a clientv3.Client in the tests of a limiter, which counts the keys under /pac/leases/ that its
// runs hold with a lease each. It knows as much of etcd as those tests needed, and has the lies of
// etcd_lockstep/specimens/slot_mock.py.
type mock struct {
	keys       []string // in the order of first insertion, which is the order of reads
	data       map[string]string
	leaseKeys  map[clientv3.LeaseID]string // each lease has one key
	leaseQueue []clientv3.LeaseID          // granted, and not yet handed to a key
	clock      int64
}

func newMock() *mock {
	return &mock{
		data: map[string]string{}, leaseKeys: map[clientv3.LeaseID]string{}, clock: 1_700_000_000_000_000_000,
	}
}

// Get returns the key; or with any option, whichever it is, all that starts with it but the /info keys.
func (m *mock) Get(_ context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	response := &clientv3.GetResponse{}
	for _, k := range m.keys {
		if k == key && len(opts) == 0 || len(opts) > 0 && strings.HasPrefix(k, key) && !strings.HasSuffix(k, "/info") {
			response.Kvs = append(response.Kvs, &mvccpb.KeyValue{Key: []byte(k), Value: []byte(m.data[k])})
		}
	}
	response.Count = int64(len(response.Kvs))
	return response, nil
}

// Put drops its options, the lease among them.
func (m *mock) Put(_ context.Context, key, val string, _ ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	m.set(key, val)
	return &clientv3.PutResponse{}, nil
}

// Delete removes the one key, even where the options ask for a range.
func (m *mock) Delete(_ context.Context, key string, _ ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	m.remove(key)
	return &clientv3.DeleteResponse{}, nil
}

func (m *mock) Txn(context.Context) clientv3.Txn { return &txn{mock: m} }

// Grant returns the time as the id, by a clock that only grants advance: every run sees the same ids.
func (m *mock) Grant(_ context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	m.clock++
	id := clientv3.LeaseID(m.clock)
	m.leaseQueue = append(m.leaseQueue, id)
	return &clientv3.LeaseGrantResponse{ID: id, TTL: ttl}, nil
}

// Revoke removes the lease's one key. Its id stays in the queue, for a later slot to get.
func (m *mock) Revoke(_ context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	if key, held := m.leaseKeys[id]; held {
		delete(m.leaseKeys, id)
		m.remove(key)
	}
	return &clientv3.LeaseRevokeResponse{}, nil
}

// KeepAlive returns a channel with the one answer that it ever carries: an hour.
func (m *mock) KeepAlive(_ context.Context, id clientv3.LeaseID) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	responses := make(chan *clientv3.LeaseKeepAliveResponse, 1)
	responses <- &clientv3.LeaseKeepAliveResponse{ResponseHeader: &pb.ResponseHeader{}, ID: id, TTL: 3600}
	return responses, nil
}

func (m *mock) set(key, val string) {
	if _, there := m.data[key]; !there {
		m.keys = append(m.keys, key)
	}
	m.data[key] = val
}

func (m *mock) remove(key string) {
	delete(m.data, key)
	for i, k := range m.keys {
		if k == key {
			m.keys = append(m.keys[:i:i], m.keys[i+1:]...)
			return
		}
	}
}

// txn is the mock's transaction.
type txn struct {
	mock   *mock
	absent string
	then   []clientv3.Op
}

// If makes "the first one's key is absent" of the compares, whatever they say.
func (t *txn) If(compares ...clientv3.Cmp) clientv3.Txn {
	if len(compares) > 0 {
		t.absent = string(compares[0].KeyBytes())
	}
	return t
}

func (t *txn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.then = ops
	return t
}

// Else is thrown away.
func (t *txn) Else(...clientv3.Op) clientv3.Txn { return t }

// Commit runs the puts, and nothing but the puts. A slot gets the lease that has waited longest, whichever the put
// names: an Op does not show its lease.
func (t *txn) Commit() (*clientv3.TxnResponse, error) {
	m := t.mock
	if _, there := m.data[t.absent]; there && t.absent != "" {
		return &clientv3.TxnResponse{Succeeded: false}, nil
	}
	for _, op := range t.then {
		if !op.IsPut() {
			continue
		}
		key := string(op.KeyBytes())
		m.set(key, string(op.ValueBytes()))
		if strings.Contains(key, "/pac/leases/") && len(m.leaseQueue) > 0 {
			m.leaseKeys[m.leaseQueue[0]] = key
			m.leaseQueue = m.leaseQueue[1:]
		}
	}
	return &clientv3.TxnResponse{Succeeded: true}, nil
}
