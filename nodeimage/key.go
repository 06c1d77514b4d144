package nodeimage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"squall/nodeimage/mutants"
	"squall/nodeimage/programs"
)

// sourceDirs are the directories whose sources squall-node is made of.
func sourceDirs() []string {
	return []string{"cmd/squall-node", "history", "internal", "nodeimage", "workloads"}
}

// keyVersion changes when the way of building does.
const keyVersion = "squall-node build 2"

// buildKey is a hash over everything that a build depends on. Every part goes
// in with its name and its length, so that parts cannot flow into each other.
func buildKey(opts BuildOptions, mutant *mutants.Mutant) (string, error) {
	h := sha256.New()
	add := func(name string, data []byte) {
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	add(keyVersion, nil)
	add("arch", []byte(opts.Arch))
	for _, setting := range programs.Compiler() {
		add(setting.Name, []byte(setting.Value))
	}
	if mutant != nil {
		add("mutant", mutant.Patch)
	}
	files := []string{"go.mod", "go.sum"}
	for _, dir := range sourceDirs() {
		found, err := sources(opts.Root, dir)
		if err != nil {
			return "", err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if err := addFile(h, opts.Root, file); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:20], nil
}

func addFile(h hash.Hash, root, file string) error {
	f, err := os.Open(filepath.Join(root, file))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(file), info.Size())
	_, err = io.Copy(h, f)
	return err
}

// sources lists the files under dir that go into a build: no tests, nor what
// only they read. Paths are from root, sorted.
func sources(root, dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")):
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".patch"):
			return nil
		}
		// Files of any kind may be embedded, so all count.
		rel, err := filepath.Rel(root, path)
		files = append(files, rel)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: is %s the root of squall's sources?", err, root)
	}
	return files, err
}
