package program

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/history"
	"squall/internal/machinetest"
	"squall/workloads/systems"
)

// The test's own program is the client, where it is told how to behave.
const (
	behaveEnv = "SQUALL_TEST_CLIENT"
	onceEnv   = "SQUALL_TEST_CLIENT_ONCE" // a file: once it is there, all is well
)

func TestMain(m *testing.M) {
	if how := os.Getenv(behaveEnv); how != "" {
		client(how)
		return
	}
	goleak.VerifyTestMain(machinetest.Waiting(m))
}

// client is a client program with a register store of its own. In what way it
// misbehaves, on the first operation on the key "x", how says.
func client(how string) {
	if once := os.Getenv(onceEnv); once != "" {
		if _, err := os.Stat(once); err == nil {
			how = "well"
		} else if err := os.WriteFile(once, nil, 0o600); err != nil {
			panic(err)
		}
	}
	in := bufio.NewReader(os.Stdin)
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	switch _, _ = in.ReadString('\n'); how {
	case "no hello":
		time.Sleep(time.Hour)
	case "no way":
		fmt.Fprintf(os.Stderr, "first\nthe disk is\x1b[31m full\n")
		os.Exit(3)
	case "version 9":
		say(`{"squall":9}`)
	case "chatty":
		say("Welcome to my client!")
	default:
		say(`{"squall":1}`)
	}
	store, answered := map[string]json.RawMessage{}, 0
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if how == "stubborn" {
				time.Sleep(time.Hour)
			}
			return
		}
		var r struct {
			ID   uint64
			Do   string
			Conn int
			Addr string
			F    string
			Key  string
			In   json.RawMessage

			Node    string
			Learner bool
			At      *uint64
		}
		if json.Unmarshal(line, &r) != nil {
			os.Exit(4)
		}
		if r.Key == "x" {
			misbehave(how, r.ID, say)
		}
		answered++
		switch {
		case r.Do == "close", how == "mute" && r.Key == "x", how == "no pong" && r.Do == "ping":
		case r.Do == "open" && r.Addr == "10.0.0.9":
			say(`{"id":%d,"type":"fail","error":"connection refused"}`, r.ID)
		case r.Do == "members" && how == "odd":
			say(`{"id":%d,"type":"ok","out":{"voters":[]}}`, r.ID)
		case r.Do == "members" && how == "odder":
			say(`{"id":%d,"type":"ok","out":"n1"}`, r.ID)
		case r.Do == "members":
			say(`{"id":%d,"type":"ok","out":{"voters":["n1","n2"],"learners":["n3"]}}`, r.ID)
		case r.Do == "add" && (r.Node != "n4" || r.Addr != "10.0.0.4" || !r.Learner):
			say(`{"id":%d,"type":"fail","error":"not n4 as a learner"}`, r.ID)
		case r.Do == "remove":
			say(`{"id":%d,"type":"fail","error":"unhealthy cluster"}`, r.ID)
		case r.Do == "transfer":
			say(`{"id":%d,"type":"info","error":"who knows"}`, r.ID)
		case r.Do == "replica" && strings.HasPrefix(how, "odd") && r.At == nil:
			say(`{"id":%d,"type":"ok","out":-4}`, r.ID)
		case r.Do == "replica" && strings.HasPrefix(how, "odd"):
			say(`{"id":%d,"type":"ok","out":{"at":9,"digest":"aa"}}`, r.ID)
		case r.Do == "replica" && r.At == nil:
			say(`{"id":%d,"type":"ok","out":41}`, r.ID)
		case r.Do == "replica":
			say(`{"id":%d,"type":"ok","out":{"at":%d,"digest":"aa","basis":"from 3"}}`, r.ID, *r.At)
		case r.Do == "leader":
			say(`{"id":%d,"type":"ok","out":"n%d"}`, r.ID, 1+r.Conn)
		case r.Do != "":
			say(`{"id":%d,"type":"ok"}`, r.ID)
		case r.F == "read" && r.Key == "pid":
			say(`{"id":%d,"type":"ok","out":"%d"}`, r.ID, os.Getpid())
		case r.F == "read" && store[r.Key] == nil:
			say(`{"type" : "ok" , "out" : null, "id" : %d}`, r.ID)
		case r.F == "read":
			say(`{"id":%d,"type":"ok","out":%s}`, r.ID, store[r.Key])
		case r.F == "write":
			store[r.Key] = r.In
			say(`{"id":%d,"type":"ok"}`, r.ID)
		case r.F == "refuse":
			say(`{"id":%d,"type":"fail","error":"no"}`, r.ID)
		case r.F == "doubt":
			say(`{"id":%d,"type":"info","error":"%s","lost":true}`, r.ID, strings.Repeat("long ", 1000))
		}
	}
}

