// Verify measures the time that immudb's client code takes to decode and verify a recorded response. Each line of stdin has a
// response in hexadecimal, and the transaction and hash of the source and the target of its proof. For each line it prints the
// median in nanoseconds.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/api/schema"
	"google.golang.org/protobuf/proto"
)

const (
	rounds = 1001
	calls  = 20
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var answer, sourceHash, targetHash string
		var source, target uint64
		if _, err := fmt.Sscan(lines.Text(), &answer, &source, &sourceHash, &target, &targetHash); err != nil {
			fail(err)
		}
		sourceAlh, targetAlh := alh(sourceHash), alh(targetHash)
		raw, err := hex.DecodeString(answer)
		if err != nil {
			fail(err)
		}
		verify := func() {
			var tx schema.VerifiableTx
			if err := proto.Unmarshal(raw, &tx); err != nil {
				fail(err)
			}
			if !store.VerifyDualProof(schema.DualProofFromProto(tx.DualProof), source, target, sourceAlh, targetAlh) {
				fail(fmt.Errorf("the client code refuses the proof from %d to %d", source, target))
			}
		}
		var took []float64
		for range rounds {
			start := time.Now()
			for range calls {
				verify()
			}
			took = append(took, float64(time.Since(start).Nanoseconds())/calls)
		}
		slices.Sort(took)
		fmt.Printf("%.0f\n", took[rounds/2])
	}
}

func alh(text string) (alh [32]byte) {
	if n, err := hex.Decode(alh[:], []byte(text)); err != nil || n != len(alh) {
		fail(fmt.Errorf("%q is not a hash", text))
	}
	return alh
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "verify:", err)
	os.Exit(1)
}
