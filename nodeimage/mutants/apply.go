package mutants

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Overlay writes patched copies of the sources under root to dir, and next to
// them the file that tells the Go tool to take them instead (go build
// -overlay), whose path it returns. The sources stay as they are. A patch that
// does not fit is an error that names the patch, the file and the line.
func (m Mutant) Overlay(root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	patched, err := m.apply(root)
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	replace := make(map[string]string)
	for i, p := range patched {
		original := filepath.Join(root, p.path)
		if p.content == nil {
			replace[original] = "" // deleted
			continue
		}
		replacement := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(p.path)))
		if err := os.WriteFile(replacement, p.content, 0o644); err != nil {
			return "", err
		}
		replace[original] = replacement
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o644)
}

// source is a file as a mutant wants it; without content it is not there.
type source struct {
	path    string // from root
	content []byte
}

func (m Mutant) apply(root string) ([]source, error) {
	files, _, err := gitdiff.Parse(bytes.NewReader(m.Patch))
	if err != nil {
		return nil, fmt.Errorf("reading the patch: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("the patch changes nothing")
	}
	var patched []source
	for _, f := range files {
		p, err := applyFile(root, f)
		if err != nil {
			return nil, err
		}
		patched = append(patched, p...)
	}
	return patched, nil
}

func applyFile(root string, f *gitdiff.File) ([]source, error) {
	name := f.NewName
	if f.IsDelete {
		name = f.OldName
	}
	if f.IsBinary || f.IsRename || f.IsCopy {
		return nil, fmt.Errorf("%s: a patch may only change, add or delete text files", name)
	}
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%s: the path must stay within the module", name)
	}
	var old []byte
	if !f.IsNew {
		var err error
		if old, err = os.ReadFile(filepath.Join(root, name)); err != nil {
			return nil, fmt.Errorf("the patch does not fit: %w", err)
		}
	}
	if err := relocate(old, f.TextFragments); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out bytes.Buffer
	if err := gitdiff.Apply(&out, bytes.NewReader(old), f); err != nil {
		var at *gitdiff.ApplyError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("%s:%d: the patch does not fit: %w", name, at.Line, err)
		}
		return nil, fmt.Errorf("%s: the patch does not fit: %w", name, err)
	}
	if f.IsDelete {
		return []source{{path: name}}, nil
	}
	return []source{{path: name, content: out.Bytes()}}, nil
}

// relocate moves fragments to where their old lines stand in the source now,
// so that a change further up does not spoil a patch. The place must be the
// one written in the patch, or the only one.
func relocate(old []byte, fragments []*gitdiff.TextFragment) error {
	lines := strings.SplitAfter(string(old), "\n")
	for _, f := range fragments {
		var want []string
		for _, l := range f.Lines {
			if l.Old() {
				want = append(want, l.Line)
			}
		}
		if len(want) == 0 {
			continue // a new file
		}
		at := func(i int) bool {
			return i >= 0 && i+len(want) <= len(lines) && slices.Equal(lines[i:i+len(want)], want)
		}
		if at(int(f.OldPosition) - 1) {
			continue
		}
		var places []int
		for i := range lines {
			if at(i) {
				places = append(places, i+1)
			}
		}
		switch len(places) {
		case 0:
			return fmt.Errorf("line %d: the patch does not fit: its lines, of which the first is %q, "+
				"are no longer in the source; make the patch again", f.OldPosition, strings.TrimSpace(want[0]))
		case 1:
			f.OldPosition = int64(places[0])
		default:
			return fmt.Errorf("line %d: the patch does not fit: its lines are in several places, %v; "+
				"make it again with more context", f.OldPosition, places)
		}
	}
	return nil
}