func misbehave(how string, id uint64, say func(string, ...any)) {
	switch how {
	case "die":
		fmt.Fprintln(os.Stderr, "panic: out of luck")
		os.Exit(2)
	case "nonsense":
		say("ok!")
	case "no type":
		say(`{"id":%d,"type":"fine"}`, id)
	case "not recorded":
		say(`{"id":%d,"type":"ok","out":%s1%s}`, id, strings.Repeat("[", 100), strings.Repeat("]", 100))
	case "out of a failure":
		say(`{"id":%d,"type":"fail","out":1}`, id)
	case "twice":
		say(`{"id":%d,"type":"ok"}`, id)
	case "unasked":
		say(`{"id":999999,"type":"ok"}`)
	case "long":
		say(`{"id":%d,"type":"ok","out":"%s"}`, id, strings.Repeat("a", 2<<20))
	case "endless":
		for {
			fmt.Print("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		}
	case "flood":
		for {
			say(`{"id":0,"type":"ok"}`)
		}
	case "flood of errors":
		line := strings.Repeat("e", 10_000) + "\n"
		for {
			fmt.Fprint(os.Stderr, line)
		}
	}
}

// pool runs the test's program, which behaves like this; once: only the first time.
func pool(t *testing.T, how string, once bool) (*Pool, *logged) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), behaveEnv+"="+how)
	if once {
		env = append(env, onceEnv+"="+filepath.Join(t.TempDir(), "once"))
	}
	log := &logged{}
	p := New(systems.Program{Argv: []string{self}, Env: env, Workloads: []string{"register"},
		Leader: how == "leader", Members: how == "learner" || strings.HasPrefix(how, "odd"), Replicas: how == "replica" || strings.HasPrefix(how, "odd")},
		Options{Workload: "register", Timeout: 5 * time.Second, Log: log})
	t.Cleanup(p.Close)
	return p, log
}

// logged is what was written to a log.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var node1 = systems.Node{ID: 1, Name: "n1", Addr: netip.MustParseAddr("10.0.0.1")}

