package files

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// program is as little of a program for Linux as a header tells: with those
// parts, and the name of a dynamic linker unless that is "".
func program(machine elf.Machine, osabi elf.OSABI, kind elf.Type, linker string) []byte {
	var out bytes.Buffer
	progs := 1
	if linker != "" {
		progs = 2
	}
	header := elf.Header64{Type: uint16(kind), Machine: uint16(machine), Version: 1, Entry: 0x400000,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(progs), Shentsize: 64}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION], header.Ident[elf.EI_OSABI] = 1, byte(osabi)
	size := uint64(64 + 56*progs + len(linker))
	parts := []any{header, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: size, Memsz: size}}
	if linker != "" {
		parts = append(parts, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: size - uint64(len(linker)), Filesz: uint64(len(linker))})
	}
	for _, part := range append(parts, []byte(linker)) {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	return out.Bytes()
}

func amd64(linker string) []byte {
	return program(elf.EM_X86_64, elf.ELFOSABI_NONE, elf.ET_EXEC, linker)
}

// source makes a file and returns its path.
func source(t testing.TB, content []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramsAreRefused(t *testing.T) {
	const loader = "/lib64/ld-linux-x86-64.so.2"
	whole := amd64("")
	for _, tc := range []struct {
		name    string
		content []byte
		more    []File // that the machine holds, too; their sources are made
		want    string // "" is that it is taken
	}{
		{name: "static", content: whole},
		{name: "static and position-independent", content: program(elf.EM_X86_64, elf.ELFOSABI_LINUX, elf.ET_DYN, "")},
		{name: "another processor", content: program(elf.EM_AARCH64, elf.ELFOSABI_NONE, elf.ET_EXEC, ""),
			want: "a program for arm64, but the machines are linux/amd64: build it for that (Go: CGO_ENABLED=0 GOOS=linux GOARCH=amd64)"},
		{name: "FreeBSD", content: program(elf.EM_X86_64, elf.ELFOSABI_FREEBSD, elf.ET_EXEC, ""), want: "a program for FREEBSD"},
		{name: "an object file", content: program(elf.EM_X86_64, elf.ELFOSABI_NONE, elf.ET_REL, ""), want: "a library or a part of a program"},
		{name: "macOS", content: []byte("\xcf\xfa\xed\xfe and so on"), want: "a program for macOS"},
		{name: "Windows", content: []byte("MZ and so on"), want: "a program for Windows"},
		{name: "cut off", content: whole[:len(whole)-1], want: "damaged"},
		{name: "its end is missing", content: program(elf.EM_X86_64, elf.ELFOSABI_NONE, elf.ET_EXEC, loader)[:64+2*56], want: "its end is missing"},
		{name: "empty", want: "is empty"},
		{name: "text", content: []byte("hello\n"), want: "neither a program for Linux (ELF) nor a script"},
		{name: "dynamic", content: amd64(loader), want: "linked dynamically, and a machine has no libraries (it needs " + loader +
			"): link it statically (Go: CGO_ENABLED=0; Rust: --target x86_64-unknown-linux-musl; C: -static)"},
		{name: "dynamic, with its linker", content: amd64(loader + "\x00"), more: []File{{Path: loader, Exec: true}}},
		{name: "dynamic, with a linker that is not run", content: amd64(loader), more: []File{{Path: loader}}, want: "linked dynamically"},
		{name: "a script", content: []byte("#! /bin/sh -e\necho\n"), want: `a script for "/bin/sh", which a machine does not have`},
		{name: "a script with its shell", content: []byte("#! /bin/sh -e\necho\n"), more: []File{{Path: "/bin/sh", Exec: true}}},
		{name: "a script of Windows", content: []byte("#!/bin/sh\r\necho\r\n"), more: []File{{Path: "/bin/sh", Exec: true}}, want: `"/bin/sh\r"`},
		{name: "a script for nothing", content: []byte("#!\n"), want: "names no interpreter"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := []File{{Path: "/opt/server", Source: source(t, tc.content, 0o755), Exec: true}}
			for _, f := range tc.more {
				f.Source = source(t, whole, 0o755)
				list = append(list, f)
			}
			wantError(t, Check(list, "amd64"), tc.want, list[0].Source, "/opt/server in the machines")
			list[0].Exec = false // what is not run may be anything
			wantError(t, Check(list, "amd64"), "")
		})
	}
}

