package history

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"squall/history/historytest"
)

// seedFiles are whole files to begin from.
func seedFiles(f *testing.F) {
	f.Helper()
	for _, name := range historytest.FieldNames(f) {
		f.Add(historytest.Pack(f, historytest.FieldLines(f, name)))
	}
	path := filepath.Join(f.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(f, err)
	for i := range 5 {
		must(f, rec.AppendLines(AppendOp(nil, writeOp(i), false)))
	}
	must(f, rec.Close())
	data, err := os.ReadFile(path)
	must(f, err)
	f.Add(data)
}

// FuzzHistory: whatever the bytes, Load gives a history or damage, and a
// Follower gives no record that Load does not.
func FuzzHistory(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) { readBoth(t, data) })
}

// FuzzLines is the same for lines that are packed: what lies behind the frames'
// checksums.
func FuzzLines(f *testing.F) {
	for _, name := range historytest.FieldNames(f) {
		f.Add(historytest.FieldLines(f, name))
	}
	f.Add([]byte(validHead + `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100}` + "\n"))
	f.Fuzz(func(t *testing.T, lines []byte) { readBoth(t, historytest.Pack(t, lines)) })
}

func readBoth(t *testing.T, data []byte) {
	path := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(path, data, 0o644))
	h, err := Load(path)
	var (
		damage  *DamageError
		version *VersionError
	)
	if err != nil && !errors.As(err, &damage) && !errors.As(err, &version) {
		t.Fatalf("neither damage nor another version: %v", err)
	}
	file, err := os.Open(path)
	must(t, err)
	in, err := Follow(file)
	must(t, err)
	defer in.Close()
	records := int64(0)
	for more := true; more && err == nil; {
		more, err = in.Poll(time.Second, func(_ Record, open bool) {
			if !open {
				records++
			}
		})
	}
	if h != nil && (err != nil || records > h.Info.Records) {
		t.Fatalf("Load gives %d records, a Follower %d and %v", h.Info.Records, records, err)
	}
	if h == nil {
		return
	}
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Return < op.Call || op.Call-h.Mono < -maxTest || op.Return-h.Mono > maxTest {
			t.Fatalf("an operation with impossible times: %+v", op)
		}
	}
}
