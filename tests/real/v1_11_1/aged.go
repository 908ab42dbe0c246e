package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/database"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// ageing has commands for tests of retention. A server deletes only values that are older than a day, and only complete value
// files. The commands create a database with small files, write transactions that are two days old, and truncate the database.
var ageing = map[string]func(*flag.FlagSet, []string) error{
	"create-small": createSmall,
	"write-aged":   writeAged,
	"truncate":     truncate,
	"replicate":    replicate,
	"retain":       retain,
}

const (
	aged      = 48 * time.Hour
	retention = 24 * time.Hour
	fileSize  = 4096
)

// createSmall creates a database with separate value files of a few kilobytes each.
func createSmall(f *flag.FlagSet, args []string) error {
	return asAdmin(f, args, func(ctx context.Context, client schema.ImmuServiceClient, db string) error {
		_, err := client.CreateDatabaseV2(ctx, &schema.CreateDatabaseRequest{
			Name: db,
			Settings: &schema.DatabaseNullableSettings{
				FileSize:       &schema.NullableUint32{Value: fileSize},
				EmbeddedValues: &schema.NullableBool{Value: false},
			},
		})
		return err
	})
}

// truncate requests that the server deletes all values that are older than a day.
func truncate(f *flag.FlagSet, args []string) error {
	return asAdmin(f, args, func(ctx context.Context, client schema.ImmuServiceClient, db string) error {
		_, err := client.TruncateDatabase(ctx, &schema.TruncateDatabaseRequest{
			Database:        db,
			RetentionPeriod: retention.Milliseconds(),
		})
		return err
	})
}

func asAdmin(
	f *flag.FlagSet, args []string,
	do func(context.Context, schema.ImmuServiceClient, string) error,
) error {
	port := f.Int("port", 3322, "the server's port on 127.0.0.1")
	db := f.String("db", "aged", "database")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := grpc.NewClient(
		fmt.Sprintf("127.0.0.1:%d", *port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := schema.NewImmuServiceClient(conn)
	login, err := client.Login(ctx, &schema.LoginRequest{User: []byte("immudb"), Password: []byte("immudb")})
	if err != nil {
		return err
	}
	return do(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+login.Token), client, *db)
}

// writeAged writes to the files of a database, with a clock that is two days behind. No server may have the files open.
func writeAged(f *flag.FlagSet, args []string) error {
	dir := f.String("dir", "", "the server's data directory")
	db := f.String("db", "aged", "database")
	n := f.Int("n", 100, "number of transactions")
	if err := f.Parse(args); err != nil {
		return err
	}
	path := filepath.Join(*dir, *db)
	if _, err := os.Stat(path); err != nil {
		return err
	}
	options := store.DefaultOptions().
		WithMultiIndexing(true).
		WithFileSize(fileSize).
		WithEmbeddedValues(false).
		WithTimeFunc(func() time.Time { return time.Now().Add(-aged) })
	opened, err := store.Open(path, options)
	if err != nil {
		return err
	}
	for i := range *n {
		if err := writeOne(opened, i); err != nil {
			return err
		}
	}
	return opened.Close()
}

func writeOne(to *store.ImmuStore, i int) error {
	ctx := context.Background()
	tx, err := to.NewWriteOnlyTx(ctx)
	if err != nil {
		return err
	}
	value := fmt.Sprintf("an aged value, number %d, long enough for some to fill a file", i)
	entry := database.EncodeEntrySpec(fmt.Appendf(nil, "aged-%d", i), nil, []byte(value))
	if err := tx.Set(entry.Key, entry.Metadata, entry.Value); err != nil {
		return err
	}
	_, err = tx.AsyncCommit(ctx)
	return err
}
