// Command example serves a mock for etcd-lockstep to compare with a real etcd.
package main

import (
	"log"

	"etcd-lockstep/lockstep"
)

func main() {
	log.Fatal(lockstep.Serve(func() any { return newMock() }, keys...))
}

// keys are two slots, an info key, and keys that the mock treats like any other.
var keys = []string{
	"/pac/leases/n/r/a", "/pac/leases/n/r/a/info", "/pac/leases/n/r/b", "/pac/concurrency/n/r/state", "k", "k/x",
}
