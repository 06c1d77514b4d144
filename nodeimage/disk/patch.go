package disk

// Patch turns a file as it was written into the file that a choice leaves: these bytes are
// put into it, and then it is made Size long.
type Patch struct {
	Node  Ino
	Size  int64
	Bytes []Piece
}

// Piece is bytes at an offset.
type Piece struct {
	At   int64
	Data []byte
}

// pieceBytes bounds a piece: what was covered may be long, and mostly zeros.
const pieceBytes = 1 << 20

// Patches are what a choice changes of the files of a model that is not Whole, by number. do is called
// for each; its error ends it.
func (m *Model) Patches(c Choice, do func(Patch) error) error {
	if err := m.checkChoice(c); err != nil {
		return err
	}
	for _, ino := range m.Dirty() {
		f := &m.nodes[ino].file
		left := f.after(c.Files[ino])
		p := Patch{Node: ino, Size: left.size}
		for _, r := range f.covered {
			for r.To = min(r.To, left.size); !r.empty(); r.From += pieceBytes {
				data := make([]byte, min(pieceBytes, r.Bytes()))
				left.bytes.read(r.From, data)
				p.Bytes = append(p.Bytes, Piece{r.From, data})
			}
		}
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

// Tree is the names in directories, those that are reached from the root alone.
type Tree map[Ino]map[string]Ino

// Current is the tree as it was written.
func (m *Model) Current() Tree { return m.tree(m.currentNames) }

// Surviving is the tree that a choice leaves.
func (m *Model) Surviving(c Choice) (Tree, error) {
	if err := m.checkChoice(c); err != nil {
		return nil, err
	}
	return m.tree(m.surviving(c)), nil
}

func (m *Model) tree(namesOf func(Ino) entries) Tree {
	t := Tree{Root: namesOf(Root)}
	for _, at := range m.walk(namesOf) {
		if m.nodes[at.node].isDir() {
			t[at.node] = namesOf(at.node)
		}
	}
	return t
}

// IsDir reports whether a node is a directory.
func (m *Model) IsDir(ino Ino) bool { return m.nodes[ino] != nil && m.nodes[ino].isDir() }

// Child is what has a name in a directory now.
func (m *Model) Child(dir Ino, name string) (node Ino, ok bool) {
	d := m.nodes[dir]
	if d == nil {
		return 0, false
	}
	node, ok = d.current[name]
	return node, ok
}

// Children are the names that a directory has now. They are the model's: to be read only, and not for long.
func (m *Model) Children(dir Ino) map[string]Ino {
	if d := m.nodes[dir]; d != nil {
		return d.current
	}
	return nil
}

// IsLink reports whether a node is a symbolic link.
func (m *Model) IsLink(ino Ino) bool { return m.nodes[ino] != nil && m.nodes[ino].kind == aLink }
