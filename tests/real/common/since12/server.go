// Package since12 has the common parts of servers since 1.2. It builds only with the versions in
// a server's go.mod, not with the minimum versions in this module's go.mod.
package since12

import (
	"context"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/server"

	"immuaudit/tests/real/common"
)

// Version returns the common parts, with the name and the constructor of one version.
func Version(name string, newServer func(common.ServeOptions) (common.Server, error)) common.Version {
	return common.Version{
		Name:        name,
		NewServer:   newServer,
		Database:    Database,
		NoWait:      NoWait,
		Kinds:       Kinds,
		LoadDB:      LoadDB,
		UnloadDB:    UnloadDB,
		DeleteDB:    DeleteDB,
		MaxInFlight: 25,
	}
}

// Options returns the common options. A version may add options.
func Options(o common.ServeOptions) (*server.Options, error) {
	tls, err := o.TLS.ServerTLS()
	if err != nil {
		return nil, err
	}
	options := server.DefaultOptions().
		WithDir(o.Dir).
		WithAddress("127.0.0.1").
		WithListener(o.Listener).
		WithAuth(o.Auth).
		WithMaintenance(o.Maintenance).
		WithMetricsServer(false).
		WithWebServer(false).
		WithPgsqlServer(false).
		WithSynced(o.Synced).
		WithSigningKey(o.SigningKey).
		WithTLS(tls)
	if o.MaxRecv > 0 {
		options = options.WithMaxRecvMsgSize(o.MaxRecv)
	}
	if o.TokenExpiry > 0 {
		options = options.WithTokenExpiryTime(o.TokenExpiry)
	}
	return options, nil
}

func Database(name string) *schema.Database { return &schema.Database{DatabaseName: name} }

func NoWait(r *schema.SetRequest) { r.NoWait = true }

func LoadDB(ctx context.Context, c *common.Client, name string) error {
	_, err := c.LoadDatabase(ctx, &schema.LoadDatabaseRequest{Database: name})
	return err
}

func UnloadDB(ctx context.Context, c *common.Client, name string) error {
	_, err := c.UnloadDatabase(ctx, &schema.UnloadDatabaseRequest{Database: name})
	return err
}

func DeleteDB(ctx context.Context, c *common.Client, name string) error {
	_, err := c.DeleteDatabase(ctx, &schema.DeleteDatabaseRequest{Database: name})
	return err
}
