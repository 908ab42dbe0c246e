// Package before10 has the common parts of servers before 1.0.
package before10

import (
	"fmt"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/server"

	"immuaudit/tests/real/common"
)

func NewServer(o common.ServeOptions) (*server.ImmuServer, error) {
	if o.TLS.Cert != "" && o.TLS.ClientCA == "" {
		return nil, fmt.Errorf("TLS without --client-ca: %w", common.ErrUnsupported)
	}
	if o.RequestMetadata {
		return nil, fmt.Errorf("--request-metadata: %w", common.ErrUnsupported)
	}
	if o.TokenExpiry > 0 {
		return nil, fmt.Errorf("--token-expiry: %w", common.ErrUnsupported)
	}
	options := server.DefaultOptions().
		WithDir(o.Dir).
		WithAddress("127.0.0.1").
		WithListener(o.Listener).
		WithAuth(o.Auth).
		WithMetricsServer(false).
		WithSigningKey(o.SigningKey)
	if o.MaxRecv > 0 {
		options = options.WithMaxRecvMsgSize(o.MaxRecv)
	}
	if o.TLS.Cert != "" {
		options = options.WithMTLs(true).WithMTLsOptions(server.DefaultMTLsOptions().
			WithCertificate(o.TLS.Cert).WithPkey(o.TLS.Key).WithClientCAs(o.TLS.ClientCA))
	}
	s := server.DefaultServer()
	s.WithOptions(options)
	return s, nil
}

func Database(name string) *schema.Database { return &schema.Database{Databasename: name} }
