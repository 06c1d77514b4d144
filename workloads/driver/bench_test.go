package driver

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/nodeimage/kv"
	"squall/workloads"
	"squall/workloads/program"
	"squall/workloads/systems"
	"squall/workloads/systems/raftkv"
)

// instant is a system that answers at once.
type instant struct{ *fake }

func (instant) Dial(context.Context, systems.Node) (systems.Client, error) {
	return instantClient{}, nil
}

type instantClient struct{}

func (instantClient) Read(context.Context, string) (history.Value, error) {
	return history.Some("1"), nil
}
func (instantClient) Write(context.Context, string, history.Value) error { return nil }
func (instantClient) CAS(context.Context, string, history.Value, history.Value) (bool, history.Value, error) {
	return true, history.None, nil
}
func (instantClient) Delete(context.Context, string) error { return nil }
func (instantClient) Close() error                         { return nil }

// benchmark runs the driver for two seconds and reports what it recorded.
func benchmark(b *testing.B, sys systems.System, cfg Config) {
	cat := Catalogue{System: func(string) (systems.System, error) { return sys, nil }}
	var ops int64
	var took time.Duration
	for b.Loop() {
		cfg.System, cfg.Workload = "fake", "register"
		cfg.Duration = 2 * time.Second
		line, err := json.Marshal(cfg)
		if err != nil {
			b.Fatal(err)
		}
		in, out := io.Pipe()
		status, events := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- Run(context.Background(), Streams{Commands: in, Status: events, History: io.Discard}, cat)
			in.Close()
			events.Close()
		}()
		go out.Write(append(line, '\n'))
		var begin, end Event
		for dec := json.NewDecoder(status); ; {
			var e Event
			if err := dec.Decode(&e); err != nil {
				break
			}
			switch e.Event {
			case EventError:
				b.Fatal(e.Error)
			case EventLoadBegin:
				begin = e
			case EventLoadEnd:
				end = e
				out.Close()
			}
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if end.Fail+end.Info > 0 {
			b.Fatalf("not every operation was answered: %+v", end)
		}
		ops += end.OK
		took += time.Duration(end.Time - begin.Time)
	}
	b.ReportMetric(float64(ops)/took.Seconds(), "ops/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDriver is what the driver can record against a server that answers
// at once, in the same process.
func BenchmarkDriver(b *testing.B) {
	for name, cfg := range map[string]Config{
		"closed/clients=10":  {Clients: 10},
		"closed/clients=100": {Clients: 100},
		"open/rate=100000":   {Rate: workloads.Constant(100_000)},
	} {
		cfg.Nodes = testNodes(5)
		b.Run(name, func(b *testing.B) { benchmark(b, instant{}, cfg) })
	}
}

// instantProgramEnv makes a client program of this test.
const instantProgramEnv = "SQUALL_INSTANT_CLIENT"

// instantProgram is the example of docs/clients.md, but for the server: it answers at
// once.
func instantProgram() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	if !in.Scan() {
		os.Exit(1)
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	write := func(line any) {
		mu.Lock()
		defer mu.Unlock()
		if out.Encode(line) != nil {
			os.Exit(1)
		}
	}
	write(map[string]int{"squall": program.Version})
	type answer struct {
		ID   uint64          `json:"id"`
		Type string          `json:"type"`
		Out  json.RawMessage `json:"out,omitempty"`
	}
	for in.Scan() {
		var r struct {
			ID   uint64
			Do   string
			Conn uint64
			Addr string
			F    string
			Key  string
			In   json.RawMessage
		}
		if json.Unmarshal(in.Bytes(), &r) != nil {
			os.Exit(1)
		}
		a := answer{ID: r.ID, Type: "ok"}
		switch {
		case r.Do == "close":
			continue
		case r.F == "read":
			a.Out = json.RawMessage(`"1"`)
		case r.F == "cas":
			a.Out = json.RawMessage("true")
		}
		go write(a)
	}
}

// programmed is a system whose clients are that program.
type programmed struct{ *fake }

func (programmed) ClientProgram(declare.Args) systems.Program {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return systems.Program{Argv: []string{self}, Env: append(os.Environ(), instantProgramEnv+"=1"), Workloads: []string{"register"}}
}

func (programmed) ClientFiles(context.Context, string, declare.Args) ([]files.File, error) {
	return nil, nil
}

// BenchmarkDriverProgram is what the driver can record through a client program, beside
// BenchmarkDriver, which is the same in one process.
func BenchmarkDriverProgram(b *testing.B) {
	for name, cfg := range map[string]Config{
		"closed/clients=10":  {Clients: 10},
		"closed/clients=100": {Clients: 100},
		"closed/clients=500": {Clients: 500},
	} {
		cfg.Nodes = testNodes(5)
		b.Run(name, func(b *testing.B) { benchmark(b, programmed{}, cfg) })
	}
}

// BenchmarkDriverTCP is the same against a server that answers at once over
// TCP, through the real client. The server takes its share of the processors.
func BenchmarkDriverTCP(b *testing.B) {
	server, err := kv.StartStandalone("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	addr := netip.MustParseAddrPort(server.Addr())
	for name, cfg := range map[string]Config{
		"closed/clients=1":   {Clients: 1},
		"closed/clients=10":  {Clients: 10},
		"closed/clients=100": {Clients: 100},
		"closed/clients=500": {Clients: 500},
		"open/rate=50000":    {Rate: workloads.Constant(50_000)},
	} {
		cfg.Nodes = testNodes(5)
		for i := range cfg.Nodes {
			cfg.Nodes[i].Addr, cfg.Nodes[i].Port = addr.Addr(), addr.Port()
		}
		b.Run(name, func(b *testing.B) { benchmark(b, raftkv.System{}, cfg) })
	}
}

// BenchmarkRecord is the recorder's share of an operation.
func BenchmarkRecord(b *testing.B) {
	c, err := newClock()
	if err != nil {
		b.Fatal(err)
	}
	rec := newRecorder(c, io.Discard, history.RegisterFunctions())
	f := rec.register()
	b.ReportAllocs()
	for b.Loop() {
		op := history.Op{Process: 17, Node: "n3", Func: history.Write, Key: "r42", In: `"123456"`, Outcome: history.OK}
		rec.begin(f, &op, c.now)
		op.Return = c.now()
		rec.end(f, &op, op.Call)
	}
	if err := rec.close(); err != nil {
		b.Fatal(err)
	}
}