// wantError wants an *Error with all of these texts, or none if the first is "".
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if texts[0] == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want an *Error with %q", err, texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v: want %q in it", err, text)
		}
	}
}

func TestSourcesAreRefused(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxBytes); err != nil {
		t.Fatal(err)
	}
	one := source(t, []byte("1"), 0o644)
	for name, tc := range map[string]struct {
		list []File
		want string
	}{
		"nothing named":         {[]File{{Path: "/a"}}, "/a in the machines: no file on this computer is named for it"},
		"not there":             {[]File{{Path: "/a", Source: filepath.Join(dir, "nope")}}, "there is no such file: build it, or correct its name"},
		"a folder":              {[]File{{Path: "/a", Source: dir}}, "a folder: name a file"},
		"a device":              {[]File{{Path: "/a", Source: "/dev/null"}}, "name a file"},
		"not executable":        {[]File{{Path: "/a", Source: source(t, amd64(""), 0o644), Exec: true}}, "is not executable: chmod +x "},
		"just as much as may":   {[]File{{Path: "/a", Source: large}}, ""},
		"too large":             {[]File{{Path: "/b", Source: one}, {Path: "/a", Source: large}}, "it has 200 MiB, and the files of a machine together have 200 MiB: 200 MiB are possible"},
		"too many":              {make([]File, MaxFiles+1), "8193 files for one machine are too many"},
		"the same source twice": {[]File{{Path: "/a", Source: one}, {Path: "/b/c", Source: one}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a device" && runtime.GOOS == "windows" {
				machinetest.Skip(t, "there is no /dev/null")
			}
			wantError(t, Check(tc.list, "amd64"), tc.want)
		})
	}
}

func TestPathsAreRefused(t *testing.T) {
	src := source(t, []byte("1"), 0o644)
	for _, tc := range []struct{ paths, want string }{
		{"/opt/server /etc/server/config.yaml /opt/other", ""},
		{"opt/server", `must be absolute: write "/opt/server"`},
		{"../server", `must be absolute: write "/server"`},
		{"/", "must name a file"},
		{"/opt/../server", `write "/server"`},
		{"/opt/", `write "/opt"`},
		{"/squall-node", "/squall-node is the machine's own: give the file another path, such as /opt/squall-node"},
		{"/data/x", "/data is the machine's own"},
		{"/dev/shm/x", "/dev is the machine's own"},
		{"/etc", "/etc/hosts is the machine's own"},
		{"/etc/hosts", "/etc/hosts is the machine's own"},
		{"/etc/hosts.allow /datax /prock", ""},
		{"/opt/.wh.server", ".wh."},
		{"/opt/\x01", "bytes that are not text"},
		{"/opt/\xff", "bytes that are not text"},
		{"/" + strings.Repeat("x", 256), "has 256 bytes: 255 are possible"},
		{strings.Repeat("/"+strings.Repeat("x", 99), 10) + "/x", "has 1002 bytes: 1000 are possible"},
		{"/opt/a /opt/b /opt/a", "has the same path: give one of them another"},
		{"/opt/a/b/c /opt/a", "/opt/a is a file"},
	} {
		var list []File
		for path := range strings.SplitSeq(tc.paths, " ") {
			list = append(list, File{Path: path, Source: src})
		}
		t.Run(tc.paths, func(t *testing.T) { wantError(t, Check(list, "amd64"), tc.want) })
	}
	if err := Check([]File{{Source: src}}, "amd64"); err == nil || !strings.Contains(err.Error(), src+": it has no path") {
		t.Errorf("without a path: %v", err)
	}
}

