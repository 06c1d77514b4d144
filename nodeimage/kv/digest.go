package kv

import (
	"context"
	"encoding/binary"
	"fmt"

	"squall/nodeimage/raft"
)

// Digest is what [Machine.Hash] would be, made anew of all that the state holds: keys,
// strings, elements of lists, locks, the lease time, the last token, sessions and the
// answers kept of them. Hash is kept up to date by what commands claim to do; this looks
// at what is there. It takes time with the size of the state.
func (m *Machine) Digest() uint64 {
	var pairs uint64
	count := 0
	for i := range m.shards {
		for key, e := range m.shards[i].entries {
			pairs += e.contentHash(hashBytes(keySeed, []byte(key)))
			count++
		}
	}
	return finish(pairs^uint64(count)*prime3) + m.locks.digest() + m.sessions.digest()
}

// contentHash is the hash of a pair, of its contents.
func (e *entry) contentHash(keyHash uint64) uint64 {
	if e.list == nil {
		return pairHash(keyHash, []byte(e.value))
	}
	l, err := listOf(e.list.encoded)
	if err != nil { // no list that was ever written: it agrees with nobody's
		return mix(keyHash, hashBytes(listSeed, e.list.encoded))
	}
	return mix(keyHash, l.chain)
}

func (t *lockTable) digest() uint64 {
	fresh := lockTable{held: make(map[string]lock, len(t.held)), token: t.token}
	fresh.now.Store(t.now.Load())
	for name, l := range t.held {
		fresh.hold(name, l.owner, l.token, l.ends)
	}
	return fresh.hash()
}

func (t *sessionTable) digest() (sum uint64) {
	for id, s := range t.all {
		sum += mix(sessionSeed, id, s.used, s.dropped)
		for i := range s.answers {
			sum += answerHash(id, &s.answers[i])
		}
	}
	return sum
}

// inspector looks at a node's own state.
type inspector interface {
	Inspect(done func(at raft.LogMark, err error))
}

// inspect answers a digest, of this node's own state, whether it leads or not.
func (r *router) inspect(q *request) {
	r.node.Inspect(func(at raft.LogMark, err error) {
		switch wanted := q.cmd.rest.at; {
		case err != nil:
			q.answer(noEffect(CodeStopped, ""))
		case wanted == 0:
			q.answer(digestAnswer(at.Index, 0))
		case wanted != at.Index:
			q.answer(noEffect(CodeElsewhere, fmt.Sprintf("at %d, not at %d", at.Index, wanted)))
		default:
			q.answer(digestAnswer(at.Index, r.state.Digest()))
		}
	})
}

func digestAnswer(index, digest uint64) response {
	b := binary.BigEndian.AppendUint64(nil, index)
	return response{status: statusOK, value: Some(string(binary.BigEndian.AppendUint64(b, digest)))}
}

// Applied is the index of the last log entry that the asked node's own state holds.
func (c *Client) Applied(ctx context.Context) (index uint64, err error) {
	index, _, err = c.digest(ctx, 0)
	return index, err
}

// Digest is [Machine.Digest] of the asked node's own state at an index of the log, which
// is above 0. A node that is not there, or is there no more, answers CodeElsewhere.
func (c *Client) Digest(ctx context.Context, at uint64) (digest uint64, err error) {
	_, digest, err = c.digest(ctx, at)
	return digest, err
}

func (c *Client) digest(ctx context.Context, at uint64) (index, digest uint64, err error) {
	r, err := c.do(ctx, OpDigest, func(buf []byte) []byte { return binary.AppendUvarint(append(buf, byte(OpDigest)), at) })
	if err != nil {
		return 0, 0, err
	}
	if len(r.value.Data) != 16 {
		return 0, 0, badAnswer(OpDigest, fmt.Errorf("a digest of %d bytes", len(r.value.Data)))
	}
	b := []byte(r.value.Data)
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), nil
}
