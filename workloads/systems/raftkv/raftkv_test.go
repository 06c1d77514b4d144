package raftkv

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/workloads/listappend"
	"squall/workloads/lock"
	"squall/workloads/rw"
	"squall/workloads/set"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func cluster(seed uint64) systems.Cluster {
	return systems.Cluster{Seed: seed, Nodes: []systems.Node{
		{ID: 1, Name: "n1", Addr: netip.MustParseAddr("198.18.0.11")},
		{ID: 2, Name: "n2", Addr: netip.MustParseAddr("198.18.0.12")},
	}}
}

// args are the parameters, with these values of some.
func args(given declare.Args) declare.Args { return System{}.Params().Fill(given, nil) }

func TestServer(t *testing.T) {
	start, err := System{}.Server(cluster(40).Nodes[1], cluster(40), args(declare.Args{"snapshot-every": "1000"}))
	if err != nil {
		t.Fatal(err)
	}
	want := "/squall-node kv -id 2 -peers 1=198.18.0.11,2=198.18.0.12 -data /data -trace-fd 3 " +
		"-heartbeat 50ms -election-min 300ms -election-max 600ms -snapshot-every 1000 -snapshot-keep 250 -snapshot-chunk 262144 -slow-snapshots 0s -sessions 1024 -max-batch 1048576 -max-inflight 64 -segment 16777216 -seed 42"
	if got := strings.Join(start.Argv, " "); got != want {
		t.Errorf("argv\n%s, want\n%s", got, want)
	}
	if start, err = (System{}).Server(cluster(0).Nodes[0], cluster(0), args(nil)); err != nil || slices.Contains(start.Argv, "-seed") {
		t.Errorf("argv %q, %v", start.Argv, err)
	}
	start, err = System{}.Server(cluster(0).Nodes[0], cluster(0), args(declare.Args{"pre-vote": "off", "stickiness": "off"}))
	if got := strings.Join(start.Argv, " "); err != nil || !strings.HasSuffix(got, " -pre-vote=false -sticky-leader=false") {
		t.Errorf("argv %s, %v", got, err)
	}
	for id, want := range []string{"-snapshot-every 1000 -snapshot-keep 250 -snapshot-chunk 0 -slow-snapshots 0s", "-snapshot-every 100000 -snapshot-keep 25000 -snapshot-chunk 262144 -slow-snapshots 0s"} {
		start, err = (System{}).Server(cluster(0).Nodes[id], cluster(0), args(declare.Args{"snapshot-every": "1000", "long-logs": "1", "batch": "4KiB", "in-flight": "2", "segment": "64KiB"}))
		if got := strings.Join(start.Argv, " "); err != nil || !strings.HasSuffix(got, want+" -sessions 1024 -max-batch 4096 -max-inflight 2 -segment 65536") {
			t.Errorf("argv %s, want %s, %v", got, want, err)
		}
	}
	for id, slow := range []bool{true, false} {
		start, err = (System{}).Server(cluster(0).Nodes[id], cluster(0), args(declare.Args{"slow-disk": "20ms"}))
		if got := strings.Join(start.Argv, " "); err != nil || strings.HasSuffix(got, " -slow-disk 20ms") != slow {
			t.Errorf("argv %s of node %d, %v", got, id+1, err)
		}
	}
	for id, want := range []string{"-snapshot-every 50 -snapshot-keep 0 -snapshot-chunk 0 -slow-snapshots 30ms", "-snapshot-every 1000 -snapshot-keep 250 -snapshot-chunk 2048 -slow-snapshots 30ms"} {
		start, err = (System{}).Server(cluster(0).Nodes[id], cluster(0), args(declare.Args{"snapshot-every": "1000", "short-logs": "1", "chunk": "2KiB", "slow-snapshots": "30ms"}))
		if got := strings.Join(start.Argv, " "); err != nil || !strings.Contains(got, want) {
			t.Errorf("argv %s, want %s, %v", got, want, err)
		}
	}
	if _, err := (System{}).Server(systems.Node{ID: 9, Name: "n9"}, cluster(0), args(nil)); err == nil {
		t.Error("a node outside the cluster was started")
	}
}

