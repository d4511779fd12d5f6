// Reads a ledger of Ume with Go's own transparency log code, which shares nothing with ours:
// checkpoint and key with sumdb/note; tiles, inclusion and consistency with sumdb/tlog.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go LEDGER [OLDER-CHECKPOINT]... [-- PROOF ENTRY]...
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go cosigned NOTE LOG-KEY WITNESS-KEY...
//
// The second form opens a checkpoint with sumdb/note, whose lines of witnesses (c2sp.org/tlog-cosignature,
// type 0x04) are verified by crypto/ed25519 behind note's own interface. Every witness must have signed.
//
// or an audit bundle that was unpacked: the signature over its manifest, and the proof of each leaf.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go BUNDLE
//
// Needs Debian's golang-go and golang-golang-x-mod-dev. Exit 0 only if everything verifies.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "verify.go: "+format+"\n", args...)
	os.Exit(1)
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	return data
}

// checkpoint opens a signed checkpoint: origin, size, root.
func checkpoint(data []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		fail("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		fail("checkpoint: wrong origin or form: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail("checkpoint: %v", err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		fail("checkpoint: root %q", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

// ledger reads tiles; Go names them with their height, c2sp.org/tlog-tiles does not.
type ledger struct{ folder string }

func (l ledger) Height() int { return 8 }

func (l ledger) SaveTiles([]tlog.Tile, [][]byte) {}

func (l ledger) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(l.folder, path))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// bundle reads the entries beside a lowest tile.
func (l ledger) bundle(tile tlog.Tile) [][]byte {
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	data := read(filepath.Join(l.folder, path))
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			fail("%s: cut off", path)
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			fail("%s: cut off", path)
		}
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if len(entries) != tile.W {
		fail("%s: %d entries, not %d", path, len(entries), tile.W)
	}
	return entries
}

// proof checks a c2sp.org/tlog-proof file against its entry.
func proof(path, entry string, verifier note.Verifier) {
	head, signed, found := bytes.Cut(read(path), []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("%s: not a tlog-proof", path)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		fail("%s: %v", path, err)
	}
	var hashes tlog.RecordProof
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			fail("%s: hash %q", path, line)
		}
		var hash tlog.Hash
		copy(hash[:], raw)
		hashes = append(hashes, hash)
	}
	tree := checkpoint(signed, verifier)
	if err := tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(read(entry))); err != nil {
		fail("%s: %v", path, err)
	}
}

// witness is a note.Verifier of type 0x04, which sumdb/note does not know itself.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
	time *uint64
}

func (w witness) Name() string { return w.name }

func (w witness) KeyHash() uint32 { return w.hash }

// Verify checks a cosignature: eight bytes of time, then a signature over time and text.
func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	*w.time = binary.BigEndian.Uint64(signature)
	message := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", *w.time)), text...)
	return ed25519.Verify(w.key, message, signature[8:])
}

// newWitness reads a key in its text form and holds its id against its name and bytes.
func newWitness(text string) witness {
	fields := strings.SplitN(text, "+", 3)
	if len(fields) != 3 {
		fail("witness key %q", text)
	}
	id, err := strconv.ParseUint(fields[1], 16, 32)
	if err != nil {
		fail("witness key: %v", err)
	}
	raw, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != 0x04 {
		fail("witness key: not of type 0x04: %q", fields[2])
	}
	sum := sha256.Sum256(append([]byte(fields[0]+"\n"), raw...))
	if binary.BigEndian.Uint32(sum[:]) != uint32(id) {
		fail("witness key: the id is another key's")
	}
	return witness{fields[0], uint32(id), ed25519.PublicKey(raw[1:]), new(uint64)}
}

