package disk

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// NameRule says what makes a name durable.
type NameRule uint8

const (
	// Strict is what POSIX promises, and what ALICE (Pillai et al., OSDI 2014) assumes of
	// no file system in particular: fsync of the directory, of each of the two for a
	// rename between them (either one settles it here: a rename is whole or not at all).
	Strict NameRule = iota
	// Journaled is what ext4 and XFS do in effect: every fsync commits all names
	// before it, and so does fdatasync of a file that has a new length.
	Journaled
)

// Options tune a model.
type Options struct {
	Names NameRule
	// Whole makes it hold all bytes of all files, so that it can make images. Without, it holds
	// what is pending, and what that lies upon, which Cover must tell it.
	Whole bool
}

// What a node is.
type nodeKind uint8

const (
	aFile nodeKind = iota
	aDir
	aLink
)

// node is a file, directory or symbolic link.
type node struct {
	kind   nodeKind
	mode   uint32
	target string
	file   file

	current, durable entries // of a directory

	// How many names it has now, and would have after a power cut, and how many pending
	// changes of names are about it.
	links, survives, pending int
}

func (n *node) isDir() bool { return n.kind == aDir }

// Model follows operations. It is not for use by more than one at a time.
type Model struct {
	opts  Options
	nodes map[Ino]*node
	names []naming // pending, in order
	seq   uint64   // of the last operation
	held  int64
}

// NewModel is the model of an empty tree.
func NewModel(opts Options) *Model {
	m := &Model{opts: opts}
	m.mount()
	return m
}

func (m *Model) mount() {
	m.nodes = map[Ino]*node{Root: {kind: aDir, current: entries{}, durable: entries{}}}
	m.names, m.held = nil, 0
}

// Seq is the number of the last operation.
func (m *Model) Seq() uint64 { return m.seq }

// Has reports whether a node matters: it has a name, or a power cut may bring one back.
func (m *Model) Has(node Ino) bool { return m.nodes[node] != nil }

// Memory is about how many bytes the model holds for what is pending.
func (m *Model) Memory() int64 { return m.held }

// Pending is how many changes are pending: of files, and of names.
func (m *Model) Pending() (files, names int) {
	for _, n := range m.nodes {
		files += len(n.file.pending)
	}
	return files, len(m.names)
}

// PendingNames is how many changes of names are pending.
func (m *Model) PendingNames() int { return len(m.names) }

// Dirty are the files of which something is pending, by number.
func (m *Model) Dirty() (files []Ino) {
	for ino, n := range m.nodes {
		if len(n.file.pending) > 0 {
			files = append(files, ino)
		}
	}
	slices.Sort(files)
	return files
}

// Largest is the file of which most is held, and how many bytes that are; 0 is none.
func (m *Model) Largest() (file Ino, bytes int64) {
	for ino, n := range m.nodes {
		if b := n.file.memory(); len(n.file.pending) > 0 && (b > bytes || b == bytes && ino < file) {
			file, bytes = ino, b
		}
	}
	return file, bytes
}

// Apply does an operation, whose Data belongs to the model from now on. An operation that
// cannot be on this tree is refused, and changes nothing.
func (m *Model) Apply(op *Op) error {
	err := op.check()
	if err == nil {
		err = m.apply(op, m.seq+1)
	}
	if err != nil {
		return fmt.Errorf("disk model: operation %d: %w", m.seq+1, err)
	}
	m.seq++
	return nil
}

func (m *Model) apply(op *Op, seq uint64) error {
	switch op.Kind {
	case Mount:
		m.mount()
		return nil
	case Write, Truncate, Allocate, Zero:
		return m.applyContent(op, seq)
	case Sync, SyncData, SyncAll:
		return m.applySync(op)
	default:
		return m.applyNaming(op, seq)
	}
}

// file finds a file's node.
func (m *Model) file(ino Ino) (*node, error) {
	n := m.nodes[ino]
	if n == nil || n.kind != aFile {
		return nil, fmt.Errorf("%d is no file", ino)
	}
	return n, nil
}

func (m *Model) applyContent(op *Op, seq uint64) error {
	n, err := m.file(op.Node)
	if err != nil {
		return fmt.Errorf("%v: %w", op.Kind, err)
	}
	before := n.file.memory()
	n.file.do(asChange(op, seq), m.opts.Whole)
	if op.Synced { // as a kernel may, at any time, it wrote what is older as well
		n.file.sync(seq, m.opts.Whole)
	}
	m.account(n, before)
	return nil
}

func asChange(op *Op, seq uint64) change {
	return change{seq: seq, kind: op.Kind, at: op.Offset, long: op.Length, data: op.Data}
}

// account keeps up with the memory of a file. What a whole model holds is no measure.
func (m *Model) account(n *node, before int64) {
	m.held += n.file.memory() - before
}

// Uncovered are the bytes of a file that must be told to Cover before an
// operation is done to it, since their durable state is nowhere else.
func (m *Model) Uncovered(op *Op) []Range {
	n, err := m.file(op.Node)
	if err != nil || m.opts.Whole {
		return nil
	}
	ch := asChange(op, 0)
	return n.file.uncovered(&ch)
}

