// Package lockstep serves any Go value that has some of the methods of clientv3's KV, Lease and Watcher as etcd's
// gRPC services, so that etcd-lockstep can compare it with a real etcd:
//
//	func main() {
//		log.Fatal(lockstep.Serve(func() any { return NewMock() }))
//	}
//
// Requests arrive at the value as the calls that a user of clientv3 would make, with their options. A method that the
// value lacks is answered with UNIMPLEMENTED, which etcd-lockstep takes for something that the value cannot express,
// and a panic with INTERNAL and its text.
package lockstep

import (
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
)

// EnvServe is the environment variable that etcd-lockstep sets for the programs that it starts.
const EnvServe = "ETCD_LOCKSTEP"

// Serve serves the values that newValue returns on a free port of loopback, and prints the address for etcd-lockstep
// to read. Each sequence of operations runs on a value of its own. Serve only returns when it cannot serve.
//
// keys are up to six keys that the value treats in its own way, and that operations should use. Without any,
// etcd-lockstep has its usual ones.
func Serve(newValue func() any, keys ...string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := NewServer(newValue)
	for _, key := range keys {
		fmt.Printf("etcd-lockstep: key %s\n", key)
	}
	fmt.Printf("etcd-lockstep: serving at %s\n", listener.Addr())
	return server.Serve(listener)
}

// Test is what ServeInTest needs of a *testing.T.
type Test interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// ServeInTest is Serve for a mock that only a test can reach, since its code is in a _test.go file. The test is
// skipped, unless etcd-lockstep runs it.
func ServeInTest(t Test, newValue func() any, keys ...string) {
	t.Helper()
	if os.Getenv(EnvServe) == "" {
		t.Skip("only for etcd-lockstep, which starts this test to serve a mock")
	}
	t.Fatal(Serve(newValue, keys...))
}

// NewServer returns the server that Serve runs, for those who have a listener of their own.
func NewServer(newValue func() any) *grpc.Server {
	return newServer(&store{newValue: newValue})
}