// cosigned opens a note with the keys of log and witnesses, all of whom must have signed.
func cosigned(path, log string, witnesses []string) {
	verifier, err := note.NewVerifier(log)
	if err != nil {
		fail("log key: %v", err)
	}
	list := []note.Verifier{verifier}
	for _, text := range witnesses {
		list = append(list, newWitness(text))
	}
	opened, err := note.Open(read(path), note.VerifierList(list...))
	if err != nil {
		fail("%s: %v", path, err)
	}
	if len(opened.Sigs) != len(list) {
		fail("%s: %d of %d keys have signed", path, len(opened.Sigs), len(list))
	}
	tree := checkpoint(read(path), verifier)
	fmt.Printf("checkpoint of %d leaves, signed by its log and %d witnesses: verified by Go's note\n", tree.N, len(witnesses))
}

// bundle checks an unpacked audit bundle: the signed hash of its manifest, and the proof of each leaf.
func bundle(folder string) {
	at := func(name string) string { return filepath.Join(folder, name) }
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(at("vkey")))))
	if err != nil {
		fail("vkey: %v", err)
	}
	opened, err := note.Open(read(at("manifest.note")), note.VerifierList(verifier))
	if err != nil {
		fail("manifest.note: %v", err)
	}
	hash := sha256.Sum256(read(at("manifest.json")))
	if opened.Text != fmt.Sprintf("ume audit bundle v1\n%s\n%x\n", verifier.Name(), hash) {
		fail("manifest.note is not about this manifest.json: %q", opened.Text)
	}
	tree := checkpoint(read(at("checkpoint")), verifier)
	leaves, err := filepath.Glob(at("leaves/*.json"))
	if err != nil || len(leaves) == 0 {
		fail("no leaves: %v", err)
	}
	for _, leaf := range leaves {
		proof(strings.TrimSuffix(leaf, ".json")+".tlog-proof", leaf, verifier)
	}
	fmt.Printf("bundle: %d of %d leaves verified by Go's tlog and note\n", len(leaves), tree.N)
}

func main() {
	if len(os.Args) < 2 {
		fail("usage: verify.go LEDGER [OLDER-CHECKPOINT]... [-- PROOF ENTRY]... | verify.go BUNDLE | verify.go cosigned NOTE LOG-KEY WITNESS-KEY...")
	}
	if os.Args[1] == "cosigned" {
		if len(os.Args) < 4 {
			fail("usage: verify.go cosigned NOTE LOG-KEY WITNESS-KEY...")
		}
		cosigned(os.Args[2], os.Args[3], os.Args[4:])
		return
	}
	if _, err := os.Stat(filepath.Join(os.Args[1], "manifest.json")); err == nil {
		bundle(os.Args[1])
		return
	}
	log := ledger{os.Args[1]}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(filepath.Join(log.folder, "vkey")))))
	if err != nil {
		fail("vkey: %v", err)
	}
	tree := checkpoint(read(filepath.Join(log.folder, "checkpoint")), verifier)
	// This reader accepts a tile only if it hashes up to the root.
	hashes := tlog.TileHashReader(tree, log)
	for index := int64(0); index < tree.N; {
		width := tree.N - index
		if width > 256 {
			width = 256
		}
		for _, entry := range log.bundle(tlog.Tile{H: 8, L: 0, N: index / 256, W: int(width)}) {
			path, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				fail("leaf %d: %v", index, err)
			}
			if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				fail("leaf %d: %v", index, err)
			}
			index++
		}
	}
	older, proofs, args := 0, 0, os.Args[2:]
	for len(args) > 0 && args[0] != "--" {
		old := checkpoint(read(args[0]), verifier)
		path, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			fail("%s: %v", args[0], err)
		}
		if err := tlog.CheckTree(path, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			fail("%s: %v", args[0], err)
		}
		older, args = older+1, args[1:]
	}
	if len(args) > 0 {
		args = args[1:]
	}
	for len(args) >= 2 {
		proof(args[0], args[1], verifier)
		proofs, args = proofs+1, args[2:]
	}
	fmt.Printf("%d leaves, %d older checkpoints, %d proof files: all verified by Go's tlog and note\n", tree.N, older, proofs)
}
