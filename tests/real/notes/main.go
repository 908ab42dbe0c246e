// Notes verifies and signs checkpoints with the usual Go libraries for transparency logs. The tests of
// interoperability use it.
//
//	notes open KEY...     reads a note, prints a line NAME TIME for each key that signed the note, and then the text of the note
//	notes sign KEY        reads a text, prints a note of the text with a signature by the private key
//	notes key NAME        prints a new private key and its public key
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	cosigned "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// cosignature is the signature type of a cosignature (C2SP signed-note).
const cosignature = 4

func main() {
	if len(os.Args) < 3 {
		fail("usage: notes open KEY... | sign KEY | key NAME")
	}
	switch word, rest := os.Args[1], os.Args[2:]; word {
	case "open":
		open(rest)
	case "sign":
		sign(rest[0])
	case "key":
		key(rest[0])
	default:
		fail("unknown command: " + word)
	}
}

func open(keys []string) {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := cosigned.NewVerifierForCosignatureV1(key)
		check(err)
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(read(), note.VerifierList(verifiers...))
	check(err)
	for _, signature := range opened.Sigs {
		time, err := cosigned.CoSigV1Timestamp(signature)
		check(err)
		fmt.Printf("%s %d\n", signature.Name, time.Unix())
	}
	fmt.Print(opened.Text)
}

func sign(key string) {
	signer, err := cosigned.NewSignerForCosignatureV1(key)
	check(err)
	signed, err := note.Sign(&note.Note{Text: string(read())}, signer)
	check(err)
	os.Stdout.Write(signed)
}

func key(name string) {
	public, private, err := ed25519.GenerateKey(nil)
	check(err)
	typed := append([]byte{cosignature}, public...)
	hash := sha256.Sum256(slices.Concat([]byte(name), []byte{'\n'}, typed))
	id := binary.BigEndian.Uint32(hash[:])
	encode := base64.StdEncoding.EncodeToString
	seed := append([]byte{cosignature}, private.Seed()...)
	fmt.Printf("PRIVATE+KEY+%s+%08x+%s\n", name, id, encode(seed))
	fmt.Printf("%s+%08x+%s\n", name, id, encode(typed))
}

func read() []byte {
	bytes, err := io.ReadAll(os.Stdin)
	check(err)
	return bytes
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "notes:", why)
	os.Exit(1)
}
