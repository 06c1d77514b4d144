package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// maxBytes bounds what is read of a record. The largest campaign that squall
// runs has a few megabytes.
const maxBytes = 256 << 20

// ErrVersion refuses a record of another schema version.
var ErrVersion = errors.New("another schema version")

// Read reads the record in a campaign's directory. A record of another version
// is refused with ErrVersion, one that was not there with fs.ErrNotExist.
func Read(dir string) (*Campaign, error) {
	name := filepath.Join(dir, FileName)
	file, err := regular.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the campaign's record: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the campaign's record %s: %w", name, err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s is damaged: it is larger than %d MB", name, maxBytes>>20)
	}
	c, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// decode reads a record and refuses what no squall has written.
func decode(text []byte) (*Campaign, error) {
	var version struct {
		SchemaVersion int `json:"schemaVersion"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if version.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("it has schema version %d, and this squall reads %d: use the squall that wrote it, "+
			"or run the campaign again with --new: %w", version.SchemaVersion, SchemaVersion, ErrVersion)
	}
	var c Campaign
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return &c, nil
}

// validate refuses cells that could not be, and paths that leave the campaign's
// directory.
func (c *Campaign) validate() error {
	seen := map[string]bool{}
	for i := range c.Cells {
		cell := &c.Cells[i]
		if !IsID(cell.ID) {
			return fmt.Errorf("cell %d: %.80q is not the name of a cell", i+1, cell.ID)
		}
		if seen[cell.ID] {
			return fmt.Errorf("the cell %s occurs twice", cell.ID)
		}
		seen[cell.ID] = true
		switch cell.State {
		case Waiting, Running, Done:
		default:
			return fmt.Errorf("the cell %s is in the unknown state %.40q", cell.ID, cell.State)
		}
		if cell.State == Done && len(cell.Attempts) == 0 {
			return fmt.Errorf("the cell %s is done but has never run", cell.ID)
		}
		for _, a := range cell.Attempts {
			if a.Dir != "" && !below(a.Dir) {
				return fmt.Errorf("the cell %s: the path %.80q leaves the campaign's directory", cell.ID, a.Dir)
			}
		}
	}
	return nil
}

// below reports whether a path with slashes stays below where it begins.
func below(dir string) bool {
	return filepath.IsLocal(filepath.FromSlash(dir)) && !strings.ContainsAny(dir, "\\\x00") && path.Clean(dir) == dir && dir != "."
}

// maxID is the longest name of a cell: file systems take 255 bytes, and some
// room is left for those who add to it.
const maxID = 200

// IsID reports whether a text can name a cell: letters, digits, and _ . - +
// inside, so that it hurts in no folder, shell or address.
func IsID(id string) bool {
	if id == "" || len(id) > maxID || id[0] == '.' || id[0] == '-' {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-+", r))
	}) < 0
}

// Write puts the record into a campaign's directory, in the place of the one
// that is there, in one step: whoever reads finds the old one or the new one,
// also after a power cut.
func Write(dir string, c *Campaign) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		return fmt.Errorf("write the campaign's record: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, FileName), text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the campaign's record: %w", err)
	}
	return nil
}
