package common

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
)

const writeTimeout = 10 * time.Minute

func write(v Version, args []string) error {
	var c clientFlags
	f := flags("write")
	c.register(f)
	db := f.String("db", "defaultdb", "database")
	n := f.Int("n", 100, "number of transactions")
	writers := f.Int("writers", 1, "number of concurrent writers")
	entries := f.Int("entries", 1, "entries of each transaction")
	prefix := f.String("prefix", "key", "prefix of the keys and the values; servers with different histories require different prefixes")
	size := f.Int("value-size", 16, "size of each value in bytes")
	wait := f.Bool("wait-index", false, "wait for the server's index after each transaction")
	if err := parse(f, args); err != nil {
		return err
	}
	ctx, cancel := deadline(writeTimeout)
	defer cancel()
	client, err := c.connect(ctx, v, *db)
	if err != nil {
		return err
	}
	set := func(ctx context.Context, i int64) (uint64, error) {
		request := &schema.SetRequest{KVs: pairs(*prefix, i, *entries, *size)}
		if v.NoWait != nil && !*wait {
			v.NoWait(request)
		}
		tx, err := client.Set(ctx, request)
		if err != nil {
			return 0, err
		}
		return uint64(tx.Id), nil
	}
	last, err := writeAll(ctx, int64(*n), *writers, limited(v.MaxInFlight, set))
	if err != nil {
		return err
	}
	fmt.Printf("wrote %d lasttx %d\n", *n, last)
	return nil
}

type setter func(context.Context, int64) (uint64, error)

// limited allows at most max concurrent calls; the other writers wait.
func limited(max int, set setter) setter {
	if max == 0 {
		return set
	}
	places := make(chan struct{}, max)
	return func(ctx context.Context, i int64) (uint64, error) {
		places <- struct{}{}
		defer func() { <-places }()
		return set(ctx, i)
	}
}

// writeAll distributes n calls over the writers, stops all writers at the first error, and returns the last transaction.
func writeAll(ctx context.Context, n int64, writers int, set setter) (uint64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mutex sync.Mutex
	var last uint64
	var all sync.WaitGroup
	for w := 0; w < writers; w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := next.Add(1); i <= n && ctx.Err() == nil; i = next.Add(1) {
				id, err := set(ctx, i)
				if err != nil {
					cancel(fmt.Errorf("transaction %d of %d: %w", i, n, err))
					return
				}
				mutex.Lock()
				last = max(last, id)
				mutex.Unlock()
			}
		}()
	}
	all.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return last, nil
}

func pairs(prefix string, i int64, entries, size int) []*schema.KeyValue {
	kvs := make([]*schema.KeyValue, entries)
	for e := range kvs {
		key := fmt.Sprintf("%s-%d-%d", prefix, i, e)
		kvs[e] = &schema.KeyValue{Key: []byte(key), Value: value(key, size)}
	}
	return kvs
}

func value(of string, size int) []byte {
	return []byte(strings.Repeat(of+" ", size/(len(of)+1)+1)[:size])
}
