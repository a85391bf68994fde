// Interop asks Go's sumdb/note and sumdb/tlog whether they accept a ledger's checkpoint and proofs.
//
// It reads one JSON object on standard input (binary values in base64) and exits with 0 where everything verifies, with
// 1 and one line on standard output where something does not, and with 2 where the question itself is not understood.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// question is what the caller wants to know of one checkpoint.
type question struct {
	Vkey        string        `json:"vkey"`
	Checkpoint  []byte        `json:"checkpoint"`
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
}

// inclusion claims that the tree has a leaf of this hash at this index.
type inclusion struct {
	LeafHash tlog.Hash   `json:"leaf_hash"`
	Index    int64       `json:"index"`
	Path     []tlog.Hash `json:"path"`
}

// consistency claims that the tree begins with the tree of this size and root.
type consistency struct {
	Size int64       `json:"size"`
	Root tlog.Hash   `json:"root"`
	Path []tlog.Hash `json:"path"`
}

func main() {
	var asked question
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		fmt.Println("question:", err)
		os.Exit(2)
	}
	if err := check(asked); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// check returns the first thing that does not verify.
func check(asked question) error {
	size, root, err := open(asked.Vkey, asked.Checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, claim := range asked.Inclusion {
		if err := tlog.CheckRecord(claim.Path, size, root, claim.Index, claim.LeafHash); err != nil {
			return fmt.Errorf("inclusion of %d: %w", claim.Index, err)
		}
	}
	for _, claim := range asked.Consistency {
		if err := tlog.CheckTree(claim.Path, size, root, claim.Size, claim.Root); err != nil {
			return fmt.Errorf("consistency with %d: %w", claim.Size, err)
		}
	}
	return nil
}

// open verifies the log's signature and reads the three lines. (tlog.ParseTree knows the Go checksum database alone.)
func open(vkey string, checkpoint []byte) (int64, tlog.Hash, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	opened, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return 0, tlog.Hash{}, fmt.Errorf("not three lines that begin with the key's name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return size, root, err
}
