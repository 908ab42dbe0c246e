//go:build tools

// Keeps what immuclient needs in go.mod and go.sum.
package main

import _ "github.com/codenotary/immudb/cmd/immuclient"
