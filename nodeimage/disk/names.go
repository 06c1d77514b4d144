package disk

import "slices"

// entries are the names in a directory.
type entries map[string]Ino

// naming is something that was done to names.
type naming struct {
	seq      uint64
	op       Op  // without data
	node     Ino // what it is done to; of Exchange: what has Name
	replaced Ino // what Rename replaces, and what of Exchange has NewName; 0: nothing
	touches  []Ino
}

// on does it to the entries of directories; count is told of each name that a
// node gets or loses.
func (n *naming) on(entriesOf func(Ino) entries, count func(node Ino, by int)) {
	remove := func(dir Ino, name string) {
		e := entriesOf(dir)
		if old, there := e[name]; there {
			count(old, -1)
			delete(e, name)
		}
	}
	put := func(dir Ino, name string, node Ino) {
		remove(dir, name)
		entriesOf(dir)[name] = node
		count(node, 1)
	}
	switch n.op.Kind {
	case Create, Mkdir, Symlink, Link:
		put(n.op.Dir, n.op.Name, n.node)
	case Unlink, Rmdir:
		remove(n.op.Dir, n.op.Name)
	case Rename:
		remove(n.op.Dir, n.op.Name)
		put(n.op.NewDir, n.op.NewName, n.node)
	case Exchange:
		put(n.op.Dir, n.op.Name, n.replaced)
		put(n.op.NewDir, n.op.NewName, n.node)
	}
}

// dirs are the directories that it depends on: all that was done to them
// before is durable when it is. A directory that goes is among them, or what was moved out of it would be lost.
func (m *Model) dirs(n *naming) []Ino {
	dirs := []Ino{n.op.Dir}
	if n.op.Kind == Rename || n.op.Kind == Exchange {
		dirs = append(dirs, n.op.NewDir)
	}
	if n.op.Kind == Rmdir {
		dirs = append(dirs, n.node)
	}
	if old := m.nodes[n.replaced]; n.op.Kind == Rename && old != nil && old.isDir() {
		dirs = append(dirs, n.replaced)
	}
	return dirs
}

// syncNames makes durable what was done to the names in a directory up to an
// operation, and what that depends on.
func (m *Model) syncNames(dir Ino, upto uint64) {
	wanted := map[Ino]bool{dir: true}
	chosen := make([]bool, len(m.names))
	for i := len(m.names) - 1; i >= 0; i-- {
		n := &m.names[i]
		if n.seq > upto || !slices.ContainsFunc(n.touches, func(d Ino) bool { return wanted[d] }) {
			continue
		}
		chosen[i] = true
		for _, d := range n.touches {
			wanted[d] = true
		}
	}
	m.settle(func(i int) bool { return chosen[i] })
}

// settle makes some of the pending names durable.
func (m *Model) settle(chosen func(i int) bool) {
	var rest, done []naming
	for i := range m.names {
		if !chosen(i) {
			rest = append(rest, m.names[i])
			continue
		}
		m.names[i].on(m.durableNames, func(node Ino, by int) { m.nodes[node].survives += by })
		done = append(done, m.names[i])
	}
	m.names = rest
	for i := range done {
		m.refer(&done[i], -1)
	}
	for i := range done {
		m.forget(done[i].node)
		m.forget(done[i].replaced)
	}
}

func (m *Model) durableNames(dir Ino) entries { return m.nodes[dir].durable }
func (m *Model) currentNames(dir Ino) entries { return m.nodes[dir].current }

// refer counts a pending change of names in with the nodes that it is about, or out.
func (m *Model) refer(n *naming, by int) {
	for _, ino := range append([]Ino{n.node, n.replaced}, n.touches...) {
		if one := m.nodes[ino]; one != nil {
			one.pending += by
		}
	}
}

// forget drops a node that no state and no pending change has any more. A
// directory has no names then: it could not go before they did.
func (m *Model) forget(ino Ino) {
	if n := m.nodes[ino]; n != nil && ino != Root && n.links == 0 && n.survives == 0 && n.pending == 0 {
		m.held -= n.file.memory()
		delete(m.nodes, ino)
	}
}
