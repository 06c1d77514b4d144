package disk

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// grown is a tree that random operations made, as the oracle and the models see it.
type grown struct {
	*oracle
	whole, partly *Model
	files         map[Ino][]byte // as they are written
}

// grow does random operations to an empty tree.
func grow(t *rapid.T) *grown {
	g := &grown{oracle: newOracle(), whole: NewModel(Options{Whole: true}), partly: NewModel(Options{}), files: map[Ino][]byte{}}
	for range rapid.IntRange(1, 40).Draw(t, "operations") {
		op, ok := g.draw(t)
		if !ok {
			continue
		}
		mine := op
		mine.Data = slices.Clone(op.Data)
		if g.whole.Apply(&mine) != nil {
			continue // a name that is taken, and the like
		}
		for _, r := range g.partly.Uncovered(&op) {
			g.partly.Cover(op.Node, r.From, slices.Clone(g.files[op.Node][r.From:r.To]))
		}
		theirs := op
		theirs.Data = slices.Clone(op.Data)
		if err := g.partly.Apply(&theirs); err != nil {
			t.Fatal(err)
		}
		switch op.Kind {
		case Write, Truncate, Allocate, Zero:
			g.files[op.Node] = onto(slices.Clone(g.files[op.Node]), &op, 0, int64(len(op.Data)))
		}
		g.do(op)
	}
	return g
}

func text(img *Image) string {
	var lines []string
	for i := range img.Entries {
		e := &img.Entries[i]
		switch e.Type {
		case fs.ModeDir:
			lines = append(lines, fmt.Sprintf("%s/ %d", e.Path, e.Node))
		case fs.ModeSymlink:
			lines = append(lines, fmt.Sprintf("%s link %d", e.Path, e.Node))
		default:
			b, _ := io.ReadAll(e.Open())
			lines = append(lines, fmt.Sprintf("%s %d %x", e.Path, e.Node, b))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestImagesAreThoseOfTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grow(t)
		for _, how := range Hows() {
			c, _ := g.whole.Choose(how, rng(rapid.Uint64().Draw(t, "seed")))
			img, err := g.whole.Image(c)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := text(img), g.image(c); got != want {
				t.Fatalf("%s: the image is\n%s\nand should be\n%s\nafter\n%s", how, got, want, g.log())
			}
		}
	})
}

// log is the operations, for people.
func (o *oracle) log() string {
	var b strings.Builder
	for i := range o.ops {
		fmt.Fprintf(&b, "%d: %+v\n", i+1, o.ops[i])
	}
	return b.String()
}

// TestPatchesMakeTheImage: a model that holds only what is pending turns what was written into the same files.
func TestPatchesMakeTheImage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grow(t)
		for _, how := range Hows() {
			seed := rapid.Uint64().Draw(t, "seed")
			c, _ := g.whole.Choose(how, rng(seed))
			same, _ := g.partly.Choose(how, rng(seed))
			if fmt.Sprint(c) != fmt.Sprint(same) {
				t.Fatalf("the models choose %v and %v", c, same)
			}
			patched := map[Ino][]byte{}
			for ino, b := range g.files {
				patched[ino] = slices.Clone(b)
			}
			err := g.partly.Patches(c, func(p Patch) error {
				b := patched[p.Node]
				for _, piece := range p.Bytes {
					b = onto(b, &Op{Kind: Write, Offset: piece.At, Data: piece.Data}, 0, int64(len(piece.Data)))
				}
				patched[p.Node] = onto(b, &Op{Kind: Truncate, Length: p.Size}, 0, 0)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			img, err := g.whole.Image(c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range img.Entries {
				e := &img.Entries[i]
				if b, _ := io.ReadAll(e.Open()); e.Type.IsRegular() && !bytes.Equal(b, patched[e.Node]) {
					t.Fatalf("%s: %s is %x and is patched to %x, after\n%s", how, e.Path, b, patched[e.Node], g.log())
				}
			}
		}
	})
}

