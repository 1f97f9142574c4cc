// Command passthrough serves an etcd of its own through clientv3 and the adapter: whatever etcd-lockstep reports of it
// is the adapter's fault. Its one argument is an etcd binary.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"etcd-lockstep/lockstep"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// value has the methods of all three; Close is none of them, since two have it.
type value struct {
	clientv3.KV
	clientv3.Lease
	clientv3.Watcher
}

func main() {
	client, err := start(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(lockstep.Serve(func() any {
		if err := empty(client); err != nil {
			panic(err)
		}
		return value{client.KV, client.Lease, client.Watcher}
	}))
}

// start starts an etcd, which ends with the process group of this program, and connects to it.
func start(binary string) (*clientv3.Client, error) {
	memory := "/dev/shm" // a busy disk would be taken for an etcd that hangs
	if _, err := os.Stat(memory); err != nil {
		memory = ""
	}
	data, err := os.MkdirTemp(memory, "passthrough")
	if err != nil {
		return nil, err
	}
	clients, peers := freeAddress(), freeAddress()
	etcd := exec.Command(
		binary, "--data-dir", data, "--log-level", "fatal",
		"--listen-client-urls", "http://"+clients, "--advertise-client-urls", "http://"+clients,
		"--listen-peer-urls", "http://"+peers, "--initial-advertise-peer-urls", "http://"+peers,
		"--initial-cluster", "default=http://"+peers,
	)
	etcd.Stdout, etcd.Stderr = io.Discard, os.Stderr
	if err := etcd.Start(); err != nil {
		return nil, err
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		_ = etcd.Process.Kill()
		_ = etcd.Wait()
		_ = os.RemoveAll(data)
		os.Exit(0)
	}()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{clients}, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := client.Get(ctx, "k"); err != nil {
		return nil, fmt.Errorf("etcd did not answer: %w", err)
	}
	return client, nil
}

func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func empty(client *clientv3.Client) error {
	ctx := context.Background()
	leases, err := client.Leases(ctx)
	if err != nil {
		return err
	}
	for _, lease := range leases.Leases {
		if _, err := client.Revoke(ctx, lease.ID); err != nil {
			return err
		}
	}
	deleted, err := client.Delete(ctx, "\x00", clientv3.WithFromKey())
	if err != nil || deleted.Deleted == 0 {
		return err
	}
	_, err = client.Compact(ctx, deleted.Header.Revision, clientv3.WithCompactPhysical())
	return err
}
