package main

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"squall.invalid/client/goclient"
)

type keyValue = mvccpb.KeyValue

// Control tells who leads.
func (c *conn) Control(ctx context.Context, do string, request []byte) ([]byte, error) {
	if do != "leader" {
		return nil, goclient.Fail("this client has no %q", do)
	}
	name, err := c.leader(ctx)
	switch {
	case err != nil:
		return nil, &goclient.Error{Certain: true, Err: err}
	case name == "":
		return []byte("null"), nil
	}
	return goclient.AppendText(nil, name), nil
}

// leader is the name of the node that leads, as this node sees it; "": none.
func (c *conn) leader(ctx context.Context) (string, error) {
	status, err := pb.NewMaintenanceClient(c.etcd.ActiveConnection()).Status(ctx, &pb.StatusRequest{})
	if err != nil || status.Leader == 0 {
		return "", err
	}
	c.mu.Lock()
	name, known := c.members[status.Leader]
	c.mu.Unlock()
	if known {
		return name, nil
	}
	// From the node's own state: one that is cut off has an opinion, too.
	list, err := pb.NewClusterClient(c.etcd.ActiveConnection()).MemberList(ctx, &pb.MemberListRequest{})
	if err != nil {
		return "", fmt.Errorf("who the members are: %w", err)
	}
	members := map[uint64]string{}
	for _, m := range list.Members {
		if m.Name != "" { // one that has not started yet has none
			members[m.ID] = m.Name
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = members
	return members[status.Leader], nil
}
