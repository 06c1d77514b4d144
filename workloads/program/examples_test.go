package program

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/internal/machinetest"
	"squall/workloads/systems"
)

// example is the one piece of code in docs/clients.md in that language.
func example(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, ended := strings.Cut(code, "\n```\n")
	if !found || !ended || strings.Contains(code, "```") {
		t.Fatalf("docs/clients.md has no example in %s", language)
	}
	return code + "\n"
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// build builds a program of one Go file.
func build(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestExamples: the client programs of docs/clients.md, in Go and in Python, do the
// work of a register.
func TestExamples(t *testing.T) {
	machinetest.NotShort(t, "it compiles a server and a client")
	server := build(t, "../systems/testdata/single/main.go")
	t.Run("go", func(t *testing.T) {
		client := build(t, write(t, filepath.Join(t.TempDir(), "client.go"), example(t, "go")))
		tryExample(t, server, systems.Program{Argv: []string{client}, Workloads: []string{"register"}})
	})
	t.Run("python", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil {
			machinetest.Missing(t, "python3 is not installed")
		}
		script := write(t, filepath.Join(t.TempDir(), "client.py"), example(t, "python"))
		tryExample(t, server, systems.Program{Argv: []string{python, "-u", script}, Workloads: []string{"register"}})
	})
}

// serve starts a server at an address of this computer that nobody else has.
func serve(t *testing.T, server string, args ...string) (node systems.Node, kill func()) {
	t.Helper()
	addr := netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})
	cmd := exec.Command(server, append(args, "-listen", addr.String()+":8080")...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(kill)
	return systems.Node{Name: "n1", Addr: addr}, kill
}

func tryExample(t *testing.T, server string, program systems.Program) {
	data := filepath.Join(t.TempDir(), "data")
	node, kill := serve(t, server, "-data", data)
	other, _ := serve(t, server, "-forward", "http://"+node.Addr.String()+":8080")
	p := New(program, Options{Workload: "register", Timeout: 5 * time.Second, Log: t.Output()})
	defer p.Close()
	a, b := open(t, p, node), open(t, p, other)
	until(t, a)
	until(t, b)
	for _, step := range []struct {
		through  systems.Caller
		f        history.Func
		in, want history.Data
	}{
		{a, "read", "", "null"},
		{a, "cas", `[null,"1"]`, "true"},
		{b, "read", "", `"1"`},
		{b, "write", `"2"`, ""},
		{a, "cas", `["1","3"]`, `{"found":"2"}`},
		{b, "cas", `["2","3"]`, "true"},
		{a, "read", "", `"3"`},
	} {
		if out, err := call(t.Context(), step.through, step.f, "r/1 ?", step.in); out != step.want || err != nil {
			t.Fatalf("%s(%s): %s, %v, want %s", step.f, step.in, out, err, step.want)
		}
	}
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			key, value := fmt.Sprint("k", i), history.Text(fmt.Sprint(i))
			if _, err := call(t.Context(), b, "write", key, value); err != nil {
				t.Error(err)
			}
			if out, err := call(t.Context(), a, "read", key, ""); out != value || err != nil {
				t.Errorf("%s holds %s, want %s; %v", key, out, value, err)
			}
		})
	}
	clients.Wait()
	kill()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // connections that were open may take it yet
		_, err := call(t.Context(), a, "write", "k", `"9"`)
		if systems.Certain(err) {
			break
		}
		if err == nil || time.Now().After(deadline) {
			t.Fatalf("a write to a server that is down: %v; it certainly had no effect", err)
		}
	}
	if _, err := call(t.Context(), b, "write", "k", `"9"`); err == nil || systems.Certain(err) {
		t.Errorf("a write that could not be forwarded: %v; nothing is certain of it", err)
	}
	again, _ := serve(t, server, "-data", data)
	c := open(t, p, again)
	until(t, c)
	if out, err := call(t.Context(), c, "read", "r/1 ?", ""); out != `"3"` || err != nil {
		t.Errorf("after a restart: %s, %v", out, err)
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}

func open(t *testing.T, p *Pool, node systems.Node) systems.Caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := p.Dial(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	return c.(systems.Caller)
}

// until waits until the server listens.
func until(t *testing.T, c systems.Caller) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		_, err := call(t.Context(), c, "read", "k", "")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
