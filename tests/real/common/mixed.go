package common

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
)

// mixed writes each kind of entry that the version supports, each in at least one transaction.
func mixed(v Version, args []string) error {
	var c clientFlags
	f := flags("mixed")
	c.register(f)
	db := f.String("db", "defaultdb", "database")
	prefix := f.String("prefix", "mixed", "prefix of the names of keys, tables and collections; each run on a database requires a different prefix")
	if err := parse(f, args); err != nil {
		return err
	}
	ctx, cancel := deadline(time.Minute)
	defer cancel()
	client, err := c.connect(ctx, v, *db)
	if err != nil {
		return err
	}
	var last uint64
	var names []string
	for _, kind := range append(kinds, v.Kinds...) {
		id, err := kind.Write(ctx, client, *prefix)
		if c.noAuth && err != nil && strings.Contains(err.Error(), "logged") {
			// 1.11 requires a user for SQL and documents even without authentication.
			fmt.Fprintf(stderr, "skipped %s: %v\n", kind.Name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind.Name, err)
		}
		last = max(last, id)
		names = append(names, kind.Name)
	}
	fmt.Printf("mixed lasttx %d %s\n", last, strings.Join(names, ","))
	return nil
}

var kinds = []Kind{
	{"set", func(ctx context.Context, c *Client, prefix string) (uint64, error) {
		tx, err := c.Set(ctx, &schema.SetRequest{KVs: pairs(prefix, 0, 4, 16)})
		return tx.GetId(), err
	}},
	{"empty", func(ctx context.Context, c *Client, prefix string) (uint64, error) {
		tx, err := c.Set(ctx, &schema.SetRequest{KVs: []*schema.KeyValue{{Key: []byte(prefix + "-empty")}}})
		return tx.GetId(), err
	}},
	{"reference", func(ctx context.Context, c *Client, prefix string) (uint64, error) {
		tx, err := c.SetReference(ctx, &schema.ReferenceRequest{
			Key: []byte(prefix + "-reference"), ReferencedKey: []byte(prefix + "-0-0")})
		return tx.GetId(), err
	}},
	{"sorted-set", func(ctx context.Context, c *Client, prefix string) (uint64, error) {
		tx, err := c.ZAdd(ctx, &schema.ZAddRequest{
			Set: []byte(prefix + "-set"), Score: 1.5, Key: []byte(prefix + "-0-1")})
		return tx.GetId(), err
	}},
	{"all-at-once", func(ctx context.Context, c *Client, prefix string) (uint64, error) {
		tx, err := c.ExecAll(ctx, &schema.ExecAllRequest{Operations: []*schema.Op{
			{Operation: &schema.Op_Kv{Kv: &schema.KeyValue{Key: []byte(prefix + "-exec"), Value: []byte("value")}}},
			{Operation: &schema.Op_Ref{Ref: &schema.ReferenceRequest{
				Key: []byte(prefix + "-exec-reference"), ReferencedKey: []byte(prefix + "-0-2")}}},
			{Operation: &schema.Op_ZAdd{ZAdd: &schema.ZAddRequest{
				Set: []byte(prefix + "-set"), Score: 2.5, Key: []byte(prefix + "-0-3")}}},
		}})
		return tx.GetId(), err
	}},
}