// Cover tells bytes of a file, as they are before an operation. They belong to the model from now on.
func (m *Model) Cover(ino Ino, at int64, data []byte) {
	n, err := m.file(ino)
	if err != nil || m.opts.Whole {
		return
	}
	before := n.file.memory()
	n.file.cover(at, data)
	m.account(n, before)
}

func (m *Model) applySync(op *Op) error {
	upto := op.Upto
	if upto == 0 {
		upto = math.MaxUint64
	}
	if op.Kind == SyncAll {
		for _, n := range m.nodes {
			m.syncFile(n, upto)
		}
		m.settle(func(i int) bool { return m.names[i].seq <= upto })
		return nil
	}
	n := m.nodes[op.Node]
	switch {
	case n == nil:
		return fmt.Errorf("%v: there is no node %d", op.Kind, op.Node)
	case n.isDir():
		if m.opts.Names == Strict {
			m.syncNames(op.Node, upto)
			return nil
		}
	}
	commits := op.Kind == Sync || n.file.size != n.file.durable.size
	m.syncFile(n, upto)
	if m.opts.Names == Journaled && commits {
		m.settle(func(i int) bool { return m.names[i].seq <= upto })
	}
	return nil
}

func (m *Model) syncFile(n *node, upto uint64) {
	if len(n.file.pending) == 0 {
		return
	}
	before := n.file.memory()
	n.file.sync(upto, m.opts.Whole)
	m.account(n, before)
}

// applyNaming does an operation on names.
func (m *Model) applyNaming(op *Op, seq uint64) error {
	n, made, err := m.naming(op)
	if err != nil {
		return fmt.Errorf("%v %q: %w", op.Kind, op.Name, err)
	}
	if made != nil {
		m.nodes[n.node] = made
	}
	n.seq, n.op = seq, *op
	n.touches = m.dirs(&n)
	n.on(m.currentNames, func(node Ino, by int) { m.nodes[node].links += by })
	m.names = append(m.names, n)
	m.refer(&n, 1)
	return nil
}

// naming checks an operation on names, and says what it is done to and, if it
// makes something, what.
func (m *Model) naming(op *Op) (n naming, made *node, err error) {
	dir, err := m.dir(op.Dir)
	if err != nil {
		return n, nil, err
	}
	has, there := dir.current[op.Name]
	switch op.Kind {
	case Create, Mkdir, Symlink:
		if there || m.nodes[op.Node] != nil {
			return n, nil, errors.New("it exists")
		}
		made = &node{mode: op.Mode, target: op.Target}
		switch op.Kind {
		case Mkdir:
			made.kind, made.current, made.durable = aDir, entries{}, entries{}
		case Symlink:
			made.kind = aLink
		}
		return naming{node: op.Node}, made, nil
	case Link:
		if one := m.nodes[op.Node]; one == nil || one.isDir() || there {
			return n, nil, errors.New("no further name can be given")
		}
		return naming{node: op.Node}, nil, nil
	}
	if !there {
		return n, nil, errors.New("there is nothing of that name")
	}
	n.node = has
	one := m.nodes[has]
	switch op.Kind {
	case Unlink:
		if one.isDir() {
			err = errors.New("it is a directory")
		}
	case Rmdir:
		if !one.isDir() || len(one.current) > 0 {
			err = errors.New("it is no empty directory")
		}
	default:
		n.replaced, err = m.replaced(op, one)
	}
	return n, nil, err
}

func (m *Model) dir(ino Ino) (*node, error) {
	n := m.nodes[ino]
	if n == nil || !n.isDir() {
		return nil, fmt.Errorf("%d is no directory", ino)
	}
	return n, nil
}

// replaced is what a rename of a node replaces, or an exchange brings in its place.
func (m *Model) replaced(op *Op, one *node) (Ino, error) {
	to, err := m.dir(op.NewDir)
	if err != nil {
		return 0, err
	}
	old, there := to.current[op.NewName]
	switch {
	case op.Kind == Exchange && !there:
		return 0, errors.New("there is nothing to exchange it with")
	case m.within(op.NewDir, op.Dir, op.Name), op.Kind == Exchange && m.within(op.Dir, op.NewDir, op.NewName):
		return 0, errors.New("a directory cannot be in itself")
	case op.Kind == Rename && there && (m.nodes[old].isDir() != one.isDir() || len(m.nodes[old].current) > 0):
		return 0, errors.New("it cannot replace what is there")
	case op.Kind == Rename && there && m.nodes[old] == one:
		return 0, errors.New("both are the same file") // a rename of that kind does nothing, and is no operation
	}
	return old, nil
}

// within reports whether a directory is what has a name in another, or below it.
func (m *Model) within(dir, parent Ino, name string) bool {
	top := m.nodes[m.nodes[parent].current[name]]
	if top == nil || !top.isDir() {
		return false
	}
	var below func(n *node) bool
	below = func(n *node) bool {
		if n == m.nodes[dir] {
			return true
		}
		for _, ino := range n.current {
			if one := m.nodes[ino]; one.isDir() && below(one) {
				return true
			}
		}
		return false
	}
	return below(top)
}
