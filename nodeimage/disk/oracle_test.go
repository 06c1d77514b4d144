package disk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// oracle says what a model must, from the list of all operations and in the
// plainest way: bytes are in slices, and nothing is forgotten.
type oracle struct {
	ops    []Op
	kinds  map[Ino]nodeKind
	next   Ino
	isDone []bool // of the operations on names: durable
}

func newOracle() *oracle { return &oracle{kinds: map[Ino]nodeKind{Root: aDir}, next: Root + 1} }

// seqOf is the number of the operation at a place in the list.
func (o *oracle) covers(sync *Op, i int) bool { return sync.Upto == 0 || uint64(i+1) <= sync.Upto }

// changesOf lists the places of the changes of a file, and how many of them, the oldest, are durable.
func (o *oracle) changesOf(ino Ino) (places []int, durable int) {
	for i := range o.ops {
		op := &o.ops[i]
		switch op.Kind {
		case Write, Truncate, Allocate, Zero:
			if op.Node == ino {
				places = append(places, i)
				if op.Synced {
					durable = len(places)
				}
			}
		case Sync, SyncData, SyncAll:
			if op.Kind != SyncAll && op.Node != ino {
				continue
			}
			for n := range places {
				if o.covers(op, places[n]) {
					durable = max(durable, n+1)
				}
			}
		}
	}
	return places, durable
}

// onto does a change to bytes.
func onto(b []byte, op *Op, lo, hi int64) []byte {
	grow := func(n int64) {
		for int64(len(b)) < n {
			b = append(b, 0)
		}
	}
	switch op.Kind {
	case Write:
		if lo < hi {
			grow(op.Offset + hi)
			copy(b[op.Offset+lo:], op.Data[lo:hi])
		}
	case Truncate:
		grow(op.Length)
		b = b[:op.Length]
	case Allocate:
		grow(op.Offset + op.Length)
	case Zero:
		for i := op.Offset; i < min(int64(len(b)), op.Offset+op.Length); i++ {
			b[i] = 0
		}
	}
	return b
}

// bytesOf is a file after a number of its changes and then these parts of the ones that are not durable.
func (o *oracle) bytesOf(ino Ino, parts []Part) []byte {
	places, durable := o.changesOf(ino)
	var b []byte
	for _, i := range places[:durable] {
		b = onto(b, &o.ops[i], 0, int64(len(o.ops[i].Data)))
	}
	for _, p := range parts {
		b = onto(b, &o.ops[places[durable+p.Change]], p.Lo, p.Hi)
	}
	return slices.Clip(b)
}

// names are those of every directory after some of the operations.
func (o *oracle) names(done func(i int) bool) map[Ino]entries {
	all := map[Ino]entries{}
	for ino, kind := range o.kinds {
		if kind == aDir {
			all[ino] = entries{}
		}
	}
	for i := range o.ops {
		op := &o.ops[i]
		if !done(i) {
			continue
		}
		switch op.Kind {
		case Create, Mkdir, Symlink, Link:
			all[op.Dir][op.Name] = op.Node
		case Unlink, Rmdir:
			delete(all[op.Dir], op.Name)
		case Rename:
			all[op.NewDir][op.NewName] = op.Node
			delete(all[op.Dir], op.Name)
		case Exchange:
			all[op.Dir][op.Name], all[op.NewDir][op.NewName] = all[op.NewDir][op.NewName], all[op.Dir][op.Name]
		}
	}
	return all
}

func (o *oracle) now() map[Ino]entries { return o.names(func(int) bool { return true }) }

func isNaming(k Kind) bool { return k >= Create && k <= Rmdir }

// involved are the directories that an operation on names depends on, when it is done.
func (o *oracle) involved(i int) []Ino {
	op := &o.ops[i]
	before := o.names(func(j int) bool { return j < i })
	dirs := []Ino{op.Dir}
	switch op.Kind {
	case Rmdir:
		dirs = append(dirs, before[op.Dir][op.Name])
	case Exchange:
		dirs = append(dirs, op.NewDir)
	case Rename:
		dirs = append(dirs, op.NewDir)
		if old := before[op.NewDir][op.NewName]; o.kinds[old] == aDir {
			dirs = append(dirs, old)
		}
	}
	return dirs
}

