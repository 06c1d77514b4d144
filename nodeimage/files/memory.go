package files

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// memoryName is the file of the memory in a Store.
const memoryName = "seen.json"

// memory is what is known of files that were read before.
// Where two processes write it, one of them has read in vain, and nothing is wrong.
type memory struct {
	path  string
	seen  map[string]seen // by the absolute path of the source
	dirty bool
}

// seen is a file as it was when it was read.
type seen struct {
	Size    int64  `json:"size"`
	Written int64  `json:"written"`           // the time of its content, Unix nanoseconds
	Changed int64  `json:"changed,omitempty"` // the time of its last change of any kind, where the system tells
	Hash    string `json:"sha256"`
}

const (
	// maxSeen bounds what is remembered, in files, and maxMemory what is read, in
	// bytes.
	maxSeen   = 4 * MaxFiles
	maxMemory = 64 << 20
	// settled is how long ago a file must have changed to be remembered: one
	// that changes again within the tick of a clock looks the same.
	settled = 2 * time.Second
)

func (s Store) recall() *memory {
	m := &memory{path: filepath.Join(s.Dir, memoryName), seen: map[string]seen{}}
	text, err := regular.ReadFile(m.path, maxMemory)
	if err != nil || json.Unmarshal(text, &m.seen) != nil || m.seen == nil {
		m.seen = map[string]seen{} // then everything is read
	}
	return m
}

// hash is that of the file's content, "" where it must be read.
func (m *memory) hash(l looked) string {
	if l.info == nil {
		return ""
	}
	path, err := filepath.Abs(l.Source)
	if err != nil {
		return ""
	}
	was := m.seen[path]
	if was != see(l.info, was.Hash) || !isHash(was.Hash) {
		return ""
	}
	return was.Hash
}

func see(info fs.FileInfo, hash string) seen {
	return seen{Size: info.Size(), Written: info.ModTime().UnixNano(), Changed: changed(info), Hash: hash}
}

// isHash keeps what somebody wrote into the memory from becoming a path.
func isHash(text string) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) == 64
}

// remember notes what a file holds.
func (m *memory) remember(l looked, hash string, now time.Time) {
	if l.info == nil { // to read a text takes no time
		return
	}
	path, err := filepath.Abs(l.Source)
	latest := max(l.info.ModTime().UnixNano(), changed(l.info))
	if err != nil || now.UnixNano()-latest < int64(settled) {
		return
	}
	m.seen[path] = see(l.info, hash)
	m.dirty = true
}

// save writes the memory down, if there is anything new.
func (m *memory) save() error {
	if !m.dirty {
		return nil
	}
	for path := range maps.Keys(m.seen) {
		if len(m.seen) <= maxSeen {
			break
		}
		delete(m.seen, path) // any: it is read again
	}
	text, err := json.Marshal(m.seen)
	if err != nil {
		return err
	}
	return atomicfile.Write(m.path, text, 0o600)
}
