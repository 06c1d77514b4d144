package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"squall/internal/regular"
)

// Dir is the folder of a run directory that holds the full traces, one file a node:
// [FileName]. Each is frames of zstd, which unpack to one trace of a run (see
// [NewFileReader]).
const Dir = "trace"

const suffix = ".trace.zst"

// FileName is the name of a node's file.
func FileName(node string) string { return node + suffix }

// Bounds of what a file may unpack to, bytes: maxUnpacked, and beyond that maxRatio times
// its size. A trace packs to a third.
const (
	maxUnpacked = 64 << 20
	maxRatio    = 256
	maxWindow   = 8 << 20
)

// Merged reads the full traces of a run as one: the events of all nodes by time, each
// node's own in the order in which it wrote them. What is damaged ends that node's part,
// with a Silent event; [Merged.Damaged] tells of it.
type Merged struct {
	sources []*source
	last    *source // whose event was handed out, and is not taken yet
	damaged []string
}

// source is the trace of one node.
type source struct {
	name  string
	file  *os.File
	zstd  *zstd.Decoder
	r     *Reader
	node  NodeID
	event *Event // nil: it is at its end
	gone  Event  // told when it is damaged
	over  bool
}

// Open opens the full traces of a run directory. The error is fs.ErrNotExist where the run
// has none.
func Open(run string) (*Merged, error) {
	paths, err := filepath.Glob(filepath.Join(run, Dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("find the traces in %s: %w", run, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no full trace (it is written with --trace full): %w", run, fs.ErrNotExist)
	}
	slices.Sort(paths)
	m := &Merged{}
	for _, path := range paths {
		s, err := openSource(path)
		if err != nil {
			m.Close()
			return nil, err
		}
		m.sources = append(m.sources, s)
		m.advance(s)
	}
	return m, nil
}

func openSource(path string) (*source, error) {
	name := strings.TrimSuffix(filepath.Base(path), suffix)
	file, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the trace of %s: %w", name, err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open the trace of %s: %w", name, err)
	}
	dec, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open the trace of %s: %w", name, err)
	}
	most := max(maxUnpacked, maxRatio*info.Size())
	return &source{name: name, file: file, zstd: dec, r: NewFileReader(&limited{dec, most})}, nil
}

// limited is a reader that fails beyond so many bytes.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("it unpacks to far more than it takes in the file")
	}
	n, err := l.r.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	return n, err
}

// Next returns the next event of all nodes, which is valid until the call after, and
// io.EOF at the end.
func (m *Merged) Next() (*Event, error) {
	if m.last != nil {
		m.advance(m.last)
		m.last = nil
	}
	for _, s := range m.sources {
		if s.event != nil && (m.last == nil || s.event.Time < m.last.event.Time) {
			m.last = s
		}
	}
	if m.last == nil {
		return nil, io.EOF
	}
	return m.last.event, nil
}

// advance takes the next event of a node.
func (m *Merged) advance(s *source) {
	if s.over {
		s.event = nil
		return
	}
	e, err := s.r.Next()
	if err == nil {
		s.event = e
		if e.Node == 0 { // it fell silent before it had said who it is
			e.Node = s.id()
		}
		s.node = e.Node
		return
	}
	s.event, s.over = nil, true
	if err == io.EOF {
		return
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file was cut: squall was ended before it was complete")
	}
	m.damaged = append(m.damaged, fmt.Sprintf("%s: %v", s.name, err))
	s.gone = Event{Kind: Silent, Node: s.id(), Boot: s.r.dec.boot, Time: s.r.dec.time, Reason: err.Error()}
	s.event = &s.gone
}

// id is the node's number: what it said itself or, where it said nothing, the number in
// its name.
func (s *source) id() NodeID {
	if s.node == 0 {
		s.node, _ = parseNode(s.name)
	}
	return s.node
}

// Name is the name of the node with that number; "" where no trace is of it yet.
func (m *Merged) Name(id NodeID) string {
	for _, s := range m.sources {
		if s.node == id {
			return s.name
		}
	}
	return ""
}

// Nodes are the names of the nodes that have a trace.
func (m *Merged) Nodes() []string {
	var names []string
	for _, s := range m.sources {
		names = append(names, s.name)
	}
	return names
}

// Damaged says what could not be read, so far.
func (m *Merged) Damaged() []string { return m.damaged }

// Close closes the files.
func (m *Merged) Close() error {
	var errs []error
	for _, s := range m.sources {
		s.zstd.Close()
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}
