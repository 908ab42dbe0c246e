package main

import (
	"context"
	"flag"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
)

// replicate creates a database that replicates the database of the same name on another server.
func replicate(f *flag.FlagSet, args []string) error {
	of := f.Uint("of", 0, "port of the primary on 127.0.0.1")
	user := f.String("primary-user", "immudb", "user name for the login at the primary")
	password := f.String("primary-password", "immudb", "password of this user")
	return asAdmin(f, args, func(ctx context.Context, client schema.ImmuServiceClient, db string) error {
		_, err := client.CreateDatabaseV2(ctx, &schema.CreateDatabaseRequest{
			Name: db,
			Settings: &schema.DatabaseNullableSettings{
				FileSize:       &schema.NullableUint32{Value: fileSize},
				EmbeddedValues: &schema.NullableBool{Value: false},
				ReplicationSettings: &schema.ReplicationNullableSettings{
					Replica:         &schema.NullableBool{Value: true},
					PrimaryDatabase: &schema.NullableString{Value: db},
					PrimaryHost:     &schema.NullableString{Value: "127.0.0.1"},
					PrimaryPort:     &schema.NullableUint32{Value: uint32(*of)},
					PrimaryUsername: &schema.NullableString{Value: *user},
					PrimaryPassword: &schema.NullableString{Value: *password},
				},
			},
		})
		return err
	})
}

// retain sets the retention period of a database, and the frequency of the server's truncations.
func retain(f *flag.FlagSet, args []string) error {
	period := f.Duration("period", retention, "retention period of the values; the server refuses less than a day")
	frequency := f.Duration("frequency", time.Hour, "interval of the truncations; the server refuses less than an hour")
	return asAdmin(f, args, func(ctx context.Context, client schema.ImmuServiceClient, db string) error {
		_, err := client.UpdateDatabaseV2(ctx, &schema.UpdateDatabaseRequest{
			Database: db,
			Settings: &schema.DatabaseNullableSettings{
				TruncationSettings: &schema.TruncationNullableSettings{
					RetentionPeriod:     &schema.NullableMilliseconds{Value: period.Milliseconds()},
					TruncationFrequency: &schema.NullableMilliseconds{Value: frequency.Milliseconds()},
				},
			},
		})
		return err
	})
}
