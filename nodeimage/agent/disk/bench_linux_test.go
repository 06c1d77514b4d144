package disk

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkDisk compares the file system with the disk below it: a record appended and synced, as a log does,
// and much written and synced now and then, as a snapshot is.
func BenchmarkDisk(b *testing.B) {
	for _, c := range []struct {
		name  string
		bytes int
		every int // so many writes a sync
	}{{"append 500 B and sync", 500, 1}, {"append 16 KiB and sync", 16 << 10, 1}, {"write 1 MiB, sync every 16", 1 << 20, 16}} {
		b.Run(c.name+"/plain", func(b *testing.B) { appendTo(b, b.TempDir(), c.bytes, c.every) })
		b.Run(c.name+"/ours", func(b *testing.B) { appendTo(b, onto(b, b.TempDir(), 0).data, c.bytes, c.every) })
		b.Run(c.name+"/ours with a journal", func(b *testing.B) { appendTo(b, onto(b, b.TempDir(), 1<<40).data, c.bytes, c.every) })
	}
}

// appendTo appends to a file that begins anew after 64 MiB.
func appendTo(b *testing.B, dir string, bytes, every int) {
	f, err := os.Create(filepath.Join(dir, "log"))
	must(b, err)
	defer f.Close()
	data := make([]byte, bytes)
	b.SetBytes(int64(bytes))
	at, wrote := int64(0), 0
	for b.Loop() {
		_, err := f.WriteAt(data, at)
		must(b, err)
		if at += int64(bytes); at > 64<<20 {
			at = 0
		}
		if wrote++; wrote%every == 0 {
			must(b, f.Sync())
		}
	}
}
