//go:build tools

// This import keeps immuclient's dependencies in go.mod and go.sum.
package main

import _ "github.com/codenotary/immudb/cmd/immuclient"
