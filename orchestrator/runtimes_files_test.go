package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/files"
	"squall/orchestrator/docker"
	"squall/orchestrator/machines"
)

const (
	readerPath   = "/opt/reader/bin/reader"
	greetingPath = "/etc/reader/greeting.txt"
)

// readerFile is testdata/reader, linked statically for the machines of h.
func readerFile(t *testing.T, h testHost) files.File {
	t.Helper()
	arch, err := h.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "reader")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", path, "./testdata/reader")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return files.File{Path: readerPath, Source: path, Exec: true}
}

// textFile is a file with that content, for that path in machines.
func textFile(t *testing.T, path, text string) files.File {
	t.Helper()
	f := files.File{Path: path, Source: filepath.Join(t.TempDir(), "text")}
	if err := os.WriteFile(f.Source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// take takes files for machines of h, into a store of the test's own.
func take(t *testing.T, h testHost, store files.Store, list ...files.File) *files.Set {
	t.Helper()
	arch, err := h.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := store.Take(t.Context(), list, arch)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// forget removes the image of a set when the test is over: no other has such files.
func forget(t *testing.T, h testHost, s machines.ClusterSpec, set *files.Set) {
	t.Helper()
	r, ok := h.Runtime.(*docker.Runtime)
	if !ok {
		return
	}
	info, err := r.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		api, err := client.NewClientWithOpts(client.WithHost(info.Host), client.WithAPIVersionNegotiation())
		if err == nil {
			defer api.Close()
			_, err = api.ImageRemove(context.Background(), "squall/node:"+s.BinaryKey+"-"+set.Key(), image.RemoveOptions{})
		}
		if err != nil {
			t.Logf("the image stays: %v", err)
		}
	})
}

// reads starts the reader on a machine and returns, by path, what it found.
func reads(t *testing.T, c *protocol.Client, out *machineSink, paths ...string) map[string]string {
	t.Helper()
	before := len(out.text())
	if _, err := c.Start(t.Context(), protocol.StartSpec{Argv: append([]string{readerPath}, paths...), Dir: "/data"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the server found", func() bool { return strings.Contains(out.text()[before:], "that is all\n") })
	found := map[string]string{}
	for line := range strings.Lines(out.text()[before:]) {
		path, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		found[path] = what
	}
	return found
}

// looks is what the reader says of a file that is as it should be.
func looks(mode, text string) string {
	return fmt.Sprintf("%s 0 %d %x %.64q changed:", mode, len(text), sha256.Sum256([]byte(text)), text)
}

// TestFiles: a machine holds files of its own, which its server can read and run,
// and nobody can change: neither the server nor who changes their sources.
func TestFiles(t *testing.T) { onEach(t, filesInMachines) }

func filesInMachines(t *testing.T, h testHost) {
	store := files.Store{Dir: filepath.Join(t.TempDir(), "files")}
	// Beside others of these tests, and of other runs, it makes images that no other has.
	text := "hello from " + t.Name() + fmt.Sprint(os.Getpid(), time.Now().UnixNano())
	reader, greeting := readerFile(t, h), textFile(t, greetingPath, text)
	servers := take(t, h, store, reader, greeting)
	other := take(t, h, store, textFile(t, "/top", text+"!"), textFile(t, "/opt/empty", ""))
	s := spec(t, h, "n1", "n2", "n3", "n4")
	s.Machines[0].Files, s.Machines[1].Files, s.Machines[2].Files = servers, servers, other
	forget(t, h, s, servers)
	forget(t, h, s, other)
	cl := up(t, h, s)
	if err := os.WriteFile(greeting.Source, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(reader.Source); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n1", "n2"} {
		c, out := command(t, cl.Machine(name))
		found := reads(t, c, out, greetingPath, readerPath, "/top")
		if want := looks("-r--r--r--", text); found[greetingPath] != want {
			t.Errorf("%s finds its greeting to be %s, want %s", name, found[greetingPath], want)
		}
		if !strings.HasPrefix(found[readerPath], "-r-xr-xr-x 0 ") || !strings.HasSuffix(found[readerPath], " changed:") {
			t.Errorf("%s finds itself to be %s", name, found[readerPath])
		}
		if !strings.Contains(found["/top"], "no such file") {
			t.Errorf("%s holds another's file: %s", name, found["/top"])
		}
	}
	wantNoReader(t, cl)
	machineFilesAfterPowerCut(t, cl.Machine("n1"), text)
}

// wantNoReader wants n3 to hold other files, and n4 none.
func wantNoReader(t *testing.T, cl machines.Cluster) {
	t.Helper()
	c, out := command(t, cl.Machine("n3"))
	without, _ := command(t, cl.Machine("n4"))
	for name, c := range map[string]*protocol.Client{"n3": c, "n4": without} {
		if _, err := c.Start(t.Context(), protocol.StartSpec{Argv: []string{readerPath}}); err == nil || !strings.Contains(err.Error(), readerPath) {
			t.Errorf("%s, which does not hold the reader, starts it: %v", name, err)
		}
	}
	if _, err := c.Start(t.Context(), idle("-ls", "/,/opt")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list of its files", func() bool { return strings.Contains(out.text(), "idle") })
	if !strings.Contains(out.text(), " top") || !strings.Contains(out.text(), "/opt: empty\n") {
		t.Errorf("n3 holds %s", out.text())
	}
}

func machineFilesAfterPowerCut(t *testing.T, m machines.Machine, text string) {
	t.Helper()
	if err := m.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, out := command(t, m)
	if found, want := reads(t, c, out, greetingPath)[greetingPath], looks("-r--r--r--", text); found != want {
		t.Errorf("after a power cut the greeting is %s, want %s", found, want)
	}
}

// TestLargeFiles: 100 MB arrive whole. That they are not held in memory is tried
// where they are packed.
func TestLargeFiles(t *testing.T) { onEach(t, largeFiles) }

func largeFiles(t *testing.T, h testHost) {
	size := machinetest.Rounds(20, 100) << 20
	large := files.File{Path: "/opt/large", Source: filepath.Join(t.TempDir(), "large")}
	f, err := os.Create(large.Source)
	if err != nil {
		t.Fatal(err)
	}
	source, sum := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32d", time.Now().UnixNano())))), sha256.New()
	for piece := range slices.Chunk(make([]byte, size), 1<<20) {
		_, _ = source.Read(piece)
		sum.Write(piece)
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	store := files.Store{Dir: filepath.Join(t.TempDir(), "files")}
	reader := readerFile(t, h)
	begun := time.Now()
	set := take(t, h, store, reader, large)
	t.Logf("%d MiB taken in %v", set.Bytes()>>20, time.Since(begun).Round(time.Millisecond))
	s := spec(t, h, "n1", "n2")
	s.Machines[0].Files, s.Machines[1].Files = set, set
	forget(t, h, s, set)
	c, out := command(t, up(t, h, s).Machine("n2"))
	if got := reads(t, c, out, "/opt/large")["/opt/large"]; !strings.Contains(got, fmt.Sprintf(" %d %x ", size, sum.Sum(nil))) {
		t.Errorf("it arrived as %.120s, want %d bytes with the hash %x", got, size, sum.Sum(nil))
	}
	// Machines of another run have them at once.
	again := spec(t, h, "n1")
	again.Machines[0].Files = set
	up(t, h, again)
}

// TestFilesOfAnotherProcessor: nothing is made of them.
func TestFilesOfAnotherProcessor(t *testing.T) { onEach(t, filesOfAnotherProcessor) }

func filesOfAnotherProcessor(t *testing.T, h testHost) {
	arch, err := h.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := map[bool]string{true: "arm64", false: "amd64"}[arch == "amd64"]
	store := files.Store{Dir: filepath.Join(t.TempDir(), "files")}
	reader := readerFile(t, h)
	if _, err := store.Take(t.Context(), []files.File{reader}, other); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("%s (%s in the machines): it is a program for %s, but the machines are linux/%s", reader.Source, readerPath, arch, other)) {
		t.Errorf("a program for %s is taken for machines of %s: %v", arch, other, err)
	}
	set, err := store.Take(t.Context(), []files.File{textFile(t, "/etc/x", "x")}, other)
	if err != nil {
		t.Fatal(err)
	}
	s := spec(t, h, "n1")
	s.Machines[0].Files = set
	if _, err := h.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "machine n1: the files were taken for linux/"+other) {
		t.Errorf("machines of %s hold files of %s: %v", runtime.GOARCH, other, err)
	}
}

// TestFilesThatAreGone: machines are not made with less than they were to hold.
func TestFilesThatAreGone(t *testing.T) { onEach(t, filesThatAreGone) }

func filesThatAreGone(t *testing.T, h testHost) {
	set := take(t, h, files.Store{Dir: filepath.Join(t.TempDir(), "files")}, textFile(t, "/etc/x", fmt.Sprint(time.Now().UnixNano())))
	kept := set.Files()[0]
	if sum, err := hex.DecodeString(kept.Hash); err != nil || len(sum) != sha256.Size {
		t.Errorf("its hash is %s", kept.Hash)
	}
	if err := os.Remove(kept.Kept); err != nil {
		t.Fatal(err)
	}
	s := spec(t, h, "n1")
	s.Machines[0].Files = set
	if _, err := h.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "/etc/x") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
