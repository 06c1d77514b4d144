package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"squall.invalid/client/goclient"
)

// controls are the requests that are no operations, by what they ask to do.
func controls() map[string]func(c *conn, ctx context.Context, request []byte) ([]byte, error) {
	return map[string]func(c *conn, ctx context.Context, request []byte) ([]byte, error){
		"leader":   func(c *conn, ctx context.Context, _ []byte) ([]byte, error) { return c.leader(ctx) },
		"members":  func(c *conn, ctx context.Context, _ []byte) ([]byte, error) { return c.memberList(ctx) },
		"add":      (*conn).add,
		"promote":  (*conn).promote,
		"remove":   (*conn).remove,
		"transfer": (*conn).transfer,
		"replica":  (*conn).replica,
	}
}

// Control carries out a request that is no operation.
func (c *conn) Control(ctx context.Context, do string, request []byte) ([]byte, error) {
	control, ok := controls()[do]
	if !ok {
		return nil, goclient.Fail("this client has no %q", do)
	}
	ctx, sent := watched(ctx)
	out, err := control(c, ctx, request)
	if err != nil {
		err = c.explain(err, sent)
	}
	return out, err
}

// status is the node's own view. etcd's client would ask the endpoint that it is given
// over a connection of its own.
func (c *conn) status(ctx context.Context) (*pb.StatusResponse, error) {
	status, err := pb.NewMaintenanceClient(c.etcd.ActiveConnection()).Status(ctx, &pb.StatusRequest{})
	if err != nil {
		return nil, readError{err}
	}
	return status, nil
}

// leader answers with the name of the node that leads, as this node sees it, or null.
func (c *conn) leader(ctx context.Context) ([]byte, error) {
	status, err := c.status(ctx)
	switch {
	case err != nil:
		return nil, err
	case status.Leader == 0:
		return []byte("null"), nil
	}
	name, known := c.memberName(status.Leader)
	if !known {
		if err := c.learnMembers(ctx); err != nil {
			return nil, err
		}
		name, known = c.memberName(status.Leader)
	}
	if !known {
		return []byte("null"), nil
	}
	return goclient.AppendText(nil, name), nil
}

func (c *conn) memberName(id uint64) (name string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, known = c.members[id]
	return name, known
}

// learnMembers learns the names of members from what the node itself knows: one that is
// cut off has an opinion about who leads, too.
func (c *conn) learnMembers(ctx context.Context) error {
	all, err := c.listMembers(ctx, false)
	if err != nil {
		return err
	}
	members := map[uint64]string{}
	for _, m := range all {
		members[m.ID] = c.nodes.name(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = members
	return nil
}

// replica answers with the node's own revision or, of one that is given, with the hash
// of all keys up to it. What was compacted is not in it.
func (c *conn) replica(ctx context.Context, request []byte) ([]byte, error) {
	var asked struct{ At *int64 }
	if err := json.Unmarshal(request, &asked); err != nil {
		return nil, goclient.Fail("no request about a copy: %w", err)
	}
	if asked.At == nil {
		status, err := c.status(ctx)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(nil, status.Header.Revision, 10), nil
	}
	r, err := pb.NewMaintenanceClient(c.etcd.ActiveConnection()).HashKV(ctx, &pb.HashKVRequest{Revision: *asked.At})
	if err != nil {
		return nil, readError{err}
	}
	basis := ""
	if r.CompactRevision > 0 {
		basis = fmt.Sprintf(`,"basis":"compacted at %d"`, r.CompactRevision)
	}
	return fmt.Appendf(nil, `{"at":%d,"digest":"%08x"%s}`, *asked.At, r.Hash, basis), nil
}
