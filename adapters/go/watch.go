package lockstep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// noID is the watch id in replies that are no watcher's (etcd's clientv3.InvalidWatchID).
const noID = -1

// createdWait is how long a watcher may take to say that it was created, or refused. Few mocks say it: then the reply
// is made here.
const createdWait = 20 * time.Millisecond

// The methods of clientv3.Watcher, one by one.
type (
	watchable interface {
		Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan
	}
	progressRequester interface {
		RequestProgress(ctx context.Context) error
	}
)

type watchServer struct {
	pb.UnimplementedWatchServer
	store   *store
	streams atomic.Int64
}

// Watch answers one stream. Ids of watchers, of which clientv3's users see nothing, are given here as etcd gives them.
func (s *watchServer) Watch(server pb.Watch_WatchServer) error {
	i := s.store.instance()
	value, ok := i.value.(watchable)
	if !ok {
		return lacks("the value has no method Watch")
	}
	ctx, cancel := context.WithCancel(server.Context())
	defer cancel()
	// A real client sends over one stream what has the same metadata in its context.
	ctx = metadata.AppendToOutgoingContext(ctx, "etcd-lockstep-stream", fmt.Sprint(s.streams.Add(1)))
	stream := &watchStream{ctx: ctx, instance: i, value: value, server: server, watchers: map[int64]*watcher{}}
	for {
		request, err := server.Recv()
		if errors.Is(err, io.EOF) {
			<-ctx.Done() // who has said all there is to say still gets what is watched
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case request.GetCreateRequest() != nil:
			err = stream.create(request.GetCreateRequest())
		case request.GetCancelRequest() != nil:
			err = stream.cancel(request.GetCancelRequest().WatchId)
		case request.GetProgressRequest() != nil:
			err = stream.requestProgress()
		}
		if err != nil {
			return err
		}
	}
}

type watchStream struct {
	ctx      context.Context
	instance *instance
	value    watchable
	server   pb.Watch_WatchServer

	mu       sync.Mutex // for all below, and for sending
	watchers map[int64]*watcher
	nextID   int64
	// asked is how many reports of progress were asked for, and reported how many were sent: each watcher's channel
	// has one.
	asked, reported int
}

type watcher struct {
	id       int64
	stop     context.CancelFunc
	canceled bool
	reported int
}

func (s *watchStream) create(r *pb.WatchCreateRequest) error {
	id := r.WatchId
	ctx, stop := context.WithCancel(s.ctx)
	responses := s.value.Watch(ctx, string(r.Key), watchOptions(r)...)
	reply, first := s.began(responses)
	if reply.Header == nil {
		reply.Header = s.instance.header(ctx)
	}
	s.mu.Lock() // not while the value is called, which may wait until somebody reads from a channel of its own
	defer s.mu.Unlock()
	if _, taken := s.watchers[id]; taken && id != 0 && !reply.Canceled {
		reply.Canceled, reply.CancelReason = true, "mvcc: duplicate watch ID provided on the WatchStream"
	}
	if reply.Canceled {
		stop()
		reply.WatchId = noID
		return s.server.Send(reply)
	}
	if id == 0 {
		for s.watchers[s.nextID] != nil {
			s.nextID++
		}
		id, s.nextID = s.nextID, s.nextID+1
	}
	w := &watcher{id: id, stop: stop, reported: s.reported}
	s.watchers[id] = w
	reply.WatchId = id
	if err := s.server.Send(reply); err != nil {
		return err
	}
	if first != nil {
		if err := s.forward(w, first); err != nil {
			return err
		}
	}
	go s.read(w, responses)
	return nil
}

