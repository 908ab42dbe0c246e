// Package common runs a real immudb server on loopback and writes to it, for tests.
// It holds what all versions have alike; what differs comes in through Version.
package common

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/codenotary/immudb/pkg/api/schema"
)

// Version is what one immudb version does in its own way. A nil function: it cannot.
type Version struct {
	Name string

	NewServer func(ServeOptions) (Server, error)
	Database  func(name string) *schema.Database
	// NoWait asks the server not to wait for its index, which is most of a write's time.
	NoWait func(*schema.SetRequest)
	// MaxInFlight is how many writes the server bears at once, 0 if it queues them itself.
	// Past it a server refuses, and 0.9 never recovers from that.
	MaxInFlight int
	// Kinds are the entries that `mixed` writes on top of those that every version has.
	Kinds []Kind

	LoadDB, UnloadDB, DeleteDB func(context.Context, *Client, string) error
}

// ServeOptions is what `serve` was asked for. The listener is already bound to loopback.
type ServeOptions struct {
	Dir             string
	Listener        net.Listener
	Auth            bool
	Synced          bool
	RequestMetadata bool
	SigningKey      string
	MaxRecv         int
	TLS             TLSFiles
	// TokenExpiry is the lifetime of a token in minutes, 0 for the version's default.
	TokenExpiry int
}

// TLSFiles are PEM files; without Cert the server speaks plaintext, with ClientCA it wants a client certificate.
type TLSFiles struct{ Cert, Key, ClientCA string }

// Server is what all versions' servers can do. Start returns when the server has stopped.
type Server interface {
	Initialize() error
	Start() error
	Stop() error
}

// Kind writes one kind of entry and tells the transaction's id.
type Kind struct {
	Name  string
	Write func(ctx context.Context, c *Client, prefix string) (uint64, error)
}

// ErrUnsupported is how a version says that it lacks something.
var ErrUnsupported = errors.New("this immudb version cannot do that")

// ServerTLS is nil for a plaintext server.
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