// settle marks what a sync makes durable, as a fixed point: what is durable needs what was done
// before it to the same directories.
func (o *oracle) settle(sync *Op) {
	want := func(i int) bool { return false }
	switch {
	case sync.Kind == SyncAll:
		want = func(i int) bool { return true }
	case o.kinds[sync.Node] == aDir:
		want = func(i int) bool { return slices.Contains(o.involved(i), sync.Node) }
	}
	fresh := map[int]bool{}
	for i := range o.isDone {
		if isNaming(o.ops[i].Kind) && !o.isDone[i] && o.covers(sync, i) && want(i) {
			fresh[i] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for i := range maps.Clone(fresh) {
			for j := range i {
				if isNaming(o.ops[j].Kind) && !o.isDone[j] && !fresh[j] && overlap(o.involved(i), o.involved(j)) {
					fresh[j], grown = true, true
				}
			}
		}
	}
	for i := range fresh {
		o.isDone[i] = true
	}
}

func overlap(a, b []Ino) bool {
	return slices.ContainsFunc(a, func(x Ino) bool { return slices.Contains(b, x) })
}

// do adds an operation.
func (o *oracle) do(op Op) {
	op.Data = slices.Clone(op.Data)
	o.ops, o.isDone = append(o.ops, op), append(o.isDone, false)
	switch op.Kind {
	case Create:
		o.kinds[op.Node] = aFile
	case Mkdir:
		o.kinds[op.Node] = aDir
	case Symlink:
		o.kinds[op.Node] = aLink
	case Sync, SyncData, SyncAll:
		o.settle(&op)
	}
}

// image is what is left, as text: a line for each name.
func (o *oracle) image(c Choice) string {
	pending := 0
	all := o.names(func(i int) bool {
		if !isNaming(o.ops[i].Kind) || o.isDone[i] {
			return true
		}
		pending++
		return pending <= c.Names
	})
	var lines []string
	var list func(dir Ino, at string)
	list = func(dir Ino, at string) {
		for name, ino := range all[dir] {
			switch o.kinds[ino] {
			case aDir:
				lines = append(lines, fmt.Sprintf("%s%s/ %d", at, name, ino))
				list(ino, at+name+"/")
			case aLink:
				lines = append(lines, fmt.Sprintf("%s%s link %d", at, name, ino))
			default:
				lines = append(lines, fmt.Sprintf("%s%s %d %x", at, name, ino, o.bytesOf(ino, c.Files[ino])))
			}
		}
	}
	list(Root, "")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// draw makes up an operation that can be done to the tree.
func (o *oracle) draw(t *rapid.T) (op Op, ok bool) {
	now := o.now()
	var dirs, files, links []Ino
	var list func(dir Ino)
	list = func(dir Ino) {
		dirs = append(dirs, dir)
		for _, name := range slices.Sorted(maps.Keys(now[dir])) {
			if ino := now[dir][name]; o.kinds[ino] == aDir {
				list(ino)
			} else if o.kinds[ino] == aFile && !slices.Contains(files, ino) {
				files = append(files, ino)
			} else if o.kinds[ino] == aLink {
				links = append(links, ino)
			}
		}
	}
	list(Root)
	op.Kind = Kind(rapid.SampledFrom([]int{2, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 10, 10, 10, 11, 12, 13, 14, 14, 14, 15, 16}).Draw(t, "kind"))
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	has := op.Kind.fields()
	if has&hasDir != 0 {
		op.Dir, op.Name = rapid.SampledFrom(dirs).Draw(t, "dir"), name.Draw(t, "name")
	}
	if has&hasNew != 0 {
		op.NewDir, op.NewName = rapid.SampledFrom(dirs).Draw(t, "new dir"), name.Draw(t, "new name")
		op.Node = now[op.Dir][op.Name] // for the oracle
	}
	switch op.Kind {
	case Create, Mkdir, Symlink:
		op.Node = o.next
		o.next++
	case Link:
		if files = append(files, links...); len(files) == 0 {
			return op, false
		}
		op.Node = rapid.SampledFrom(files).Draw(t, "linked")
	case Write, Truncate, Allocate, Zero:
		if len(files) == 0 {
			return op, false
		}
		op.Node = rapid.SampledFrom(files).Draw(t, "file")
	case Sync, SyncData:
		op.Node = rapid.SampledFrom(append(files, dirs...)).Draw(t, "synced")
	}
	if has&hasTarget != 0 {
		op.Target = "a"
	}
	if has&hasOffset != 0 {
		op.Offset = rapid.Int64Range(0, 40).Draw(t, "offset")
	}
	if has&hasLength != 0 {
		op.Length = rapid.Int64Range(0, 40).Draw(t, "length")
	}
	if has&hasData != 0 {
		op.Data = rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 20).Draw(t, "data")
	}
	if has&hasSynced != 0 {
		op.Synced = rapid.IntRange(0, 9).Draw(t, "synced at once") == 0
	}
	if has&hasUpto != 0 && rapid.Bool().Draw(t, "began earlier") {
		op.Upto = uint64(max(1, len(o.ops)-rapid.IntRange(0, 4).Draw(t, "by")))
	}
	return op, true
}
