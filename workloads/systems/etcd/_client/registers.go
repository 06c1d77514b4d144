package main

import (
	"context"
	"encoding/json"

	clientv3 "go.etcd.io/etcd/client/v3"

	"squall.invalid/client/goclient"
)

// registers carries out a transaction that reads registers and writes others.
func (c *conn) registers(ctx context.Context, op goclient.Op) ([]byte, error) {
	steps, err := registerSteps(op.In)
	if err != nil {
		return nil, err
	}
	carryOut := c.atOnce
	if c.transactions != whole {
		carryOut = c.readFirst
	}
	found, err := carryOut(ctx, steps)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	for i, s := range steps {
		if i > 0 {
			out = append(out, ',')
		}
		word := `["r",`
		if s.writes {
			word, found[i] = `["w",`, goclient.AppendText(nil, s.value)
		}
		out = goclient.AppendText(append(out, word...), s.key)
		out = append(append(append(out, ','), found[i]...), ']')
	}
	return append(out, ']'), nil
}

// registerStep is one operation of a transaction: a write of a value, or a read.
type registerStep struct {
	writes     bool
	key, value string
}

// registerSteps reads a list of ["w", key, value] and ["r", key, null].
func registerSteps(in []byte) ([]registerStep, error) {
	var said [][3]*string
	if err := json.Unmarshal(in, &said); err != nil {
		return nil, goclient.Fail("a transaction of %s: %w", in, err)
	}
	steps := make([]registerStep, len(said))
	for i, s := range said {
		switch {
		case s[0] == nil || s[1] == nil || *s[0] != "r" && (*s[0] != "w" || s[2] == nil):
			return nil, goclient.Fail("a transaction of %s, which has neither reads nor writes alone", in)
		case *s[0] == "r":
			steps[i] = registerStep{key: *s[1]}
		default:
			steps[i] = registerStep{true, *s[1], *s[2]}
		}
	}
	return steps, nil
}

// atOnce carries out steps as one transaction of etcd's, in their order, and is what reads
// find, as JSON. etcd writes a key once in a transaction: of several writes of a register
// only the last is sent, and a read between them is of what the transaction itself wrote.
func (c *conn) atOnce(ctx context.Context, steps []registerStep) ([][]byte, error) {
	last := map[string]int{}
	for i, s := range steps {
		if s.writes {
			last[s.key] = i
		}
	}
	found := make([][]byte, len(steps))
	unsent := map[string][]byte{} // what the transaction last wrote to a register and does not send
	var ops []clientv3.Op
	var asked []int
	for i, s := range steps {
		switch own, has := unsent[s.key]; {
		case s.writes && i < last[s.key]:
			unsent[s.key] = goclient.AppendText(nil, s.value)
		case s.writes:
			delete(unsent, s.key)
			ops, asked = append(ops, clientv3.OpPut(s.key, s.value)), append(asked, i)
		case has:
			found[i] = own
		default:
			ops, asked = append(ops, clientv3.OpGet(s.key, c.get()...)), append(asked, i)
		}
	}
	r, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		if len(last) == 0 {
			err = readError{err}
		}
		return nil, err
	}
	for at, i := range asked {
		if !steps[i].writes {
			found[i] = valueOf((*clientv3.GetResponse)(r.Responses[at].GetResponseRange()))
		}
	}
	return found, nil
}

// readFirst reads all registers that the steps read and have not written themselves, and then
// writes the others, if those are still as they were read.
func (c *conn) readFirst(ctx context.Context, steps []registerStep) ([][]byte, error) {
	place := map[string]int{} // of a register among the reads
	written := map[string]bool{}
	var keys []string
	var reads []clientv3.Op
	for _, s := range steps {
		if _, has := place[s.key]; s.writes {
			written[s.key] = true
		} else if !has && !written[s.key] {
			place[s.key] = len(keys)
			keys, reads = append(keys, s.key), append(reads, clientv3.OpGet(s.key, c.get()...))
		}
	}
	var answers [][]byte
	_, err := c.update(ctx, reads, func(found []*clientv3.GetResponse) (to change, err error) {
		for i, key := range keys {
			to.holds = append(to.holds, unchanged(key, found[i]))
		}
		own := map[string][]byte{}
		writes := map[string]string{}
		answers = make([][]byte, len(steps))
		for i, s := range steps {
			switch value, has := own[s.key]; {
			case s.writes:
				own[s.key], writes[s.key] = goclient.AppendText(nil, s.value), s.value
			case has:
				answers[i] = value
			default:
				answers[i] = valueOf(found[place[s.key]])
			}
		}
		for key, value := range writes {
			to.then = append(to.then, clientv3.OpPut(key, value))
		}
		return to, nil
	})
	return answers, err
}
