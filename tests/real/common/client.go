package common

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/codenotary/immudb/pkg/api/schema"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Client is a connection after login. It sends the bearer token of Login, which all versions accept.
type Client struct {
	schema.ImmuServiceClient
	Conn  *grpc.ClientConn
	token string
}

type clientFlags struct {
	port                      int
	user, password            string
	noAuth                    bool
	ca, cert, key, servername string
}

func (c *clientFlags) register(f *flag.FlagSet) { c.registerAs(f, "password") }

func (c *clientFlags) registerAs(f *flag.FlagSet, password string) {
	f.IntVar(&c.port, "port", 3322, "the server's port on 127.0.0.1")
	f.StringVar(&c.user, "user", "immudb", "user name for the login")
	f.StringVar(&c.password, password, "immudb", "password of the user")
	f.BoolVar(&c.noAuth, "no-auth", false, "do not log in, because the server runs without authentication")
	f.StringVar(&c.ca, "ca", "", "PEM file: use TLS and trust this CA certificate")
	f.StringVar(&c.cert, "cert", "", "PEM file: client certificate")
	f.StringVar(&c.key, "key", "", "PEM file: key of the client certificate")
	f.StringVar(&c.servername, "servername", "", "name expected in the server's certificate")
}

// connect logs in, and opens the database unless db is empty.
func (c *clientFlags) connect(ctx context.Context, v Version, db string) (*Client, error) {
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	client := new(Client)
	client.Conn, err = grpc.DialContext(ctx, net.JoinHostPort("127.0.0.1", fmt.Sprint(c.port)), transport,
		grpc.WithUnaryInterceptor(client.authorize),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, err
	}
	client.ImmuServiceClient = schema.NewImmuServiceClient(client.Conn)
	if !c.noAuth {
		reply, err := client.Login(ctx, &schema.LoginRequest{User: []byte(c.user), Password: []byte(c.password)})
		if err != nil {
			return nil, fmt.Errorf("login: %w", err)
		}
		client.token = reply.Token
	}
	// A server without authentication refuses UseDatabase, and all calls use defaultdb.
	if c.noAuth && db != "" && db != "defaultdb" {
		return nil, fmt.Errorf("database %s: without authentication only defaultdb is available", db)
	}
	if !c.noAuth && db != "" {
		reply, err := client.UseDatabase(ctx, v.Database(db))
		if err != nil {
			return nil, fmt.Errorf("use database %s: %w", db, err)
		}
		client.token = reply.Token
	}
	return client, nil
}

func (c *clientFlags) transport() (grpc.DialOption, error) {
	if c.ca == "" {
		return grpc.WithInsecure(), nil
	}
	pool, err := certPool(c.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: pool, ServerName: c.servername}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(config)), nil
}

func (c *Client) authorize(ctx context.Context, method string, req, reply interface{}, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}

// State requests the current state and the server's identity, or "-" if the server sends none.
func (c *Client) State(ctx context.Context) (*schema.ImmutableState, string, error) {
	var header metadata.MD
	state, err := c.CurrentState(ctx, &emptypb.Empty{}, grpc.Header(&header))
	uuid := "-"
	if ids := header.Get("immudb-uuid"); len(ids) > 0 {
		uuid = ids[0]
	}
	return state, uuid, err
}

func certPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: the file has no certificate", file)
	}
	return pool, nil
}
