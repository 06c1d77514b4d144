package selftest

import (
	"encoding/json"
	"fmt"

	"squall/internal/regular"
)

// maxFile bounds a record, in bytes. One of sixty bugs has some thirty thousand.
const maxFile = 16 << 20

// Read reads the record of a self-test.
func Read(path string) (*Table, error) {
	text, err := regular.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	var t Table
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("%s is not the record of a self-test: %w", path, err)
	}
	if t.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%s: the record of a self-test of schema version %d; this squall reads version %d", path, t.SchemaVersion, SchemaVersion)
	}
	return &t, nil
}