// Trials have timeouts of their own, even such as no parameters could be.
func TestTrialServer(t *testing.T) {
	trials := systems.Trials{Heartbeat: 75 * time.Millisecond, ElectionMin: 150 * time.Millisecond, ElectionMax: 150 * time.Millisecond,
		StartWait: time.Second, DiskMin: time.Millisecond, DiskMax: 3 * time.Millisecond}
	start, err := System{}.TrialServer(cluster(7).Nodes[0], cluster(7), args(nil), trials)
	if err != nil {
		t.Fatal(err)
	}
	want := "-heartbeat 75ms -election-min 150ms -election-max 150ms -snapshot-every 2000 -snapshot-keep 500 -snapshot-chunk 0 -slow-snapshots 0s -sessions 1024 -max-batch 1048576 -max-inflight 64 -segment 16777216 -seed 8 " +
		"-trials -start-wait 1s -pre-vote=false -sticky-leader=false -disk-min 1ms -disk-max 3ms"
	if got := strings.Join(start.Argv, " "); !strings.HasSuffix(got, want) {
		t.Errorf("argv\n%s, want at its end\n%s", got, want)
	}
	for want, bad := range map[string]systems.Trials{
		"longer than the heartbeat": {Heartbeat: time.Second, ElectionMin: time.Second, ElectionMax: time.Second},
		"below the least":           {Heartbeat: 1, ElectionMin: time.Second, ElectionMax: time.Millisecond},
		"must be above zero":        {ElectionMin: time.Second, ElectionMax: time.Second},
	} {
		if _, err := (System{}).TrialServer(cluster(7).Nodes[0], cluster(7), args(nil), bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", bad, err, want)
		}
	}
}

func TestParamsThatDoNotGoTogether(t *testing.T) {
	for param, given := range map[string]declare.Args{
		"":          {"heartbeat": "75ms", "election": "150ms-300ms"},
		"heartbeat": {"heartbeat": "80ms", "election": "150ms-300ms"},
		"election":  {"election": "300ms-300ms"},
	} {
		err := System{}.CheckParams(args(given))
		var bad *declare.Error
		if (err == nil) != (param == "") || err != nil && (!errors.As(err, &bad) || bad.Param != param) {
			t.Errorf("%v: %v, want %q to blame", given, err, param)
		}
	}
	if shortest, longest := (System{}).ElectionTimeout(args(nil)); shortest != 300*time.Millisecond || longest != 600*time.Millisecond {
		t.Errorf("election timeouts from %v to %v", shortest, longest)
	}
}

// scripted is a server that answers each request by its key: the body of the
// answer, or "" to break the connection, or "-" to say nothing.
func scripted(t *testing.T, answers map[string]string) systems.Node {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if err := serveScript(conn, answers); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			t.Log("scripted server:", err)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-served })
	addr := ln.Addr().(*net.TCPAddr).AddrPort()
	return systems.Node{ID: 1, Name: "n1", Addr: addr.Addr(), Port: addr.Port()}
}

// sum is the checksum of the protocol that nodeimage/kv documents.
func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func serveScript(conn net.Conn, answers map[string]string) error {
	r := bufio.NewReader(conn)
	hello := make([]byte, 12)
	if _, err := io.ReadFull(r, hello); err != nil {
		return err
	}
	if _, err := conn.Write(hello); err != nil { // same letters and version, 0: welcome
		return err
	}
	for {
		head := make([]byte, 20) // length, id, the body's checksum, the header's own
		if _, err := io.ReadFull(r, head); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		if sum(body) != binary.BigEndian.Uint32(head[12:]) || sum(head[:16]) != binary.BigEndian.Uint32(head[16:]) {
			return fmt.Errorf("wrong checksums: % x, % x", head, body)
		}
		key := string(body[2 : 2+int(body[1])]) // short keys only
		answer, ok := answers[key]
		switch {
		case !ok:
			return fmt.Errorf("no answer for %q", key)
		case answer == "":
			return nil
		case answer == "-":
			continue
		}
		out := binary.BigEndian.AppendUint32(nil, uint32(len(answer)))
		out = binary.BigEndian.AppendUint32(append(out, head[4:12]...), sum([]byte(answer)))
		out = binary.BigEndian.AppendUint32(out, sum(out))
		if _, err := conn.Write(append(out, answer...)); err != nil {
			return err
		}
	}
}