// take takes files into a store, or fails the test.
func take(t *testing.T, s Store, list ...File) *Set {
	t.Helper()
	set, err := s.Take(t.Context(), list, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func content(t *testing.T, h Held) string {
	t.Helper()
	text, err := os.ReadFile(h.Kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// later is a store long after what the test has written.
func later(t *testing.T) Store {
	return Store{Dir: filepath.Join(t.TempDir(), "cache", "files"), now: func() time.Time { return time.Now().Add(time.Minute) }}
}

func TestTake(t *testing.T) {
	s := later(t)
	server, config := source(t, amd64(""), 0o755), source(t, []byte("one"), 0o600)
	list := []File{{Path: "/opt/server", Source: server, Exec: true}, {Path: "/etc/config", Source: config}, {Path: "/etc/copy", Source: config}}
	set := take(t, s, list...)
	held := set.Files()
	if len(held) != 3 || held[0].Path != "/etc/config" || held[2].Path != "/opt/server" || content(t, held[0]) != "one" || held[0].Kept != held[1].Kept {
		t.Fatalf("it holds %+v", held)
	}
	for _, h := range held {
		if info, err := os.Stat(h.Kept); err != nil || runtime.GOOS != "windows" && info.Mode() != h.Mode() || !info.ModTime().Equal(time.Unix(0, 0)) || info.Size() != h.Size {
			t.Errorf("%s is kept as %v, %v", h.Path, info, err)
		}
	}
	if info, err := os.Stat(s.Dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("others may look at the copy of a private file: %v, %v", info.Mode(), err)
	}
	if want := int64(len(amd64("")) + 6); set.Bytes() != want {
		t.Errorf("%d bytes, want %d", set.Bytes(), want)
	}
	list[0], list[2] = list[2], list[0]
	if again := take(t, s, list...); again.Key() != set.Key() {
		t.Errorf("the same files in another order have the key %s, not %s", again.Key(), set.Key())
	}
	// What machines hold stays as it is; what is taken next is another.
	if err := os.WriteFile(config, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := take(t, s, list...)
	if next.Key() == set.Key() || content(t, next.Files()[0]) != "two" || content(t, held[0]) != "one" {
		t.Errorf("after a change: keys %s and %s, contents %q and %q", set.Key(), next.Key(), content(t, held[0]), content(t, next.Files()[0]))
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, partial+"*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if set.For("amd64") != nil || set.For("arm64") == nil {
		t.Error("the set is not for the processor that it was taken for")
	}
}

func TestASetOfNothing(t *testing.T) {
	s := later(t)
	set := take(t, s)
	if set.Key() != "" || set.Bytes() != 0 || len(set.Files()) != 0 || set.For("arm64") != nil {
		t.Errorf("it is %+v", set)
	}
	if _, err := os.Stat(s.Dir); err == nil {
		t.Error("it made a folder for nothing")
	}
}

// TestModesCount: the same content is run in one machine and not in another.
func TestModesCount(t *testing.T) {
	s := later(t)
	f := File{Path: "/a", Source: source(t, amd64(""), 0o755)}
	g := f
	g.Exec = true
	read, run := take(t, s, f), take(t, s, g)
	if read.Key() == run.Key() || read.Files()[0].Kept == run.Files()[0].Kept || read.Files()[0].Hash != run.Files()[0].Hash {
		t.Errorf("%+v and %+v", read.Files(), run.Files())
	}
}

// TestFilesAreReadOnce: the hash of what did not change is remembered, which is
// seen by a memory that says something else.
func TestFilesAreReadOnce(t *testing.T) {
	s := later(t)
	one, other := source(t, []byte("one"), 0o644), source(t, []byte("two"), 0o644)
	takeOne := func() Held { return take(t, s, File{Path: "/a", Source: one}).Files()[0] }
	first, hash := takeOne(), take(t, s, File{Path: "/a", Source: other}).Files()[0].Hash
	seenFile := filepath.Join(s.Dir, "seen.json")
	text, err := os.ReadFile(seenFile)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(seenFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.ReplaceAll(string(text), first.Hash, hash))
	if h := takeOne(); h.Hash != hash {
		t.Error("it was read again")
	}
	for _, spoilt := range []string{"", "null", "[]", "{", `{"` + one + `":{}}`} {
		write(spoilt)
		if h := takeOne(); h.Hash != first.Hash {
			t.Errorf("with the memory %q its hash is %s", spoilt, h.Hash)
		}
	}
	// One that may change again within the tick of a clock is not remembered.
	s.now = nil
	fresh := source(t, []byte("new"), 0o644)
	take(t, s, File{Path: "/a", Source: fresh})
	if text, _ := os.ReadFile(seenFile); strings.Contains(string(text), fresh) {
		t.Error("a file is remembered that was written a moment ago")
	}
}

// TestACopyThatIsNotWholeIsMadeAgain: also one that a kill has left empty.
func TestACopyThatIsNotWholeIsMadeAgain(t *testing.T) {
	s := later(t)
	f := File{Path: "/a", Source: source(t, []byte("one"), 0o644)}
	h := take(t, s, f).Files()[0]
	home := filepath.Dir(h.Kept)
	for name, spoil := range map[string]func() error{
		"shorter": func() error {
			if err := os.Chmod(h.Kept, 0o600); err != nil {
				return err
			}
			return os.Truncate(h.Kept, 1)
		},
		"gone":      func() error { return os.Remove(h.Kept) },
		"all gone":  func() error { return os.RemoveAll(home) },
		"some file": func() error { return errors.Join(os.RemoveAll(home), os.WriteFile(home, nil, 0o600)) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if open, err := h.Open(); err == nil {
			open.Close()
			t.Errorf("%s: it is opened as if it were whole", name)
		}
		if got := content(t, take(t, s, f).Files()[0]); got != "one" {
			t.Errorf("%s: it was made again with %q", name, got)
		}
	}
}

func TestAChangeWhileItIsTakenIsRefused(t *testing.T) {
	s := later(t)
	f := File{Path: "/a", Source: source(t, []byte("one"), 0o644)}
	all, err := look([]File{f}, "amd64", func(File) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Source, []byte("longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.take(t.Context(), all[0], s.recall())
	wantError(t, err, "it changed while it was read")
	if left, _ := os.ReadDir(s.Dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestTakingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := later(t).Take(ctx, []File{{Path: "/a", Source: source(t, []byte("one"), 0o644)}}, "amd64")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestWhatIsNotTakenForLongGoes(t *testing.T) {
	now := time.Now()
	s := Store{Dir: t.TempDir(), now: func() time.Time { return now }}
	old, young := File{Path: "/a", Source: source(t, []byte("old"), 0o644)}, File{Path: "/a", Source: source(t, []byte("young"), 0o644)}
	was := take(t, s, old).Files()[0]
	part := filepath.Join(s.Dir, partial+"1")
	if err := os.Mkdir(part, 0o700); err != nil {
		t.Fatal(err)
	}
	now = now.Add(keepFor - time.Minute)
	take(t, s, old) // it is in use
	now = now.Add(2 * time.Minute)
	is := take(t, s, young).Files()[0]
	if content(t, was) != "old" {
		t.Error("what was taken lately is gone")
	}
	if _, err := os.Stat(part); err == nil {
		t.Error("what a kill has left stays for ever")
	}
	now = now.Add(keepFor + time.Minute)
	take(t, s, File{Path: "/a", Source: source(t, []byte("new"), 0o644)})
	for _, h := range []Held{was, is} {
		if _, err := os.Stat(h.Kept); err == nil {
			t.Errorf("%s was not taken for long, and stays", h.Kept)
		}
	}
	if n, err := s.Clear(); n != 0 || err != nil {
		t.Errorf("it removed %d files (%v) that machines may need at this moment", n, err)
	}
	now = now.Add(keepStarting)
	if n, err := s.Clear(); n != 1 || err != nil {
		t.Errorf("it removed %d files, %v, want 1", n, err)
	}
	if n, err := (Store{Dir: filepath.Join(t.TempDir(), "none")}).Clear(); n != 0 || err != nil {
		t.Errorf("of no store it removed %d files, %v", n, err)
	}
}

// FuzzPrograms: whatever a file holds, it is taken or refused.
func FuzzPrograms(f *testing.F) {
	f.Add(amd64(""))
	f.Add(amd64("/lib64/ld-linux-x86-64.so.2"))
	f.Add(program(elf.EM_AARCH64, elf.ELFOSABI_NONE, elf.ET_DYN, ""))
	f.Add([]byte("#!/bin/sh -e\n"))
	if self, err := os.Executable(); err == nil {
		if text, err := os.ReadFile(self); err == nil {
			f.Add(text[:min(len(text), 8<<10)])
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list := []File{{Path: "/opt/server", Source: source(t, content, 0o755), Exec: true}}
		err := Check(list, "amd64")
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%v is no *Error", err)
		}
	})
}
