// Runs a real immudb 0.9.0 for tests.
package main

import (
	"immuaudit/tests/real/common"
	"immuaudit/tests/real/common/before10"
)

func main() {
	common.Main(common.Version{
		Name:        "0.9.0",
		NewServer:   newServer,
		Database:    before10.Database,
		MaxInFlight: 15,
	})
}

func newServer(o common.ServeOptions) (common.Server, error) { return before10.NewServer(o) }
