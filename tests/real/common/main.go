package common

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
)

type command struct {
	args string
	run  func(v Version, args []string) error
}

var commands = map[string]command{
	"serve":       {"--dir DIR [--port N] …", serve},
	"write":       {"--port N [--db D] [--n 100] [--writers 1] [--entries 1] …", write},
	"mixed":       {"--port N [--db D] [--prefix P]", mixed},
	"state":       {"--port N [--db D]", state},
	"create-db":   {"--port N NAME...", eachDB(createDB)},
	"drop-db":     {"--port N NAME...", eachDB(dropDB)},
	"unload-db":   {"--port N NAME...", eachDB(unloadDB)},
	"load-db":     {"--port N NAME...", eachDB(loadDB)},
	"create-user": {"--port N --name U --password P --db D --permission read|readwrite", createUser},
	"grant":       {"--port N --name U --db D --permission read|readwrite", permission(schema.PermissionAction_GRANT)},
	"revoke":      {"--port N --name U --db D --permission read|readwrite", permission(schema.PermissionAction_REVOKE)},
	"version":     {"", func(v Version, _ []string) error { fmt.Println(v.Name); return nil }},
}

// Main runs one command. Exit codes: 0 success, 1 failure, 2 usage error, 3 not supported by this version.
func Main(v Version) {
	if len(os.Args) < 2 {
		usage(v)
	}
	cmd, ok := commands[os.Args[1]]
	if !ok {
		usage(v)
	}
	err := cmd.run(v, os.Args[2:])
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case errors.Is(err, ErrUnsupported):
		fail(v, err, 3)
	default:
		fail(v, err, 1)
	}
}

func fail(v Version, err error, code int) {
	fmt.Fprintf(stderr, "immudb-%s %s: %v\n", v.Name, os.Args[1], err)
	os.Exit(code)
}

func usage(v Version) {
	fmt.Fprintf(stderr, "usage: immudb-%s COMMAND; COMMAND -h prints the flags:\n", v.Name)
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		fmt.Fprintln(stderr, strings.TrimRight("  "+name+" "+commands[name].args, " "))
	}
	os.Exit(2)
}

func flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return f
}

// parse returns flag.ErrHelp for any error, which means exit code 2. The flag package has already printed the error.
func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return flag.ErrHelp
	}
	return nil
}

// deadline limits the time of a command, because a hanging command would block the test.
func deadline(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
