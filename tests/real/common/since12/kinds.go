package since12

import (
	"context"
	"fmt"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"

	"immuaudit/tests/real/common"
)

// Kinds are the kinds of entries since 1.2: entries with metadata, and SQL rows.
var Kinds = []common.Kind{
	{Name: "deleted", Write: func(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
		key := []byte(prefix + "-deleted")
		if _, err := c.Set(ctx, &schema.SetRequest{KVs: []*schema.KeyValue{{Key: key, Value: []byte("value")}}}); err != nil {
			return 0, err
		}
		tx, err := c.Delete(ctx, &schema.DeleteKeysRequest{Keys: [][]byte{key}})
		return tx.GetId(), err
	}},
	{Name: "expiring", Write: func(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
		return setWith(ctx, c, prefix+"-expiring", &schema.KVMetadata{
			Expiration: &schema.Expiration{ExpiresAt: time.Now().Add(24 * time.Hour).Unix()}})
	}},
	{Name: "expired", Write: func(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
		return setWith(ctx, c, prefix+"-expired", &schema.KVMetadata{
			Expiration: &schema.Expiration{ExpiresAt: time.Now().Add(-time.Hour).Unix()}})
	}},
	{Name: "non-indexable", Write: func(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
		return setWith(ctx, c, prefix+"-non-indexable", &schema.KVMetadata{NonIndexable: true})
	}},
	{Name: "sql", Write: func(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
		var last uint64
		for _, statement := range []string{
			"CREATE TABLE %s (id INTEGER, name VARCHAR[40], PRIMARY KEY id)",
			"CREATE INDEX ON %s (name)",
			"INSERT INTO %s (id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three')",
			"UPSERT INTO %s (id, name) VALUES (2, 'zwei')",
			"DELETE FROM %s WHERE id = 3",
		} {
			result, err := c.SQLExec(ctx, &schema.SQLExecRequest{Sql: fmt.Sprintf(statement, prefix)})
			if err != nil {
				return 0, fmt.Errorf("%s: %w", statement, err)
			}
			for _, tx := range result.GetTxs() {
				last = max(last, tx.GetHeader().GetId())
			}
		}
		return last, nil
	}},
}

func setWith(ctx context.Context, c *common.Client, key string, metadata *schema.KVMetadata) (uint64, error) {
	tx, err := c.Set(ctx, &schema.SetRequest{
		KVs:    []*schema.KeyValue{{Key: []byte(key), Value: []byte("value"), Metadata: metadata}},
		NoWait: true,
	})
	return tx.GetId(), err
}