// began returns the reply to a create request, and what the channel had first, if that was something else.
func (s *watchStream) began(responses clientv3.WatchChan) (*pb.WatchResponse, *clientv3.WatchResponse) {
	reply := &pb.WatchResponse{Created: true}
	select {
	case response, open := <-responses:
		header := headerOf(&response.Header)
		s.instance.seen(header)
		switch {
		case !open:
			reply.Canceled, reply.CancelReason = true, "etcd-lockstep: the channel was closed at once"
		case response.Canceled && response.CompactRevision == 0 && len(response.Events) == 0:
			reply.Canceled, reply.CancelReason = true, cancelReason(&response)
			if header.GetRevision() != 0 { // which clientv3 leaves out
				reply.Header = header
			}
		case response.Created:
			reply.Header = header
		default:
			return reply, &response
		}
	case <-time.After(createdWait):
	}
	return reply, nil
}

// read forwards what a watcher's channel holds until it is closed, or the stream is over.
func (s *watchStream) read(w *watcher, responses clientv3.WatchChan) {
	for {
		select {
		case response, open := <-responses:
			s.mu.Lock()
			if !open && !w.canceled && s.ctx.Err() == nil {
				response = clientv3.WatchResponse{Canceled: true}
			}
			err := s.forward(w, &response)
			s.mu.Unlock()
			if !open || err != nil {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// forward sends what came from a watcher's channel. The stream is locked.
func (s *watchStream) forward(w *watcher, r *clientv3.WatchResponse) error {
	header := headerOf(&r.Header)
	s.instance.seen(header)
	if w.canceled {
		return nil
	}
	if header == nil {
		header = &pb.ResponseHeader{}
	}
	response := &pb.WatchResponse{
		Header: header, WatchId: w.id, Canceled: r.Canceled || r.CompactRevision != 0, CompactRevision: r.CompactRevision,
	}
	for _, event := range r.Events {
		response.Events = append(response.Events, (*mvccpb.Event)(event))
	}
	switch {
	case response.Canceled:
		w.canceled = true
		response.CancelReason = cancelReason(r)
	case len(r.Events) == 0 && !r.Created && s.asked > w.reported:
		w.reported++
		if w.reported <= s.reported {
			return nil // another watcher's channel had it before
		}
		s.reported, response.WatchId = w.reported, noID
	case len(r.Events) == 0 && (r.Created || s.instance.progressAsked()):
		return nil // all of a value's channels have a report that was asked for, on whichever stream it was
	}
	return s.server.Send(response)
}

// cancel ends a watcher. To cancel what is not there has no answer.
func (s *watchStream) cancel(id int64) error {
	header := s.instance.header(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[id]
	if w == nil {
		return nil
	}
	w.stop()
	w.canceled = true
	delete(s.watchers, id)
	return s.server.Send(&pb.WatchResponse{Header: header, WatchId: id, Canceled: true})
}

// requestProgress asks the value. What it reports is in the channels of watchers: where a stream has none, clientv3 has
// no word for what etcd before 3.4.25 and 3.5.8 answers.
func (s *watchStream) requestProgress() error {
	value, ok := s.value.(progressRequester)
	if !ok {
		return lacks("the value has no method RequestProgress")
	}
	s.mu.Lock()
	alone := len(s.watchers) == 0
	s.asked++
	s.mu.Unlock()
	if alone {
		return lacks("clientv3 reports progress to watchers, and the stream has none")
	}
	s.instance.askProgress()
	if err := value.RequestProgress(s.ctx); err != nil {
		return toStatus(err)
	}
	return nil
}

// headerOf returns the header of a clientv3.WatchResponse, which is a struct before etcd 3.7 and a pointer since.
func headerOf(field any) *pb.ResponseHeader {
	switch header := field.(type) {
	case *pb.ResponseHeader:
		return header
	case **pb.ResponseHeader:
		return *header
	default:
		return nil
	}
}

// cancelReason returns what the server gave as the reason: clientv3 has errors of its own for a compaction, and for no
// reason at all.
func cancelReason(r *clientv3.WatchResponse) string {
	err := r.Err()
	if err == nil || r.CompactRevision != 0 || errors.Is(err, rpctypes.ErrFutureRev) {
		return ""
	}
	return err.Error()
}
