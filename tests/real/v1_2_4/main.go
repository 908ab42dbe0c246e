// Runs a real immudb 1.2.4 for tests.
package main

import (
	"fmt"

	"github.com/codenotary/immudb/pkg/server"

	"immuaudit/tests/real/common"
	"immuaudit/tests/real/common/since12"
)

func main() {
	common.Main(since12.Version("1.2.4", newServer))
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
