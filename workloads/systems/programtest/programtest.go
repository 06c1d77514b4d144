// Package programtest runs the programs of systems on this computer, for tests: servers
// that were built, and client programs (docs/clients.md) that are asked line by line.
package programtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/format"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/files"
	"squall/nodeimage/programs"
)

// Built is a program, from the user's cache of squall where it is there.
func Built(t *testing.T, b *files.Build) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	path, err := programs.Builder{Cache: filepath.Join(cache, "squall")}.Make(t.Context(), b, runtime.GOARCH, func() { t.Log("building " + b.Name) })
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// AreFormatted fails for sources that gofmt would change. Nobody else looks at programs of
// other modules.
func AreFormatted(t *testing.T, sources map[string]string) {
	t.Helper()
	for name, text := range sources {
		if path.Ext(name) != ".go" {
			continue
		}
		if want, err := format.Source([]byte(text)); err != nil || string(want) != text {
			t.Errorf("%s is not formatted: %v", name, err)
		}
	}
}

// AreInOrder fails for the sources of a module with a go.mod that go vet complains of or go
// mod tidy would change. It may need the network.
func AreInOrder(t *testing.T, sources map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range sources {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{{"vet", "-mod=readonly", "./..."}, {"mod", "tidy", "-diff"}} {
		cmd := exec.CommandContext(t.Context(), "go", command...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", command[0], err, out)
		}
	}
}

// Client is a client program under way.
type Client struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	id  int
}

// Answer is what it says.
type Answer struct {
	ID          int
	Type, Error string
	Out         json.RawMessage
	Lost        bool
}

// StartClient starts a client program, and tells it the workload. It waits 300 ms for an
// answer of the system.
func StartClient(t *testing.T, workload string, argv ...string) *Client {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	endWithTest(cmd)
	cmd.Stderr = t.Output()
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	c := &Client{t: t, in: in, out: bufio.NewScanner(out)}
	c.Tell(`{"squall":1,"workload":%q,"timeoutMs":300,"nodes":["n1"]}`, workload)
	if !c.out.Scan() || c.out.Text() != `{"squall":1}` {
		t.Fatalf("it begins with %q", c.out.Text())
	}
	return c
}

// Tell says a line that has no answer.
func (c *Client) Tell(format string, values ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", values...); err != nil {
		c.t.Fatal(err)
	}
}

// Asks makes a request, given without its braces and its id, and returns the answer.
func (c *Client) Asks(format string, values ...any) Answer {
	c.t.Helper()
	c.id++
	c.Tell(`{"id":%d,%s}`, c.id, fmt.Sprintf(format, values...))
	var a Answer
	if !c.out.Scan() {
		c.t.Fatal("it has ended")
	}
	if err := json.Unmarshal(c.out.Bytes(), &a); err != nil || a.ID != c.id {
		c.t.Fatalf("it answers %s, %v", c.out.Bytes(), err)
	}
	return a
}

// AsksAtOnce makes a request several times before it waits for an answer, and returns the
// answers as they come.
func (c *Client) AsksAtOnce(times int, request string) []Answer {
	c.t.Helper()
	for range times {
		c.id++
		c.Tell(`{"id":%d,%s}`, c.id, request)
	}
	answers := make([]Answer, times)
	for i := range answers {
		if !c.out.Scan() {
			c.t.Fatal("it has ended")
		}
		if err := json.Unmarshal(c.out.Bytes(), &answers[i]); err != nil {
			c.t.Fatalf("it answers %s, %v", c.out.Bytes(), err)
		}
	}
	return answers
}

// patience is how long a server has until it serves; a busy computer makes that long.
const patience = time.Minute

// Opens connects, as soon as the server listens and carries out the operation probe. A
// connection that is lost before that is made anew.
func (c *Client) Opens(at netip.Addr, conn int, probe string) {
	c.t.Helper()
	var last Answer
	for open, until := false, time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) { // a poll: servers tell nobody that they serve
		if !open {
			last = c.Asks(`"do":"open","conn":%d,"node":"n1","addr":%q`, conn, at)
			open = last.Type == "ok"
		}
		if open {
			if last = c.Asks(`"conn":%d,%s`, conn, probe); last.Type == "ok" {
				return
			}
			open = !last.Lost
		}
		if !open {
			c.Tell(`{"do":"close","conn":%d}`, conn)
		}
	}
	c.t.Fatalf("the server does not serve: the last answer is %+v", last)
}

// Carries has the client carry out operations on its first connection, one after another,
// each of which must be done with that answer ("": none).
func (c *Client) Carries(steps [][2]string) {
	c.t.Helper()
	for i, step := range steps {
		if got := c.Asks(`"conn":1,%s`, step[0]); got.Type != "ok" || string(got.Out) != step[1] {
			c.t.Errorf("operation %d, %s, is answered %+v, want %s", i, strings.TrimSpace(step[0]), got, step[1])
		}
	}
}
