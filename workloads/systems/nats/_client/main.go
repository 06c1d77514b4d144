// Command client carries out squall's operations on a NATS cluster, through the client
// library of NATS. It speaks JSON lines (docs/clients.md).
//
// A set is the messages of one subject of the stream SQUALL, a register is a key of the
// key-value bucket squall, which is the stream KV_squall. Both are kept by as many nodes
// as are told.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"squall.invalid/client/goclient"
)

// mostReplicas is how many nodes can keep a stream of JetStream.
const mostReplicas = 5

const clientPort = 4222

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	reads := flag.String("reads", readSynced, "how reads are carried out: synced, leader or direct")
	replicas := flag.Int("replicas", 0, "how many nodes keep the stream; 0: all, up to 5")
	batch := flag.Int("batch", 0, "how many messages are asked for at a time, where nodes know how to; 0: one")
	flag.Parse()
	if !slices.Contains([]string{readSynced, readLeader, readDirect}, *reads) {
		return fmt.Errorf("there are no reads called %q", *reads)
	}
	return goclient.Serve(os.Stdin, os.Stdout, func(h goclient.Hello) func(context.Context, goclient.Node) (goclient.Conn, error) {
		b := newBench(h, *reads, *replicas)
		b.batch = *batch
		return b.dial
	})
}

// bench is what all connections have in common: the stream.
type bench struct {
	reads     string
	batch     int
	stream    jetstream.StreamConfig
	prefix    string // of subjects, before the key
	functions func(c *conn) map[string]operation

	making chan struct{} // holds a token when nobody creates the stream
	made   chan struct{} // closed when the stream was created
	seen   seen
}

// operation carries out one function of a workload.
type operation func(ctx context.Context, op goclient.Op) (out []byte, err error)

func newBench(h goclient.Hello, reads string, replicas int) *bench {
	if replicas == 0 {
		replicas = min(max(len(h.Nodes), 1), mostReplicas)
	}
	b := &bench{reads: reads, making: make(chan struct{}, 1), made: make(chan struct{})}
	b.making <- struct{}{}
	b.stream = jetstream.StreamConfig{
		Replicas:    replicas,
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		AllowDirect: reads != readLeader,
	}
	switch h.Workload {
	case "set":
		b.stream.Name, b.prefix = "SQUALL", "squall."
		b.functions = (*conn).set
	case "register":
		// This is what the library makes of a bucket whose keys keep all of their
		// history. It cannot be told to leave direct reads out.
		b.stream.Name, b.prefix = "KV_squall", "$KV.squall."
		b.stream.AllowRollup, b.stream.DenyDelete, b.stream.MaxMsgsPerSubject = true, true, -1
		b.functions = (*conn).register
	default: // squall does not ask for what the system does not declare
		b.functions = func(*conn) map[string]operation { return nil }
	}
	b.stream.Subjects = []string{b.prefix + ">"}
	return b
}

// conn is a connection to a node.
type conn struct {
	*bench
	nc  *nats.Conn
	js  jetstream.JetStream
	ops map[string]operation
}

// dial connects to a node. The library would go on to others, which it hears of from the
// node, when the connection is lost: not without reconnecting.
func (b *bench) dial(ctx context.Context, node goclient.Node) (goclient.Conn, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(nats.DefaultTimeout)
	}
	port := clientPort
	if node.Port != 0 {
		port = int(node.Port)
	}
	nc, err := nats.Connect("nats://"+net.JoinHostPort(node.Addr, strconv.Itoa(port)),
		nats.Name("squall"), nats.NoReconnect(), nats.Timeout(time.Until(until)),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // each operation has its own
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	c := &conn{bench: b, nc: nc, js: js}
	c.ops = b.functions(c)
	return c, nil
}

var (
	_ goclient.Conn       = (*conn)(nil)
	_ goclient.Controller = (*conn)(nil)
)

// Close ends the connection.
func (c *conn) Close() { c.nc.Close() }

// Do carries out an operation.
func (c *conn) Do(ctx context.Context, op goclient.Op) ([]byte, error) {
	carryOut, ok := c.ops[op.Func]
	if !ok {
		return nil, goclient.Fail("it does not know the function %s", op.Func)
	}
	err := c.create(ctx)
	if err != nil {
		return nil, c.judge(err)
	}
	out, err := carryOut(ctx, op)
	if err != nil {
		return nil, c.judge(err)
	}
	return out, nil
}

// Control says who leads.
func (c *conn) Control(ctx context.Context, do string, _ []byte) ([]byte, error) {
	if do != "leader" {
		return nil, goclient.Fail("it does not know what %s is", do)
	}
	name, err := c.leader(ctx)
	switch {
	case err != nil:
		return nil, c.judge(err)
	case name == "":
		return []byte("null"), nil
	}
	return goclient.AppendText(nil, name), nil
}

// create creates the stream, unless this program did so before.
func (c *conn) create(ctx context.Context) error {
	select {
	case <-c.made:
		return nil
	default:
	}
	select {
	case <-c.made:
		return nil
	case <-ctx.Done():
		return goclient.Fail("there is no stream yet")
	case <-c.making:
	}
	defer func() { c.making <- struct{}{} }()
	select {
	case <-c.made:
		return nil
	default:
	}
	// Where there is such a stream, this is no error.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := c.js.CreateStream(ctx, c.stream); err != nil {
		return goclient.Fail("creating the stream: %w", err)
	}
	close(c.made)
	return nil
}

// leader is who leads the stream, as the node knows.
func (c *conn) leader(ctx context.Context) (string, error) {
	if err := c.create(ctx); err != nil {
		return "", err
	}
	s, err := c.js.Stream(ctx, c.stream.Name)
	if err != nil {
		return "", certain(err)
	}
	if cluster := s.CachedInfo().Cluster; cluster != nil {
		return cluster.Leader, nil
	}
	return "", nil
}

// publish writes a message, once, and waits until it is acknowledged.
func (c *conn) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (seq uint64, err error) {
	ack, err := c.js.PublishMsg(ctx, m, append(opts, jetstream.WithRetryAttempts(0))...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// wrongLastSequence is the code of the error that a message has which was to be written
// only after another one that is not the last one any more.
const wrongLastSequence = 10071

// judge says what is certain about an operation that ended in err.
func (c *conn) judge(err error) error {
	e := &goclient.Error{Err: err, Lost: c.nc.IsClosed()}
	var known *goclient.Error
	var api *jetstream.APIError
	switch {
	case errors.As(err, &known):
		e.Certain = known.Certain
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		// The node knew of nobody in the whole cluster who takes messages of this subject,
		// so it handed this one to nobody. The library then would try again; that is off.
		e.Certain = true
	case errors.As(err, &api) && api.ErrorCode == wrongLastSequence:
		// The leader refused it before it proposed it to the others. Other errors of
		// the stream are not believed: some are told by a leader that was just deposed.
		e.Certain = true
	}
	return e
}