// TestNothingIsHeldOnceAllIsSynced: neither bytes, nor nodes without a name.
func TestNothingIsHeldOnceAllIsSynced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grow(t)
		if err := g.partly.Apply(&Op{Kind: SyncAll}); err != nil {
			t.Fatal(err)
		}
		files, names := g.partly.Pending()
		if files+names != 0 || g.partly.Memory() != 0 {
			t.Fatalf("%d changes, %d names, %d bytes", files, names, g.partly.Memory())
		}
		reached := map[Ino]bool{Root: true}
		for _, l := range g.partly.walk(g.partly.currentNames) {
			reached[l.node] = true
		}
		for ino := range g.partly.nodes {
			if !reached[ino] {
				t.Fatalf("node %d is held and has no name, after\n%s", ino, g.log())
			}
		}
	})
}

// TestChoicesAreWhatTheirNameSays looks at what they keep of writes.
func TestChoicesAreWhatTheirNameSays(t *testing.T) {
	m := NewModel(Options{Whole: true})
	must := func(op Op) {
		t.Helper()
		if err := m.Apply(&op); err != nil {
			t.Fatal(err)
		}
	}
	must(Op{Kind: Create, Node: 2, Dir: Root, Name: "log"})
	must(Op{Kind: Sync, Node: Root})
	for i := range 4 {
		must(Op{Kind: Write, Node: 2, Offset: int64(i) * 5000, Data: bytes.Repeat([]byte{byte(i + 1)}, 5000)})
	}
	must(Op{Kind: Rename, Dir: Root, Name: "log", NewDir: Root, NewName: "log.1"})
	seen := map[How]map[string]bool{}
	for seed := range uint64(200) {
		for _, how := range Hows() {
			c, ok := m.Choose(how, rng(seed))
			if !ok {
				t.Fatalf("%s: it cannot be", how)
			}
			img, err := m.Image(c)
			if err != nil {
				t.Fatal(err)
			}
			if seen[how] == nil {
				seen[how] = map[string]bool{}
			}
			seen[how][img.Lost.String()] = true
			if again, _ := m.Choose(how, rng(seed)); fmt.Sprint(again) != fmt.Sprint(c) {
				t.Fatalf("%s: %v and then %v", how, c, again)
			}
			switch parts := c.Files[2]; how {
			case Reordered:
				if n := len(parts); n == 0 || parts[n-1].Change == n-1 || !img.Lost.Files[0].Reordered {
					t.Fatalf("%v is not reordered: %v", parts, img.Lost)
				}
			case Torn512, Torn4096:
				last := parts[len(parts)-1]
				sector := int64(map[How]int{Torn512: 512, Torn4096: 4096}[how])
				cut := last.Lo + last.Hi%5000
				if (int64(last.Change)*5000+cut)%sector != 0 || last.Lo != 0 && last.Hi != 5000 {
					t.Fatalf("%s: %v", how, last)
				}
			}
		}
	}
	if want := "log.1: 4 writes, 20.0 KB; names: log → log.1"; !seen[SyncedOnly][want] || len(seen[SyncedOnly]) != 1 {
		t.Errorf("%v, and not %s", seen[SyncedOnly], want)
	}
	if want := "names: log → log.1"; !seen[NamesLost][want] || len(seen[NamesLost]) != 1 {
		t.Errorf("%v, and not %s", seen[NamesLost], want)
	}
	if !seen[Everything]["nothing"] || len(seen[Everything]) != 1 {
		t.Errorf("%v", seen[Everything])
	}
	if len(seen[Prefix]) != 10 || len(seen[Torn512]) < 20 {
		t.Errorf("%d prefixes, %d torn", len(seen[Prefix]), len(seen[Torn512]))
	}
}

// TestNameRules: what makes the name of a new file survive.
func TestNameRules(t *testing.T) {
	for _, c := range []struct {
		rule NameRule
		then Op
		want bool
	}{
		{Strict, Op{Kind: Sync, Node: 2}, false},
		{Strict, Op{Kind: Sync, Node: Root}, true},
		{Strict, Op{Kind: SyncAll}, true},
		{Journaled, Op{Kind: Sync, Node: 2}, true},
		{Journaled, Op{Kind: SyncData, Node: 2}, true}, // it has a new length
		{Journaled, Op{Kind: Write, Node: 2, Data: []byte("y")}, false},
	} {
		m := NewModel(Options{Whole: true, Names: c.rule})
		for _, op := range []Op{{Kind: Create, Node: 2, Dir: Root, Name: "a"}, {Kind: Write, Node: 2, Data: []byte("x")}, c.then} {
			if err := m.Apply(&op); err != nil {
				t.Fatal(err)
			}
		}
		img, err := m.Image(Choice{})
		if err != nil {
			t.Fatal(err)
		}
		if (len(img.Entries) == 1) != c.want {
			t.Errorf("rule %d, %v: %v", c.rule, c.then, img.Entries)
		}
	}
}