// dial connects, and tries for as long as a test may take: a program that failed is
// not started again at once.
func dial(t *testing.T, p *Pool) systems.Caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := p.Dial(ctx, node1)
		if err == nil {
			return c.(systems.Caller)
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		if !systems.Certain(err) || !systems.Lost(err) {
			t.Fatalf("a connection that there never was: %v, certain %v, lost %v", err, systems.Certain(err), systems.Lost(err))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func call(ctx context.Context, c systems.Caller, f history.Func, key string, in history.Data) (history.Data, error) {
	op := history.Op{Func: f, Key: key, In: in}
	err := c.Call(ctx, &op)
	return op.Out, err
}

func TestOperations(t *testing.T) {
	p, _ := pool(t, "well", false)
	a, b := dial(t, p), dial(t, p)
	ctx := t.Context()
	if out, err := call(ctx, a, "read", "k", ""); out != history.Null || err != nil {
		t.Errorf("read of an absent key: %s, %v", out, err)
	}
	odd := history.Text("a\"\\\x00\xff é")
	if out, err := call(ctx, a, "write", "k", odd); out != "" || err != nil {
		t.Errorf("write: %s, %v", out, err)
	}
	if out, err := call(ctx, b, "read", "k", ""); out != odd || err != nil {
		t.Errorf("read through another connection: %s, %v", out, err)
	}
	one, _ := call(ctx, a, "read", "pid", "")
	if two, err := call(ctx, b, "read", "pid", ""); one != two || err != nil {
		t.Errorf("two connections are in the processes %s and %s, %v", one, two, err)
	}
	_, err := call(ctx, a, "refuse", "k", "")
	checkError(t, "refused", err, true, false, "no")
	_, err = call(ctx, a, "doubt", "k", "")
	checkError(t, "unknown", err, false, true, "long long")
	if len(err.Error()) > 2*maxError {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	_, err = p.Dial(ctx, systems.Node{Name: "n9", Addr: netip.MustParseAddr("10.0.0.9")})
	checkError(t, "a node that is down", err, true, true, "connection refused")
	if !a.Serves("register") || a.Serves("lock") {
		t.Error("it does not say what it serves")
	}
	if proto := p.program.Prototype().(systems.Caller); !proto.Serves("register") || proto.Serves("lock") {
		t.Error("its prototype does not say what it serves")
	}
	if _, ok := a.(systems.LeaderTeller); ok {
		t.Error("it seems to know who leads")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	_, err = call(ctx, a, "mute", "k", "")
	checkError(t, "a closed connection", err, false, true, "closed")
	if err := p.Err(); err != nil {
		t.Errorf("given up: %v", err)
	}
}

func checkError(t *testing.T, what string, err error, certain, lost bool, text string) {
	t.Helper()
	if err == nil || systems.Certain(err) != certain || systems.Lost(err) != lost || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, certain %v, lost %v; want %q, certain %v, lost %v", what, err, systems.Certain(err), systems.Lost(err), text, certain, lost)
	}
}

func TestWhoLeads(t *testing.T) {
	p, _ := pool(t, "leader", false)
	c := dial(t, p)
	if leader, err := c.(systems.LeaderTeller).Leader(t.Context()); leader != "n2" || err != nil {
		t.Errorf("%q, %v", leader, err)
	}
	if _, ok := p.program.Prototype().(systems.LeaderTeller); !ok {
		t.Error("its prototype does not tell")
	}
}

func TestManyAtOnce(t *testing.T) {
	p, _ := pool(t, "well", false)
	conns := []systems.Caller{dial(t, p), dial(t, p), dial(t, p)}
	var clients sync.WaitGroup
	for i := range 100 {
		clients.Go(func() {
			c, key, value := conns[i%3], fmt.Sprint("k", i), history.Text(fmt.Sprint(i))
			for range 20 {
				_, errW := call(t.Context(), c, "write", key, value)
				out, errR := call(t.Context(), c, "read", key, "")
				if out != value || errW != nil || errR != nil {
					t.Errorf("%s holds %s, want %s; %v, %v", key, out, value, errW, errR)
					return
				}
			}
		})
	}
	clients.Wait()
}

// TestMisbehaviour: of an operation under way nothing is known, and the program is
// started again.
func TestMisbehaviour(t *testing.T) {
	for how, want := range map[string]string{
		"die":              "it ended: exit status 2; its last lines: panic: out of luck",
		"nonsense":         `it wrote a line that is no answer: "ok!"`,
		"no type":          "an answer whose type is not ok, fail or info",
		"not recorded":     "an answer whose out cannot be recorded",
		"out of a failure": "an answer with an out that is not of type ok",
		"twice":            "twice",
		"unasked":          "it answered the request 999999, which nobody made",
		"long":             "it wrote a line of more than 1024 KiB",
		"endless":          "it wrote a line of more than 1024 KiB",
		"flood":            "it answered the request 0, which nobody made",
		"flood of errors":  "it wrote more than 64 MiB to its standard error",
	} {
		t.Run(how, func(t *testing.T) {
			p, log := pool(t, how, true)
			c := dial(t, p)
			_, err := call(t.Context(), c, "write", "x", `"1"`)
			if how == "twice" { // the first answer is one
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					_, err = call(t.Context(), c, "read", "y", "")
				}
			}
			checkError(t, how, err, false, true, "the client program failed: it ")
			again := dial(t, p)
			if _, err := call(t.Context(), again, "write", "x", `"1"`); err != nil {
				t.Errorf("after its restart: %v", err)
			}
			if !strings.Contains(log.String(), "client: (squall: failure 1 of the client program: ") || !strings.Contains(log.String(), want) {
				t.Errorf("the log says %.500q, want %q", log, want)
			}
			if n := len(log.String()); n > maxLogged+100_000 {
				t.Errorf("%d bytes were logged", n)
			}
			if _, err := call(t.Context(), c, "read", "x", ""); !systems.Lost(err) {
				t.Errorf("the connection of the process that failed: %v", err)
			}
			if p.Err() != nil {
				t.Errorf("given up: %v", p.Err())
			}
		})
	}
}

func TestGivenUp(t *testing.T) {
	for how, want := range map[string]string{
		"no way":    "it ended: exit status 3; its last lines: first | the disk is [31m full",
		"version 9": "it speaks version 9 of the protocol, and this squall version 1",
		"chatty":    `its first line is not {"squall":1}, but "Welcome to my client!"`,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p, _ := pool(t, how, false)
			for open := true; open; {
				if _, err := p.Dial(t.Context(), node1); err == nil {
					t.Fatal("it was connected")
				}
				select {
				case <-p.GivenUp():
					open = false
				case <-time.After(5 * time.Millisecond):
				}
			}
			if err := p.Err(); err == nil || !strings.Contains(err.Error(), "failed 11 times, the last time because "+want) {
				t.Errorf("%v, want %q", err, want)
			}
			if strings.ContainsAny(p.Err().Error(), "\x1b\n") {
				t.Errorf("%q", p.Err())
			}
		})
	}
}

