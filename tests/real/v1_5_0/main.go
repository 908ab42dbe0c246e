// A real immudb 1.5.0 for tests.
package main

import (
	"fmt"

	"github.com/codenotary/immudb/pkg/server"

	"immuaudit/tests/real/common"
	"immuaudit/tests/real/common/since12"
)

func main() {
	common.Main(common.Version{
		Name:        "1.5.0",
		NewServer:   newServer,
		Database:    since12.Database,
		NoWait:      since12.NoWait,
		Kinds:       since12.Kinds,
		LoadDB:      since12.LoadDB,
		UnloadDB:    since12.UnloadDB,
		DeleteDB:    since12.DeleteDB,
		MaxInFlight: 25,
	})
}

func newServer(o common.ServeOptions) (common.Server, error) {
	if o.RequestMetadata {
		return nil, fmt.Errorf("--request-metadata: %w", common.ErrUnsupported)
	}
	options, err := since12.Options(o)
	if err != nil {
		return nil, err
	}
	return server.DefaultServer().WithOptions(options), nil
}