func TestOperationsThatDoNotFitAreRefused(t *testing.T) {
	m := NewModel(Options{Whole: true})
	for _, op := range []Op{{Kind: Mkdir, Node: 2, Dir: Root, Name: "d"}, {Kind: Create, Node: 3, Dir: 2, Name: "f"}} {
		if err := m.Apply(&op); err != nil {
			t.Fatal(err)
		}
	}
	for name, op := range map[string]Op{
		"a name that is taken":        {Kind: Create, Node: 4, Dir: 2, Name: "f"},
		"a number that is taken":      {Kind: Create, Node: 3, Dir: 2, Name: "g"},
		"a file as a directory":       {Kind: Create, Node: 4, Dir: 3, Name: "g"},
		"a directory that is in use":  {Kind: Rmdir, Dir: Root, Name: "d"},
		"unlink of a directory":       {Kind: Unlink, Dir: Root, Name: "d"},
		"a directory into itself":     {Kind: Rename, Dir: Root, Name: "d", NewDir: 2, NewName: "e"},
		"a write into a directory":    {Kind: Write, Node: 2, Data: []byte("x")},
		"a sync of nothing":           {Kind: Sync, Node: 9},
		"a second name of a dir":      {Kind: Link, Node: 2, Dir: Root, Name: "e"},
		"an exchange with nothing":    {Kind: Exchange, Dir: Root, Name: "d", NewDir: Root, NewName: "e"},
		"a name that is not there":    {Kind: Rename, Dir: Root, Name: "x", NewDir: Root, NewName: "e"},
		"an unlink of nothing":        {Kind: Unlink, Dir: Root, Name: "x"},
		"a kind that there is not":    {Kind: kinds},
		"a file that replaces a dir":  {Kind: Rename, Dir: 2, Name: "f", NewDir: Root, NewName: "d"},
		"a choice of too many names ": {Kind: Link, Node: 7, Dir: Root, Name: "e"},
	} {
		if err := m.Apply(&op); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	if m.Seq() != 2 {
		t.Errorf("%d operations", m.Seq())
	}
	for name, c := range map[string]Choice{
		"names":      {Names: 3},
		"no file":    {Files: map[Ino][]Part{2: nil}},
		"no changes": {Files: map[Ino][]Part{3: {{}}}},
	} {
		if _, err := m.Image(c); err == nil {
			t.Errorf("%s: there is an image", name)
		}
	}
}

// TestAnImageIsWritten: what comes to be in a directory is what the image says, and what is the same has one digest.
func TestAnImageIsWritten(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		g := grow(t)
		c, _ := g.whole.Choose(Everything, rng(1))
		img, err := g.whole.Image(c)
		if err != nil {
			t.Fatal(err)
		}
		n++
		at := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(at)
		root, err := os.OpenRoot(at)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := img.WriteTo(root); err != nil {
			t.Fatal(err)
		}
		found := 0
		err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != "." {
				found++
			}
			return err
		})
		if err != nil || found != len(img.Entries) {
			t.Fatalf("%d names of %d: %v", found, len(img.Entries), err)
		}
		for i := range img.Entries {
			e := &img.Entries[i]
			if !e.Type.IsRegular() {
				continue
			}
			got, err := root.ReadFile(e.Path)
			if want, _ := io.ReadAll(e.Open()); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: %x, not %x: %v", e.Path, got, want, err)
			}
		}
		if err := g.whole.Apply(&Op{Kind: SyncAll}); err != nil {
			t.Fatal(err)
		}
		synced, err := g.whole.Image(Choice{})
		if err != nil || synced.Digest() != img.Digest() {
			t.Fatalf("once all is synced another image is left: %v", err)
		}
	})
}
