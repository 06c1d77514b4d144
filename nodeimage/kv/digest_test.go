package kv

import (
	"errors"
	"fmt"
	"testing"

	"squall/nodeimage/raft"
)

// eventful is a state with some of everything.
func eventful(t *testing.T) (s *script, session uint64) {
	s = newScript(t)
	for i := range 300 {
		s.ok(put(fmt.Sprint("key", i), fmt.Sprint(i)))
		s.ok(appendTo(fmt.Sprint("list", i%7), fmt.Sprint(i)))
	}
	s.granted(5, "lock", "x", 0)
	session = s.register()
	for n := range uint64(10) {
		s.ok(in(session, n+1, 1, put("k", fmt.Sprint(n))))
	}
	return s, session
}

// TestDigestIsOfTheContents changes the state behind its own back, as a defect would: the
// digest sees each change, and the running hash none of them.
func TestDigestIsOfTheContents(t *testing.T) {
	for name, change := range map[string]func(m *Machine, session uint64){
		"a key is gone":      func(m *Machine, _ uint64) { m.shardOf("key7").delete("key7") },
		"a value is another": func(m *Machine, _ uint64) { m.shardOf("key7").set("key7", func(e *entry) { e.value = "8" }) },
		"a list is shorter": func(m *Machine, _ uint64) {
			m.shardOf("list3").set("list3", func(e *entry) {
				short := *e.list
				short.encoded = short.encoded[:len(short.encoded)-4]
				e.list = &short
			})
		},
		"a list is damaged": func(m *Machine, _ uint64) {
			m.shardOf("list3").set("list3", func(e *entry) { e.list = &list{chain: e.list.chain, encoded: []byte{9}} })
		},
		"a lock is free":       func(m *Machine, _ uint64) { delete(m.locks.held, "lock") },
		"a token is forgotten": func(m *Machine, _ uint64) { m.locks.token-- },
		"sessions are gone":    func(m *Machine, _ uint64) { clear(m.sessions.all) },
		"an answer is gone": func(m *Machine, session uint64) {
			s := m.sessions.all[session]
			s.answers = s.answers[1:]
		},
	} {
		s, session := eventful(t)
		before, hash := s.m.Digest(), s.m.Hash()
		if before != hash || restored(t, s.m).Digest() != before {
			t.Fatalf("digest %x, hash %x, digest after a snapshot %x", before, hash, restored(t, s.m).Digest())
		}
		change(s.m, session)
		if s.m.Digest() == before {
			t.Errorf("%s, and the digest is the same", name)
		}
		if s.m.Hash() != hash && name != "a token is forgotten" {
			t.Errorf("%s: this test has changed the hash, too", name)
		}
	}
}

func (m *Machine) shardOf(key string) *shard {
	return &m.shards[hashBytes(keySeed, []byte(key))%shardCount]
}

func (s *shard) delete(key string) { delete(s.entries, key) }

func (s *shard) set(key string, change func(e *entry)) {
	e := s.entries[key]
	change(&e)
	s.entries[key] = e
}

// TestDigestsOfACluster: nodes that hold the same say so at one index, each of its own
// state, and the one that lost a key stands alone.
func TestDigestsOfACluster(t *testing.T) {
	c := startCluster(t, 3, steady)
	ctx := t.Context()
	clients := make([]*Client, len(c.servers))
	for i, server := range c.servers {
		clients[i] = dialServer(t, server.ClientAddr(), 0)
	}
	lead := clients[c.leader()]
	for i := range 20 {
		if err := lead.Put(ctx, fmt.Sprint("key", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	at, err := lead.Applied(ctx)
	if err != nil || at < 20 {
		t.Fatalf("at %d, %v", at, err)
	}
	for i, client := range clients {
		eventually(t, fmt.Sprintf("node %d is as far as the leader", i+1), func() bool {
			here, err := client.Applied(ctx)
			return err == nil && here == at
		})
	}
	digests := func() (all []uint64) {
		for i, client := range clients {
			d, err := client.Digest(ctx, at)
			if err != nil {
				t.Fatalf("digest of node %d: %v", i+1, err)
			}
			all = append(all, d)
		}
		return all
	}
	if d := digests(); d[0] != d[1] || d[1] != d[2] || d[0] == 0 {
		t.Errorf("digests %x of nodes that hold the same", d)
	}
	c.servers[1].node.Inspect(func(raft.LogMark, error) { c.servers[1].machine.shardOf("key7").delete("key7") })
	if d := digests(); d[0] == d[1] || d[0] != d[2] {
		t.Errorf("digests %x, and the second node lacks a key", d)
	}
	var e *Error
	if _, err := lead.Digest(ctx, at+5); !errors.As(err, &e) || e.Code != CodeElsewhere || !e.Certain {
		t.Errorf("a digest of what is to come: %v", err)
	}
}

// A node that has stopped is not looked at.
func TestInspectAfterTheEnd(t *testing.T) {
	c := startCluster(t, 1, nil)
	node := c.servers[0].node
	c.leader()
	c.stop(0)
	told := make(chan error, 1)
	node.Inspect(func(_ raft.LogMark, err error) { told <- err })
	if err := <-told; !errors.Is(err, raft.ErrStopped) {
		t.Errorf("%v, want that it has stopped", err)
	}
}
