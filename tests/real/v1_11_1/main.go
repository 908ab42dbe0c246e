// Runs a real immudb 1.11.1 for tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/codenotary/immudb/pkg/api/protomodel"
	"github.com/codenotary/immudb/pkg/server"
	"google.golang.org/protobuf/types/known/structpb"

	"immuaudit/tests/real/common"
	"immuaudit/tests/real/common/since12"
)

func main() {
	if len(os.Args) > 1 {
		if run, ok := ageing[os.Args[1]]; ok {
			if err := run(flag.NewFlagSet(os.Args[1], flag.ContinueOnError), os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "immudb-1.11.1 %s: %v\n", os.Args[1], err)
				os.Exit(1)
			}
			return
		}
	}
	version := since12.Version("1.11.1", newServer)
	version.Kinds = append(version.Kinds, common.Kind{Name: "document", Write: document})
	common.Main(version)
}

func newServer(o common.ServeOptions) (common.Server, error) {
	options, err := since12.Options(o)
	if err != nil {
		return nil, err
	}
	// If more databases are active than the default of 100, the server unloads one to load another, and a list takes very long.
	options = options.WithLogRequestMetadata(o.RequestMetadata).WithMaxActiveDatabases(2000)
	return server.DefaultServer().WithOptions(options), nil
}

func document(ctx context.Context, c *common.Client, prefix string) (uint64, error) {
	documents := protomodel.NewDocumentServiceClient(c.Conn)
	_, err := documents.CreateCollection(ctx, &protomodel.CreateCollectionRequest{
		Name:   prefix + "docs",
		Fields: []*protomodel.Field{{Name: "name", Type: protomodel.FieldType_STRING}},
	})
	if err != nil {
		return 0, err
	}
	one, err := structpb.NewStruct(map[string]any{"name": "one", "more": []any{1.0, true}})
	if err != nil {
		return 0, err
	}
	reply, err := documents.InsertDocuments(ctx, &protomodel.InsertDocumentsRequest{
		CollectionName: prefix + "docs", Documents: []*structpb.Struct{one}})
	return reply.GetTransactionId(), err
}
