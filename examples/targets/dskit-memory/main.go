// Serves the in-memory etcd that the tests of dskit's kv/etcd run on, for etcd-lockstep.
package main

import (
	"fmt"
	"log"
	"reflect"
	"unsafe"

	"etcd-lockstep/lockstep"

	kitlog "github.com/go-kit/log"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/etcd"
)

func main() {
	log.Fatal(lockstep.Serve(func() any {
		client, _ := etcd.NewInMemoryClient(codec.String{}, kitlog.NewNopLogger())
		return inside(client)
	}))
}

// inside returns the stand-in itself, which is in the field `cli` of the client that dskit hands out.
func inside(client *etcd.Client) etcd.Clientv3Facade {
	field := reflect.ValueOf(client).Elem().FieldByName("cli")
	if !field.IsValid() {
		panic(fmt.Sprintf("%T has no field cli", client))
	}
	return *(*etcd.Clientv3Facade)(unsafe.Pointer(field.UnsafeAddr()))
}
