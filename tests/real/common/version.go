// Package common runs a real immudb server on loopback and writes to it, for tests.
// It has the common parts of all versions, and Version has the differences.
package common

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/codenotary/immudb/pkg/api/schema"
)

// Version has the parts of one immudb version. If the version does not support a function, it is nil.
type Version struct {
	Name string

	NewServer func(ServeOptions) (Server, error)
	Database  func(name string) *schema.Database
	// NoWait sets a request not to wait for the server's index, which takes most of the time of a write.
	NoWait func(*schema.SetRequest)
	// MaxInFlight is the limit of concurrent writes, or 0 if the server queues them itself.
	// A server refuses writes over its limit, and 0.9 never recovers from that.
	MaxInFlight int
	// Kinds are the kinds of entries that `mixed` writes in addition to the kinds of all versions.
	Kinds []Kind

	LoadDB, UnloadDB, DeleteDB func(context.Context, *Client, string) error
}

// ServeOptions are the arguments of `serve`. Listener is already bound to loopback.
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

// TLSFiles are PEM files. Without Cert the server uses plaintext. With ClientCA it requires client certificates.
type TLSFiles struct{ Cert, Key, ClientCA string }

// Server is the interface of the servers of all versions. Start returns after the server has stopped.
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
var ErrUnsupported = errors.New("not supported by this immudb version")

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