func TestAProgramThatIsMissing(t *testing.T) {
	p := New(systems.Program{Argv: []string{"/nowhere/client"}}, Options{})
	defer p.Close()
	_, err := p.Dial(t.Context(), node1)
	checkError(t, "no program", err, true, true, "could not be started")
}

// TestHang: a program that hangs is found by its pings, and one that only waits for
// its node is not taken for one.
func TestHang(t *testing.T) {
	for how, hangs := range map[string]bool{"no pong": true, "no hello": true, "mute": false} {
		t.Run(how, func(t *testing.T) {
			p, log := pool(t, how, false)
			ticks := make(chan time.Time)
			p.opt.Tick = func() (<-chan time.Time, func()) { return ticks, func() {} }
			ended := make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				c, err := p.Dial(ctx, node1)
				if err == nil {
					_, err = call(ctx, c.(systems.Caller), "write", "x", `"1"`)
				}
				ended <- err
			}()
			if how == "no pong" { // the write is answered
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
			}
			for range 5 * silentTicks {
				if !tick(p, ticks) {
					break
				}
				if !hangs { // its pong has time to come
					time.Sleep(10 * time.Millisecond)
				}
			}
			cancel()
			if how != "no pong" {
				if err := <-ended; err == nil {
					t.Error("it was answered")
				}
			}
			for hangs && !p.hasFailed() {
				time.Sleep(5 * time.Millisecond)
			}
			p.Close()
			if found := strings.Contains(log.String(), "it hangs"); found != hangs {
				t.Errorf("it hangs: %v; the log says %q", hangs, log)
			}
		})
	}
}

// tick lets the process that runs see a tick; false: none runs any more.
func tick(p *Pool, ticks chan<- time.Time) bool {
	p.mu.Lock()
	current := p.current
	p.mu.Unlock()
	if current == nil {
		return p.Err() == nil && p.started(ticks)
	}
	select {
	case ticks <- time.Time{}:
		return true
	case <-current.failed:
		return false
	}
}

// started lets the first process see a tick, once it is there.
func (p *Pool) started(ticks chan<- time.Time) bool {
	if p.hasFailed() {
		return false
	}
	ticks <- time.Time{}
	return true
}

func (p *Pool) hasFailed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures > 0
}

// TestLateAnswers: nobody waits for them any more, and they do no harm.
func TestLateAnswers(t *testing.T) {
	p, log := pool(t, "well", false)
	c := dial(t, p)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := call(ctx, c, "write", "k", `"1"`); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if out, err := call(t.Context(), c, "read", "k", ""); out != `"1"` || err != nil {
		t.Errorf("%s, %v; the log says %q", out, err, log)
	}
}

// TestTheEnd: a program ends with its input, or is ended.
func TestTheEnd(t *testing.T) {
	for _, how := range []string{"well", "stubborn"} {
		p, log := pool(t, how, false)
		c := dial(t, p)
		p.Close()
		if _, err := call(t.Context(), c, "read", "k", ""); err == nil {
			t.Error("it goes on")
		}
		if _, err := p.Dial(t.Context(), node1); err == nil || log.String() != "" {
			t.Errorf("%s: %v; the log says %q", how, err, log)
		}
	}
}
