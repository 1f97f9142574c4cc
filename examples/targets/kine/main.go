// Serves kine, a store for Kubernetes in a SQL database, here SQLite, for etcd-lockstep.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"etcd-lockstep/lockstep"

	"github.com/k3s-io/kine/pkg/app"
	"github.com/k3s-io/kine/pkg/drivers/sqlite"
	"github.com/k3s-io/kine/pkg/endpoint"
	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.uber.org/zap"
)

// value has the methods of all three; Close is none of them, since two have it.
type value struct {
	clientv3.KV
	clientv3.Lease
	clientv3.Watcher
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run serves kine until SIGTERM, on a database that is deleted afterwards.
func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	folder, err := os.MkdirTemp("", "kine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	logrus.SetOutput(io.Discard)
	var running sync.WaitGroup
	defer running.Wait()
	config := app.Config(nil) // kine's defaults
	config.WaitGroup = &running
	config.Listener = "tcp://127.0.0.1:0"
	config.Endpoint = "sqlite://" + filepath.Join(folder, "state.db") + "?" + sqlite.DefaultParams
	served, err := endpoint.Listen(ctx, config)
	if err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: served.Endpoints, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- lockstep.Serve(emptyStores(client)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// emptyStores returns what makes a store for each sequence: kine, below a prefix that was not used yet, since kine has
// keys of its own, which can't be deleted. The keys of the sequence before are deleted: else they would expire in this one.
func emptyStores(client *clientv3.Client) func() any {
	prefix, made := "", 0
	return func() any {
		if made > 0 {
			if err := deleteAll(client, prefix); err != nil {
				panic(err)
			}
		}
		made++
		prefix = fmt.Sprintf("/%d/", made)
		return value{
			namespace.NewKV(client.KV, prefix),
			client.Lease,
			namespace.NewWatcher(client.Watcher, prefix),
		}
	}
}

// deleteAll deletes as Kubernetes does, for kine knows no other way.
func deleteAll(client *clientv3.Client, prefix string) error {
	ctx := context.Background()
	found, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	for _, kv := range found.Kvs {
		key := string(kv.Key)
		unchanged := clientv3.Compare(clientv3.ModRevision(key), "=", kv.ModRevision)
		deleting := client.Txn(ctx).If(unchanged).Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key))
		if _, err := deleting.Commit(); err != nil {
			return err
		}
	}
	return nil
}
