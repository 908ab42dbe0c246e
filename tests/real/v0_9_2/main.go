// Runs a real immudb 0.9.2 for tests.
package main

import (
	"github.com/codenotary/immudb/pkg/api/schema"

	"immuaudit/tests/real/common"
	"immuaudit/tests/real/common/before10"
)

func main() {
	common.Main(common.Version{
		Name:        "0.9.2",
		NewServer:   newServer,
		Database:    before10.Database,
		NoWait:      func(r *schema.SetRequest) { r.NoWait = true },
		MaxInFlight: 50,
	})
}

func newServer(o common.ServeOptions) (common.Server, error) {
	s, err := before10.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Options.StoreOptions = s.Options.StoreOptions.WithSynced(o.Synced).WithMaxConcurrency(60)
	return s, nil
}
