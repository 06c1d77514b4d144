package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where a run directory has the journals of its nodes' disks: RunFolder/NODE/*.journal, one for each life
// of the node's disk, in the order of their names; or RunFolder/NODE.journal, of all lives.
const (
	RunFolder     = "disk"
	JournalSuffix = ".journal"
)

// JournalName is the file of the journal of a life, from 1 on.
func JournalName(life int) string { return fmt.Sprintf("%06d%s", life, JournalSuffix) }

// Journals are the files of a run directory with the journal of a node, in order; none where
// none was kept.
func Journals(dir, node string) ([]string, error) {
	base := filepath.Join(dir, RunFolder, node)
	if _, err := os.Stat(base + JournalSuffix); err == nil {
		return []string{base + JournalSuffix}, nil
	}
	entries, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the journals of %s: %w", node, err)
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), JournalSuffix) {
			files = append(files, filepath.Join(base, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}
