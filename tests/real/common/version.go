// Package common runs a real immudb server on loopback and writes to it, for tests.
// It has the common parts of all versions; Version has the differences.
package common

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/codenotary/immudb/pkg/api/schema"
)

// Version has the parts of one immudb version. A nil function is not supported.
type Version struct {
	Name string

	NewServer func(ServeOptions) (Server, error)
	Database  func(name string) *schema.Database
	// NoWait asks the server not to wait for its index, which takes most of a write's time.
	NoWait func(*schema.SetRequest)
	// MaxInFlight is how many concurrent writes the server supports, 0 if it queues them itself.
	// A server refuses more than that, and 0.9 never recovers from it.
	MaxInFlight int
	// Kinds are the kinds of entries that `mixed` writes in addition to those of every version.
	Kinds []Kind

	LoadDB, UnloadDB, DeleteDB func(context.Context, *Client, string) error
}

// ServeOptions are the arguments of `serve`. The listener is already bound to loopback.
type ServeOptions struct {
	Dir             string
	Listener        net.Listener
	Auth            bool
	Maintenance     bool
	Synced          bool
	RequestMetadata bool
	SigningKey      string
	MaxRecv         int
	TLS             TLSFiles
	// TokenExpiry is the lifetime of a token in minutes, 0 for the version's default.
	TokenExpiry int
}

// TLSFiles are PEM files. Without Cert the server uses plaintext, with ClientCA it requires a client certificate.
type TLSFiles struct{ Cert, Key, ClientCA string }

// Server is the interface of all versions' servers. Start returns after the server has stopped.
type Server interface {
	Initialize() error
	Start() error
	Stop() error
}

// Kind is a kind of entry; Write returns the ID of the last transaction.
type Kind struct {
	Name  string
	Write func(ctx context.Context, c *Client, prefix string) (uint64, error)
}

// ErrUnsupported means that this version does not support a command or flag.
var ErrUnsupported = errors.New("this immudb version cannot do that")

// ServerTLS returns the TLS settings, or nil for a plaintext server.
func (f TLSFiles) ServerTLS() (*tls.Config, error) {
	if f.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	if f.ClientCA != "" {
		if config.ClientCAs, err = certPool(f.ClientCA); err != nil {
			return nil, err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}
