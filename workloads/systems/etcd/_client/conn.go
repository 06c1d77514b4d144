package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"squall.invalid/client/goclient"
)

// defaultPort is where etcd serves clients.
const defaultPort = 2379

// conn is a connection to one node. etcd's client balances over its endpoints, of which
// it has one here, and repeats requests, which is switched off.
type conn struct {
	settings
	etcd *clientv3.Client

	mu      sync.Mutex
	lease   clientv3.LeaseID  // of the locks; 0: there is none yet
	members map[uint64]string // names, by id, as far as they were asked for
	streams streams           // of watches, that are open between two operations
	closed  bool
}

var (
	_ goclient.Conn       = (*conn)(nil)
	_ goclient.Controller = (*conn)(nil)
)

// dial connects to a node, and returns when the connection is there: one that is not is
// of no use to anybody, and etcd's client would go on trying in its own time.
func (s settings) dial(ctx context.Context, node goclient.Node) (goclient.Conn, error) {
	s.nodes.note(node.Name, node.Addr)
	port := node.Port
	if port == 0 {
		port = defaultPort
	}
	at := net.JoinHostPort(node.Addr, strconv.Itoa(int(port)))
	var why atomic.Pointer[error]
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:       []string{"http://" + at},
		MaxUnaryRetries: 1, // attempts, the first included
		Logger:          zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(noteSent),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				var d net.Dialer
				c, err := d.DialContext(ctx, "tcp", at)
				if err != nil {
					why.Store(&err)
				}
				return c, err
			}),
		},
	})
	if err != nil {
		return nil, err
	}
	if err := established(ctx, etcd.ActiveConnection()); err != nil {
		_ = etcd.Close()
		if cause := why.Load(); cause != nil {
			err = *cause
		}
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno // "connection refused": the history names the node already
		}
		return nil, err
	}
	return &conn{settings: s, etcd: etcd}, nil
}

// established waits until a connection is there, for one attempt.
func established(ctx context.Context, c *grpc.ClientConn) error {
	c.Connect()
	for {
		switch state := c.GetState(); state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return fmt.Errorf("the connection is in %v", state)
		default:
			if !c.WaitForStateChange(ctx, state) {
				return ctx.Err()
			}
		}
	}
}

// Close ends the connection.
func (c *conn) Close() {
	c.endStreams()
	_ = c.etcd.Close()
}

// Do carries out an operation of the workload.
func (c *conn) Do(ctx context.Context, op goclient.Op) ([]byte, error) {
	do, ok := workloads()[c.workload]
	if !ok {
		return nil, goclient.Fail("this client has no workload %q", c.workload)
	}
	ctx, sent := watched(ctx)
	out, err := do(c, ctx, op)
	if err != nil {
		err = c.explain(err, sent)
	}
	return out, err
}

// doer carries out operations of one workload.
type doer func(c *conn, ctx context.Context, op goclient.Op) ([]byte, error)

// workloads are those that this client carries out, by name.
func workloads() map[string]doer {
	return map[string]doer{
		"register":       (*conn).register,
		"multi-register": (*conn).registers,
		"append":         (*conn).lists,
		"rw":             (*conn).registers,
		"mini":           (*conn).registers,
		"bank":           (*conn).bank,
		"counter":        (*conn).counter,
		"monotonic":      (*conn).monotonic,
		"unique-ids":     (*conn).uniqueIDs,
		"set":            (*conn).set,
		"queue":          (*conn).queue,
		"fifo-queue":     (*conn).queue,
		"lock":           (*conn).lock,
		"watch":          (*conn).watch,
	}
}

// get are the options of a read.
func (c *conn) get(more ...clientv3.OpOption) []clientv3.OpOption {
	if c.serializable {
		more = append(more, clientv3.WithSerializable())
	}
	return more
}
