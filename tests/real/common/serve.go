package common

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The original standard streams. immudb writes a banner and its log to os.Stdout and os.Stderr, which are redirected to a file.
var stdout, stderr = os.Stdout, os.Stderr

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
)

func serve(v Version, args []string) error {
	var o ServeOptions
	var port int
	f := flags("serve")
	f.StringVar(&o.Dir, "dir", "", "data directory, created if it does not exist")
	f.IntVar(&port, "port", 0, "port on 127.0.0.1, 0 for a free one")
	f.BoolVar(&o.Auth, "auth", true, "require a login")
	f.BoolVar(&o.Maintenance, "maintenance", false, "maintenance mode, which allows several databases without a login (since 1.2)")
	f.BoolVar(&o.Synced, "synced", false, "fsync each commit, as in production (slower)")
	f.BoolVar(&o.RequestMetadata, "request-metadata", false, "store user and address of each write in the transaction (1.11)")
	f.StringVar(&o.SigningKey, "signing-key", "", "PEM file: ECDSA P-256 private key to sign states")
	f.StringVar(&o.TLS.Cert, "tls-cert", "", "PEM file: server certificate, turns on TLS")
	f.StringVar(&o.TLS.Key, "tls-key", "", "PEM file: key of --tls-cert")
	f.StringVar(&o.TLS.ClientCA, "client-ca", "", "PEM file: CA certificate for mutual TLS; clients require a certificate of this CA")
	f.IntVar(&o.MaxRecv, "max-recv", 0, "largest request in bytes, 0 for the version's default")
	f.IntVar(&o.TokenExpiry, "token-expiry", 0, "lifetime of a token in minutes, 0 for the version's default (since 1.0)")
	if err := parse(f, args); err != nil {
		return err
	}
	if o.Dir == "" {
		return fmt.Errorf("--dir is missing")
	}
	if (o.TLS.Cert == "") != (o.TLS.Key == "") || o.TLS.ClientCA != "" && o.TLS.Cert == "" {
		return fmt.Errorf("--tls-cert and --tls-key require each other, and --client-ca requires both")
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	if err := redirectOutput(filepath.Join(o.Dir, "server.log")); err != nil {
		return err
	}

	// The port is bound before immudb starts, because another test could bind a free port in the meantime.
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return err
	}
	o.Listener = listener
	port = listener.Addr().(*net.TCPAddr).Port

	server, err := v.NewServer(o)
	if err != nil {
		return err
	}
	if err := server.Initialize(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Start() }()

	ready := make(chan error, 1)
	go func() { ready <- waitReady(port, o.TLS) }()
	select {
	case err := <-ready:
		if err != nil {
			return err
		}
	case err := <-ended:
		return fmt.Errorf("the server stopped before it was ready: %v", err)
	}
	stop := stopRequests()
	fmt.Fprintf(stdout, "ready %d\n", port)
	select {
	case err := <-ended:
		return fmt.Errorf("the server stopped unexpectedly: %v", err)
	case <-stop:
		return shutDown(server, ended)
	}
}

func shutDown(server Server, ended <-chan error) error {
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop() }()
	timeout := time.After(stopTimeout)
	select {
	case err := <-stopped:
		if err != nil {
			return err
		}
	case <-timeout:
		return fmt.Errorf("the server did not stop in %s", stopTimeout)
	}
	select {
	case <-ended:
		return nil
	case <-timeout:
		return fmt.Errorf("the server did not stop in %s", stopTimeout)
	}
}

// stopRequests returns a channel that closes on SIGTERM, on SIGINT or at the end of stdin. Stdin ends when the test ends,
// so no server runs on after its test.
func stopRequests() <-chan struct{} {
	signals := make(chan os.Signal, 1)
	// immudb handles these signals too. Two concurrent shutdowns can block each other, so its handlers are removed.
	signal.Reset(syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	eof := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(eof)
	}()
	stop := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-eof:
		}
		close(stop)
	}()
	return stop
}

func redirectOutput(path string) error {
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	os.Stdout, os.Stderr = log, log
	return nil
}

// waitReady waits until the server has answered a call.
func waitReady(port int, files TLSFiles) error {
	ctx, cancel := deadline(startTimeout)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	if files.ClientCA != "" {
		// This function has no client certificate. A finished handshake shows that the server accepts connections.
		return waitHandshake(ctx, address)
	}
	transport := grpc.WithInsecure()
	if files.Cert != "" {
		transport = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	conn, err := grpc.DialContext(ctx, address, transport)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = schema.NewImmuServiceClient(conn).Health(ctx, &emptypb.Empty{}, grpc.WaitForReady(true))
	return err
}

func waitHandshake(ctx context.Context, address string) error {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	// In TLS 1.2 the server refuses the missing certificate during the handshake.
	if err != nil && !strings.Contains(err.Error(), "tls:") {
		return err
	}
	if conn != nil {
		conn.Close()
	}
	return nil
}
