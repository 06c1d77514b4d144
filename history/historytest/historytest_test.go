package historytest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestPackKeepsEveryLine(t *testing.T) {
	for _, name := range FieldNames(t) {
		want := bytes.Repeat(FieldLines(t, name), 20) // several frames
		data, err := os.ReadFile(filepath.Join(Run(t, want), fileName))
		must(t, err)
		dec, err := zstd.NewReader(nil)
		must(t, err)
		got, err := dec.DecodeAll(data, nil)
		dec.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes came back of %d, error %v", name, len(got), len(want), err)
		}
	}
}
