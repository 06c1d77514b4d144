package protocol

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

func TestFileSetsAreLookedAt(t *testing.T) {
	good := func() Config {
		c := config()
		c.FileSets = []FileSet{{Key: "abc", Files: []File{{Path: "/opt/x", From: "/cache/x"}}}}
		c.Machines[0].Files = "abc"
		return c
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		`"../x" cannot be a key`:                  func(c *Config) { c.FileSets[0].Key = "../x" },
		`"" cannot be a key`:                      func(c *Config) { c.FileSets[0].Key = "" },
		`"abc" cannot be a key, or is there`:      func(c *Config) { c.FileSets = append(c.FileSets, c.FileSets[0]) },
		`"/opt/../../x" is not an absolute path`:  func(c *Config) { c.FileSets[0].Files[0].Path = "/opt/../../x" },
		`"x" is not an absolute path`:             func(c *Config) { c.FileSets[0].Files[0].Path = "x" },
		`"cache/x" is not an absolute path`:       func(c *Config) { c.FileSets[0].Files[0].From = "cache/x" },
		`machine "n2": there are no files "nope"`: func(c *Config) { c.Machines[1].Files = "nope" },
	} {
		c := good()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestFilesAreLaid: as links, which outlive what they were made from.
func TestFilesAreLaid(t *testing.T) {
	from := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(from, []byte("one"), 0o555); err != nil {
		t.Fatal(err)
	}
	folder := Folder(filepath.Join(t.TempDir(), "run"))
	if err := os.Mkdir(string(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	set := FileSet{Key: "abc", Files: []File{{Path: "/opt/a/b", From: from}, {Path: "/opt/c", From: from}, {Path: "/d", From: from}}}
	if err := folder.Lay(set); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(from); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		info, err := os.Stat(filepath.Join(folder.Files("abc"), f.Path))
		if err != nil || !os.SameFile(was, info) {
			t.Errorf("%s is no link to its content: %v", f.Path, err)
		}
	}
	if info, err := os.Stat(filepath.Join(folder.Files("abc"), "opt/a")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("its folder is %v, %v", info.Mode(), err)
	}
	if err := folder.Keep(); err == nil || !strings.Contains(err.Error(), "lock") { // there was no hub
		t.Errorf("keep: %v", err)
	}
	if _, err := os.Stat(folder.Files("abc")); err == nil {
		t.Error("files are kept with the disks")
	}
	if err := folder.Lay(FileSet{Key: "def", Files: set.Files}); err == nil || !strings.Contains(err.Error(), "/opt/a/b") {
		t.Errorf("without its content: %v", err)
	}
}

// TestFilesAreCopiedWhereNoLinkCanBe: /dev/shm is another disk.
func TestFilesAreCopiedWhereNoLinkCanBe(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "squall-test-")
	if err != nil {
		machinetest.Skip(t, err)
	}
	defer os.RemoveAll(other)
	from := filepath.Join(other, "content")
	if err := os.WriteFile(from, []byte("one"), 0o555); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "content")
	if os.Link(from, to) == nil {
		machinetest.Skip(t, "it is the same disk here")
	}
	if err := linkOrCopy(from, to); err != nil {
		t.Fatal(err)
	}
	was, _ := os.Stat(from)
	info, err := os.Stat(to)
	if err != nil || info.Mode() != was.Mode() || !info.ModTime().Equal(was.ModTime()) {
		t.Errorf("the copy is %v, %v, the file %v", info, err, was)
	}
	if text, err := os.ReadFile(to); string(text) != "one" {
		t.Errorf("the copy holds %q, %v", text, err)
	}
}