// The answers of the protocol that nodeimage/kv documents.
const (
	answerNone    = "\x01\x00"
	answerSeven   = "\x01\x017"
	answerFound8  = "\x02\x018"
	answerFailed  = "\x03\x02no leader"
	answerUnknown = "\x04\x08timeout"
	answerToken7  = "\x01\x01\x00\x00\x00\x00\x00\x00\x00\x07"
	answerHeld    = "\x02\x01\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00c1-1" // token, no lease, owner
)

func TestClient(t *testing.T) {
	node := scripted(t, map[string]string{
		"none": answerNone, "seven": answerSeven, "eight": answerFound8,
		"failed": answerFailed, "unknown": answerUnknown, "silent": "-", "break": "",
	})
	ctx := context.Background()
	dialled, err := System{}.Dial(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	c := dialled.(client)
	some := history.Some
	if v, err := c.Read(ctx, "none"); v != history.None || err != nil {
		t.Errorf("read of an absent key: %+v, %v", v, err)
	}
	if v, err := c.Read(ctx, "seven"); v != some("7") || err != nil {
		t.Errorf("read: %+v, %v", v, err)
	}
	if err := c.Write(ctx, "none", some("1")); err != nil {
		t.Errorf("write: %v", err)
	}
	for key, want := range map[string]history.Value{"none": history.None, "seven": some("7")} {
		if old, err := c.Replace(ctx, key, some("1")); old != want || err != nil {
			t.Errorf("replace of %s: %+v, %v", key, old, err)
		}
	}
	if err := c.Delete(ctx, "none"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if swapped, _, err := c.CAS(ctx, "none", history.None, some("1")); !swapped || err != nil {
		t.Errorf("cas: %v, %v", swapped, err)
	}
	if swapped, found, err := c.CAS(ctx, "eight", some("7"), some("9")); swapped || found != some("8") || err != nil {
		t.Errorf("cas that finds another value: %v, %+v, %v", swapped, found, err)
	}
	if _, _, err := c.CAS(ctx, "eight", some("7"), history.None); !systems.Certain(err) {
		t.Errorf("compare-and-delete: %v", err)
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	checkError(t, "refused", c.Write(ctx, "failed", some("1")), true, false)
	checkError(t, "unknown", c.Write(ctx, "unknown", some("1")), false, false)
	checkError(t, "out of time", c.Write(soon, "silent", some("1")), false, false)
	checkError(t, "broken", c.Write(ctx, "break", some("1")), false, true)
	checkError(t, "after it broke", c.Write(ctx, "none", some("1")), true, true)
}

func TestLocks(t *testing.T) {
	ctx := context.Background()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"free": answerToken7, "held": answerHeld, "failed": answerFailed}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	locks := c.(lock.Client)
	if token, holder, err := locks.Acquire(ctx, "free", "c1-1"); token != 7 || holder != "" || err != nil {
		t.Errorf("acquire: %d, %q, %v", token, holder, err)
	}
	if token, holder, err := locks.Acquire(ctx, "held", "c2-1"); token != 0 || holder != "c1-1" || err != nil {
		t.Errorf("acquire of a held lock: %d, %q, %v", token, holder, err)
	}
	if released, err := locks.Release(ctx, "free", "c1-1", 7); !released || err != nil {
		t.Errorf("release: %v, %v", released, err)
	}
	if released, err := locks.Release(ctx, "held", "c2-1", 6); released || err != nil {
		t.Errorf("release of another's lock: %v, %v", released, err)
	}
	_, _, err = locks.Acquire(ctx, "failed", "c1-1")
	checkError(t, "refused", err, true, false)
}

// A set is a list of the server's, and one that nobody added to is empty.
func TestSets(t *testing.T) {
	ctx := context.Background()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"none": answerNone, "two": "\x01\x01\x01b\x01a", "cut": "\x01\x01\x02b", "failed": answerFailed, "unknown": answerUnknown}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sets := c.(set.Client)
	if err := sets.Add(ctx, "none", "a"); err != nil {
		t.Errorf("add: %v", err)
	}
	checkError(t, "an add that was refused", sets.Add(ctx, "failed", "a"), true, false)
	checkError(t, "an add of unknown outcome", sets.Add(ctx, "unknown", "a"), false, false)
	for key, want := range map[string][]string{"none": nil, "two": {"b", "a"}} {
		if elements, err := sets.Elements(ctx, key); !slices.Equal(elements, want) || err != nil {
			t.Errorf("elements of %s: %q, %v", key, elements, err)
		}
	}
	if elements, err := sets.Elements(ctx, "cut"); err == nil {
		t.Errorf("half an element was read as %q", elements)
	}
	_, err = sets.Elements(ctx, "failed")
	checkError(t, "a read that was refused", err, true, false)
}

// A transaction has no key, and its answer has a result for each of its operations.
func TestTransact(t *testing.T) {
	dial := func(answer string) client {
		c, err := System{}.Dial(t.Context(), scripted(t, map[string]string{"": answer}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(client)
	}
	ops := []listappend.Op{{Append: true, Key: "x", Element: "b"}, {Key: "x"}, {Key: "y"}}
	const none, ab = "\x00", "\x02\x04\x01a\x01b"
	for answer, want := range map[string][][]string{
		"\x01\x01" + none + ab + none: {nil, {"a", "b"}, nil},
		"\x01\x01" + ab + none:        nil, // one is missing
	} {
		lists, err := dial(answer).Transact(t.Context(), ops)
		if !slices.EqualFunc(lists, want, slices.Equal) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", answer, lists, err)
		}
	}
	_, err := dial(answerFailed).Transact(t.Context(), ops)
	checkError(t, "failed", err, true, false)
	_, err = dial(answerUnknown).Transact(t.Context(), ops)
	checkError(t, "unknown", err, false, false)
	_, err = dial(answerUnknown).Transact(t.Context(), ops[1:])
	checkError(t, "unknown, of reads alone", err, true, false)
}

// A transaction on registers has a result for each of its operations, too.
func TestReadWrite(t *testing.T) {
	dial := func(answer string) client {
		c, err := System{}.Dial(t.Context(), scripted(t, map[string]string{"": answer}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(client)
	}
	ops := []rw.Op{{Writes: true, Key: "x", Value: "b"}, {Key: "x"}, {Key: "y"}}
	const none, b = "\x00", "\x01\x01b"
	found, err := dial("\x01\x01"+none+b+none).ReadWrite(t.Context(), ops)
	if !slices.Equal(found, []history.Value{{}, history.Some("b"), {}}) || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if _, err = dial("\x01\x01"+b+none).ReadWrite(t.Context(), ops); err == nil {
		t.Error("one result is missing, and there is no error")
	}
	_, err = dial(answerUnknown).ReadWrite(t.Context(), ops)
	checkError(t, "unknown", err, false, false)
	_, err = dial(answerUnknown).ReadWrite(t.Context(), ops[1:])
	checkError(t, "unknown, of reads alone", err, true, false)
}

// How far a node's own copy has come is a number, and nothing else.
func TestPosition(t *testing.T) {
	for answer, want := range map[string]uint64{
		"\x01\x01\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00": 258,
		answerToken7: 0, // cut off
		answerFailed: 0,
	} {
		c, err := System{}.Dial(t.Context(), scripted(t, map[string]string{"": answer}))
		if err != nil {
			t.Fatal(err)
		}
		if at, err := c.(client).Position(t.Context()); at != want || (err == nil) != (want != 0) {
			t.Errorf("%q: at %d, %v", answer, at, err)
		}
		c.Close()
	}
}

func checkError(t *testing.T, what string, err error, certain, lost bool) {
	t.Helper()
	if err == nil || systems.Certain(err) != certain || systems.Lost(err) != lost {
		t.Errorf("%s: %v, certain %v, lost %v; want certain %v, lost %v", what, err, systems.Certain(err), systems.Lost(err), certain, lost)
	}
}

func TestDialRefused(t *testing.T) {
	_, err := System{}.Dial(context.Background(), systems.Node{Name: "n1", Addr: machinetest.Address(), Port: 7000})
	checkError(t, "refused", err, true, true)
	if err.Error() != "connection refused" {
		t.Errorf("error %q", err)
	}
}

// An operation of a session is never sent without it.
func TestAnOperationOfASessionNeedsAConnectionOfItsOwn(t *testing.T) {
	type foreign struct{ systems.Client }
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "raftkv.foreign") {
			t.Errorf("a foreign connection: %q", said)
		}
	}()
	once{}.On(foreign{client{}})
}
