// Package since12 is what servers from 1.2 on have alike. It does not build against this module's
// own floor, only against the version that a server's go.mod picks.
package since12

import (
	"context"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/server"

	"immuaudit/tests/real/common"
)

// Version is what servers of this package have alike under one name.
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

// Options are complete but for what a single version adds.
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
