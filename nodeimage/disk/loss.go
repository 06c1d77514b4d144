package disk

import (
	"fmt"
	"slices"
	"strings"
)

// Loss tells what a power cut took.
type Loss struct {
	Files []FileLoss `json:"files,omitempty"` // those that had a name, by path
	Names []string   `json:"names,omitempty"` // changes of names that did not happen, in order
}

// FileLoss tells what a power cut took of a file.
type FileLoss struct {
	Path      string `json:"path"`
	Writes    int    `json:"writes"`              // lost wholly or in part
	Others    int    `json:"others,omitempty"`    // truncations and the like that are lost
	Bytes     int64  `json:"bytes"`               // of those writes
	Torn      int64  `json:"torn,omitempty"`      // length of what is left of a torn write
	Reordered bool   `json:"reordered,omitempty"` // something later survived
}

// Lost tells what a choice loses.
func (m *Model) Lost(c Choice) (Loss, error) {
	if err := m.checkChoice(c); err != nil {
		return Loss{}, err
	}
	return m.lost(c), nil
}

func (m *Model) lost(c Choice) Loss {
	var l Loss
	paths := m.paths(c)
	for _, ino := range m.Dirty() {
		one := m.nodes[ino].file.lost(c.Files[ino])
		if one.Path = paths[ino]; one.Path != "" && one.Writes+one.Others > 0 {
			l.Files = append(l.Files, one)
		}
	}
	slices.SortFunc(l.Files, func(a, b FileLoss) int { return strings.Compare(a.Path, b.Path) })
	for _, n := range m.names[c.Names:] {
		l.Names = append(l.Names, n.describe(paths))
	}
	return l
}

// paths are the names that nodes have now or, where they have none, would have after the power cut.
func (m *Model) paths(c Choice) map[Ino]string {
	paths := map[Ino]string{}
	for _, names := range []func(Ino) entries{m.currentNames, m.surviving(c)} {
		for _, l := range m.walk(names) {
			if paths[l.node] == "" {
				paths[l.node] = l.path
			}
		}
	}
	return paths
}

func (f *file) lost(kept []Part) (l FileLoss) {
	survives := map[int]Part{}
	for _, p := range kept {
		survives[p.Change] = p
	}
	missing := false
	for i := range f.pending {
		ch := &f.pending[i]
		p, there := survives[i]
		switch left := p.Hi - p.Lo; {
		case there && left == int64(len(ch.data)):
			l.Reordered = l.Reordered || missing
			continue
		case there:
			l.Reordered = l.Reordered || missing
			l.Torn = left
		}
		missing = true
		if !ch.isWrite() {
			l.Others++
			continue
		}
		l.Writes++
		l.Bytes += int64(len(ch.data)) - (p.Hi - p.Lo)
	}
	return l
}

func (n *naming) describe(dirs map[Ino]string) string {
	at := func(dir Ino, name string) string {
		if where := dirs[dir]; where != "" {
			return where + "/" + name
		}
		return name
	}
	name := at(n.op.Dir, n.op.Name)
	switch n.op.Kind {
	case Rename:
		return name + " → " + at(n.op.NewDir, n.op.NewName)
	case Exchange:
		return name + " ↔ " + at(n.op.NewDir, n.op.NewName)
	case Unlink, Rmdir:
		return "−" + name
	default:
		return "+" + name
	}
}

// shown is how many files and names a text names.
const shown = 8

// Empty reports whether nothing was lost.
func (l Loss) Empty() bool { return len(l.Files)+len(l.Names) == 0 }

// String is a line for people: "wal/0003.log: 3 writes, 12.4 KB, the last torn
// at 512 B; names: snap.tmp → snap". It is bounded.
func (l Loss) String() string {
	if l.Empty() {
		return "nothing"
	}
	var parts []string
	for _, f := range l.Files[:min(shown, len(l.Files))] {
		parts = append(parts, f.String())
	}
	if more := len(l.Files) - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more files", more))
	}
	if len(l.Names) > 0 {
		names := strings.Join(l.Names[:min(shown, len(l.Names))], ", ")
		if more := len(l.Names) - shown; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, "names: "+names)
	}
	return strings.Join(parts, "; ")
}

func (f FileLoss) String() string {
	var s []string
	if f.Writes > 0 {
		s = append(s, fmt.Sprintf("%s, %s", count(f.Writes, "write"), size(f.Bytes)))
	}
	if f.Others > 0 {
		s = append(s, count(f.Others, "other change"))
	}
	if f.Torn > 0 {
		s = append(s, fmt.Sprintf("one torn to %s", size(f.Torn)))
	}
	if f.Reordered {
		s = append(s, "later ones kept")
	}
	return f.Path + ": " + strings.Join(s, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000*1000:
		return fmt.Sprintf("%.1f KB", float64(bytes)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
}
