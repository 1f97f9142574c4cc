// Serves the mock server of etcd's own client module, for etcd-lockstep.
package main

import (
	"fmt"
	"log"

	"go.etcd.io/etcd/client/v3/mock/mockserver"
)

func main() {
	servers, err := mockserver.StartMockServers(1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(servers.Servers[0].Address)
	select {}
}
