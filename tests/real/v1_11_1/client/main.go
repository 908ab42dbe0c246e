// Client runs immudb's Go client against the ledgers of a test. It writes and reads, and the client verifies the responses.
//
//	client SERVER...          SERVER: PORT/DATABASE, or PORT/DATABASE=FILE with the server's public key
//
// tests/support/clients.rs describes the output, which is the same for all clients.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/codenotary/immudb/pkg/client"
)

const (
	rounds  = 12
	timeout = 60 * time.Second
)

// ledger is one database of one server, with a client that stores its trusted state.
type ledger struct {
	name   string
	client client.ImmuClient
}

func main() {
	var ledgers []*ledger
	for _, server := range os.Args[1:] {
		ledger := &ledger{name: strings.Split(server, "=")[0]}
		report(ledger.name, ledger.begin(server))
		ledgers = append(ledgers, ledger)
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	for _, ledger := range ledgers {
		report(ledger.name, ledger.goOn())
	}
	for _, ledger := range ledgers {
		ledger.client.CloseSession(context.Background())
	}
}

func report(name string, err error) {
	if err != nil {
		fmt.Printf("%s refused: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
	} else {
		fmt.Printf("%s verified\n", name)
	}
}

// begin opens a session, writes and reads.
func (l *ledger) begin(server string) error {
	address, key, _ := strings.Cut(server, "=")
	port, database, _ := strings.Cut(address, "/")
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(".", "states")
	if err != nil {
		return err
	}
	options := client.DefaultOptions().WithAddress("127.0.0.1").WithPort(number).WithDir(folder).WithServerSigningPubKey(key)
	l.client = client.NewClient().WithOptions(options)
	c := l.client
	context, end := withTimeout()
	defer end()
	if err := c.OpenSession(context, []byte("immudb"), []byte("immudb"), database); err != nil {
		return err
	}
	run := time.Now().UnixNano()
	named := func(number int) []byte { return []byte(fmt.Sprintf("go/%d/%d", run, number)) }
	value := func(number int) string { return fmt.Sprintf("value %d", number) }
	for number := range rounds {
		set, err := c.VerifiedSet(context, named(number), []byte(value(number)))
		if err != nil {
			return fmt.Errorf("VerifiedSet: %w", err)
		}
		if _, err := c.Set(context, named(-1-number), []byte("between")); err != nil {
			return err
		}
		for _, back := range []int{number, number / 2} {
			got, err := c.VerifiedGet(context, named(back))
			if err != nil {
				return fmt.Errorf("VerifiedGet: %w", err)
			}
			if string(got.Value) != value(back) {
				return fmt.Errorf("%s is %q", got.Key, got.Value)
			}
		}
		if _, err := c.VerifiedSet(context, named(number), []byte("again")); err != nil {
			return fmt.Errorf("VerifiedSet: %w", err)
		}
		old, err := c.VerifiedGetAt(context, named(number), set.Id)
		if err != nil || string(old.Value) != value(number) {
			return fmt.Errorf("VerifiedGetAt: %q, %v", old.GetValue(), err)
		}
		if old, err = c.VerifiedGetAtRevision(context, named(number), 1); err != nil || old.Tx != set.Id {
			return fmt.Errorf("VerifiedGetAtRevision: %v, %v", old, err)
		}
		if _, err := c.VerifiedSet(context, named(number), []byte(value(number))); err != nil {
			return fmt.Errorf("VerifiedSet: %w", err)
		}
	}
	return l.references(context, named)
}

// references writes a reference, a reference to an entry of one transaction and a member of a sorted set, and reads transactions.
func (l *ledger) references(context context.Context, key func(int) []byte) error {
	c := l.client
	got, err := c.VerifiedGet(context, key(3))
	if err != nil {
		return err
	}
	reference, bound := key(1000), key(1001)
	if _, err := c.VerifiedSetReference(context, reference, key(3)); err != nil {
		return fmt.Errorf("VerifiedSetReference: %w", err)
	}
	if _, err := c.VerifiedSetReferenceAt(context, bound, key(3), got.Tx); err != nil {
		return fmt.Errorf("VerifiedSetReferenceAt: %w", err)
	}
	for _, name := range [][]byte{reference, bound} {
		read, err := c.VerifiedGet(context, name)
		if err != nil || read.GetReferencedBy() == nil || string(read.Value) != string(got.Value) {
			return fmt.Errorf("VerifiedGet of %s: %v, %v", name, read, err)
		}
	}
	added, err := c.VerifiedZAdd(context, []byte("go/set"), 1.5, key(3))
	if err != nil {
		return fmt.Errorf("VerifiedZAdd: %w", err)
	}
	for tx := uint64(1); tx <= added.Id; tx += 7 {
		if _, err := c.VerifiedTxByID(context, tx); err != nil {
			return fmt.Errorf("VerifiedTxByID %d: %w", tx, err)
		}
	}
	return nil
}

// goOn reads an entry that was written after begin, and an old entry. The client panics on some invalid responses.
func (l *ledger) goOn() (err error) {
	defer func() {
		if ended := recover(); ended != nil {
			err = fmt.Errorf("panic: %v", ended)
		}
	}()
	context, end := withTimeout()
	defer end()
	for _, key := range []string{"later", "key/10"} {
		if _, err := l.client.VerifiedGet(context, []byte(key)); err != nil {
			return fmt.Errorf("VerifiedGet of %s: %w", key, err)
		}
	}
	return nil
}

func withTimeout() (context.Context, func()) {
	return context.WithTimeout(context.Background(), timeout)
}
