package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"squall.invalid/client/goclient"
)

// defaultPeerPort is where etcd serves its peers.
const defaultPeerPort = 2380

// target is the node that a change of members is about.
type target struct {
	Node, Addr string
	Learner    bool
}

func targetOf(request []byte) (target, error) {
	var t target
	if err := json.Unmarshal(request, &t); err != nil {
		return t, goclient.Fail("no request about a node: %w", err)
	}
	return t, nil
}

func (t target) peerURL() string {
	return "http://" + net.JoinHostPort(t.Addr, strconv.Itoa(defaultPeerPort))
}

// listMembers asks the cluster for its members, or the node for what it knows of them,
// which is there also when there is no quorum.
func (c *conn) listMembers(ctx context.Context, linearizable bool) ([]*pb.Member, error) {
	list, err := pb.NewClusterClient(c.etcd.ActiveConnection()).MemberList(ctx, &pb.MemberListRequest{Linearizable: linearizable})
	if err != nil {
		return nil, readError{fmt.Errorf("who the members are: %w", err)}
	}
	return list.Members, nil
}

// find is the member that a node is, by its address: one that was added and has not
// started has no name.
func (c *conn) find(ctx context.Context, t target) (*pb.Member, error) {
	all, err := c.listMembers(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if slices.Contains(m.PeerURLs, t.peerURL()) {
			return m, nil
		}
	}
	return nil, goclient.Fail("%s is no member", t.Node)
}

// memberList answers with the names of voters and learners.
func (c *conn) memberList(ctx context.Context) ([]byte, error) {
	all, err := c.listMembers(ctx, true)
	if err != nil {
		return nil, err
	}
	var said struct {
		Voters   []string `json:"voters"`
		Learners []string `json:"learners,omitempty"`
	}
	said.Voters = []string{}
	for _, m := range all {
		if name := c.nodes.name(m); m.IsLearner {
			said.Learners = append(said.Learners, name)
		} else {
			said.Voters = append(said.Voters, name)
		}
	}
	return json.Marshal(said)
}

// nodes are those that squall has named, by the URLs that they have as peers.
type nodes struct {
	mu    sync.Mutex
	names map[string]string
}

func (n *nodes) note(name, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		n.names = map[string]string{}
	}
	n.names[target{Addr: addr}.peerURL()] = name
}

// name is a member's name. One that has not started yet has told the cluster none, but
// its URL is known.
func (n *nodes) name(m *pb.Member) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, url := range m.PeerURLs {
		if name, known := n.names[url]; known {
			return name
		}
	}
	return m.Name
}

func (c *conn) add(ctx context.Context, request []byte) ([]byte, error) {
	t, err := targetOf(request)
	if err != nil {
		return nil, err
	}
	c.nodes.note(t.Node, t.Addr)
	if t.Learner {
		_, err = c.etcd.MemberAddAsLearner(ctx, []string{t.peerURL()})
	} else {
		_, err = c.etcd.MemberAdd(ctx, []string{t.peerURL()})
	}
	return nil, err
}

// change makes a change that is about a member.
func (c *conn) change(ctx context.Context, request []byte, change func(id uint64) error) ([]byte, error) {
	t, err := targetOf(request)
	if err != nil {
		return nil, err
	}
	m, err := c.find(ctx, t)
	if err != nil {
		return nil, err
	}
	return nil, change(m.ID)
}

func (c *conn) promote(ctx context.Context, request []byte) ([]byte, error) {
	return c.change(ctx, request, func(id uint64) error {
		_, err := c.etcd.MemberPromote(ctx, id)
		return err
	})
}

func (c *conn) remove(ctx context.Context, request []byte) ([]byte, error) {
	return c.change(ctx, request, func(id uint64) error {
		_, err := c.etcd.MemberRemove(ctx, id)
		return err
	})
}

func (c *conn) transfer(ctx context.Context, request []byte) ([]byte, error) {
	return c.change(ctx, request, func(id uint64) error {
		_, err := c.etcd.MoveLeader(ctx, id)
		return err
	})
}
