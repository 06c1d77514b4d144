package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

// engineVar forces the engine that the agents of the tests shape with.
const engineVar = "SQUALL_TEST_SHAPER"

// TestMain also is the agent of a machine, the go-between and the server that the tests run: the test
// program runs itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "exec":
			fmt.Fprintln(os.Stderr, Exec(os.Args[2:]))
			os.Exit(127)
		case "squeeze":
			if err := Squeeze(os.Args[2:], os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "server":
			server(os.Args[2:])
		case "agent":
			if err := Run(context.Background(), Options{In: os.Stdin, Out: os.Stdout, Log: os.Stderr, Shaper: os.Getenv(engineVar)}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "kv":
			fmt.Fprintln(os.Stderr, serveKV(os.Args[2:]))
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(machinetest.Main(m))
}

// server does what its arguments say, one after the other.
func server(args []string) {
	trace := os.NewFile(3, "trace")
	for _, arg := range args {
		do, what, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(what)
		switch do {
		case "say":
			fmt.Println(what)
		case "caps":
			caps, _ := statusField("self", "CapPrm")
			fmt.Println("caps", caps)
		case "env":
			fmt.Println(os.Environ())
		case "trace": // so many KiB
			trace.Write(bytes.Repeat([]byte{'t'}, n<<10))
		case "full": // so many KiB
			os.NewFile(fullFD, "full trace").Write(bytes.Repeat([]byte{'f'}, n<<10))
		case "full-close":
			os.NewFile(fullFD, "full trace").Close()
		case "trace-close":
			trace.Close()
		case "log": // so many KiB
			os.Stdout.Write(bytes.Repeat([]byte{'l'}, n<<10))
		case "child": // one that outlives this and keeps its pipes
			cmd := exec.Command("/proc/self/exe", "server", "sleep=30")
			cmd.Stdout, cmd.ExtraFiles = os.Stdout, []*os.File{trace}
			cmd.SysProcAttr = ownSession()
			cmd.Start()
			fmt.Println("child", cmd.Process.Pid)
		case "sleep":
			time.Sleep(time.Duration(n) * time.Second)
		case "clock-say": // an answer that nobody should give
			fmt.Fprintln(os.NewFile(clockFD, "clock"), what)
		case "clock-close":
			os.NewFile(clockFD, "clock").Close()
		case "echo":
			io.Copy(os.Stdout, os.Stdin)
		case "serve": // TCP on that port, sending back what it reads
			l, err := net.Listen("tcp", ":"+what)
			for err == nil {
				var c net.Conn
				if c, err = l.Accept(); err == nil {
					go echo(c)
				}
			}
			fmt.Println(err)
		case "hang":
			time.Sleep(time.Hour) // select {} could be a deadlock, and end it
		case "panic":
			panic(what)
		case "exit":
			os.Exit(n)
		}
	}
	os.Exit(0)
}

// recorder keeps what an agent sends.
type recorder struct {
	mu     sync.Mutex
	out    map[protocol.StreamID]*strings.Builder
	order  []string // events, and the first of each run of stream pieces
	events []protocol.Event
	block  chan struct{} // if not nil, pieces of streams wait for it
}

func (r *recorder) Stream(id protocol.StreamID, boot int, data []byte) {
	if r.block != nil {
		<-r.block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out[id] == nil {
		r.out[id] = new(strings.Builder)
	}
	r.out[id].Write(data)
	r.note(fmt.Sprintf("%v %d", id, boot))
}

func (r *recorder) note(what string) {
	if len(r.order) == 0 || r.order[len(r.order)-1] != what {
		r.order = append(r.order, what)
	}
}

func (r *recorder) Event(e protocol.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.note(fmt.Sprintf("%s %d", e.Kind, e.Boot))
}

func (r *recorder) text(id protocol.StreamID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out[id] == nil {
		return ""
	}
	return r.out[id].String()
}

func (r *recorder) event(kind string, boot int) (protocol.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.events, func(e protocol.Event) bool { return e.Kind == kind && e.Boot == boot })
	if i < 0 {
		return protocol.Event{}, false
	}
	return r.events[i], true
}

// pipeConn is the client's side of two pipes.
type pipeConn struct {
	io.Reader
	io.WriteCloser
	closeRead func() error
}

func (p pipeConn) Close() error {
	p.closeRead()
	return p.WriteCloser.Close()
}

// harness is an agent in this process.
type harness struct {
	*protocol.Client
	rec   *recorder
	ended chan error
	port  uint16
}

func newHarness(t *testing.T, rec *recorder) *harness {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	h := &harness{rec: rec, ended: make(chan error, 1), port: freePort(t)}
	rec.out = make(map[protocol.StreamID]*strings.Builder)
	go func() {
		err := Run(context.Background(), Options{
			In: inR, Out: outW, Log: t.Output(),
			ProbePort: h.port,
		})
		outW.Close()
		h.ended <- err
	}()
	h.Client = protocol.NewClient(pipeConn{outR, inW, outR.Close}, rec)
	t.Cleanup(func() {
		h.Close()
		select {
		case <-h.ended:
		case <-time.After(time.Minute):
			t.Error("the agent does not end")
		}
	})
	return h
}

// freePort finds a port that is free for UDP and TCP, outside the range that
// the system gives out by itself.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 30000; port++ {
		p, err := listenProbes(uint16(port))
		if err == nil {
			p.close()
			return uint16(port)
		}
	}
	t.Fatal("no free port")
	return 0
}

func (h *harness) run(t *testing.T, args ...string) protocol.ProcInfo {
	t.Helper()
	info, err := h.Start(t.Context(), protocol.StartSpec{Argv: append([]string{"/proc/self/exe", "server"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (h *harness) exit(t *testing.T, boot int) protocol.Event {
	t.Helper()
	var e protocol.Event
	eventually(t, "the exit", func() (ok bool) { e, ok = h.rec.event(protocol.EventExit, boot); return ok })
	return e
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}
