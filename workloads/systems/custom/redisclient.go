package custom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"squall/history"
	"squall/workloads/listappend"
	"squall/workloads/systems"
)

// redisStore is a description of a client in the protocol of Redis that was made ready.
type redisStore struct {
	calls        map[string]*redisCall
	connect      [][]string
	port         string
	maxBody      int64
	fail         []string
	workloads    []string // nil: all that it can
	transactions bool
	asks         []string // the command for who leads; nil: nobody knows
	asksFor      place
}

// redisCall is a RedisCall that was made ready.
type redisCall struct {
	command    []template
	value      jsonPath
	done       matches // nil: every answer that is no error
	refused    matches
	found      jsonPath
	tellsFound bool
}

// redisConn is a connection to one node.
type redisConn struct {
	*redisStore
	base vars
	main *pool
}

func (s *redisStore) at() string { return s.port }

// open connects to a node.
func (s *redisStore) open(ctx context.Context, addr, port string, base vars) (backend, error) {
	c := &redisConn{redisStore: s, base: base, main: &pool{addr: addr + ":" + port}}
	c.main.greet = c.greet
	w, err := c.main.take(ctx)
	if err != nil {
		return nil, err
	}
	c.main.put(w)
	return c, nil
}

// greet sends what each connection begins with.
func (c *redisConn) greet(w *wire) error {
	if len(c.connect) == 0 {
		return nil
	}
	answers, err := c.exchange(w, c.connect)
	for i := range answers {
		if refused, ok := answers[i].(redisError); ok && err == nil {
			err = fmt.Errorf("%s: %w", c.connect[i][0], refused)
		}
	}
	return err
}

func (s *redisStore) can(function string) bool {
	return s.calls[function] != nil || function == fnTransact && s.transactions
}

// takes reports whether the description lets the store take a workload.
func (s *redisStore) takes(workload string) bool {
	return s.workloads == nil || slices.Contains(s.workloads, workload)
}

func (c *redisConn) close() { c.main.close() }

// exchange sends commands at once and reads their answers.
func (s *redisStore) exchange(w *wire, commands [][]string) ([]any, error) {
	var out []byte
	for _, command := range commands {
		out = appendCommand(out, command)
	}
	w.wrote, w.left = 0, int64(len(commands))*(maxHeader+s.maxBody)
	if _, err := w.Write(out); err != nil {
		return nil, err
	}
	in := respReader{in: w.in, most: s.maxBody}
	var answers []any
	for range commands {
		answer, err := in.read()
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// ask sends commands, once, and returns their answers.
func (c *redisConn) ask(ctx context.Context, commands ...[]string) (answers []any, err error) {
	err = c.main.use(ctx, c.maxBody, func(w *wire) (keep bool, err error) {
		answers, err = c.exchange(w, commands)
		return w.in.Buffered() == 0, err
	})
	return answers, err
}

// command is a command with its arguments filled in.
func (c *redisConn) command(call *redisCall, v vars) []string {
	all := maps.Clone(c.base)
	maps.Copy(all, v)
	return expandAll(call.command, all)
}

// call carries out a function.
func (c *redisConn) call(ctx context.Context, function string, v vars) (reply, error) {
	call := c.calls[function]
	if call == nil {
		return reply{}, missing(function)
	}
	answers, err := c.ask(ctx, c.command(call, v))
	if err != nil {
		return reply{}, err
	}
	if err := c.refusal(answers[0]); err != nil {
		return reply{}, err
	}
	r := call.reply(answers[0])
	if a := (&answer{parsed: true, tree: answers[0]}); !r.refused && call.done != nil && !call.done.holds(a) {
		return reply{}, &systems.Error{Err: fmt.Errorf("the answer %.60q means neither that it was done nor that it was refused", fmt.Sprint(answers[0]))}
	}
	return r, nil
}

// refusal is an answer that is an error.
func (c *redisConn) refusal(answer any) error {
	text, ok := answer.(redisError)
	if !ok {
		return nil
	}
	for _, prefix := range c.fail {
		if rest, ok := strings.CutPrefix(string(text), prefix); ok && (rest == "" || rest[0] == ' ') {
			return &systems.Error{Certain: true, Err: text}
		}
	}
	return &systems.Error{Err: text}
}

// reply is what an answer means.
func (c *redisCall) reply(found any) reply {
	a := &answer{parsed: true, tree: found}
	at := place{path: c.value}
	r := reply{refused: c.refused.holds(a)}
	if r.refused {
		at.path, r.tells = c.found, c.tellsFound
	}
	r.value = func() (history.Value, error) { return at.value(a) }
	r.list = func() ([]string, error) { return at.list(a) }
	return r
}

// transact carries out a transaction of several operations, with MULTI and EXEC.
func (c *redisConn) transact(ctx context.Context, ops []listappend.Op) ([][]string, error) {
	commands := [][]string{{"MULTI"}}
	for _, op := range ops {
		call, v := c.calls[fnList], vars{"key": op.Key}
		if op.Append {
			call, v["element"] = c.calls[fnAppend], op.Element
		}
		commands = append(commands, c.command(call, v))
	}
	answers, err := c.ask(ctx, append(commands, []string{"EXEC"})...)
	if err != nil {
		return nil, err
	}
	last := answers[len(answers)-1]
	if err := c.refusal(last); err != nil {
		return nil, err
	}
	results, ok := last.([]any)
	switch {
	case last == nil:
		return nil, &systems.Error{Certain: true, Err: fmt.Errorf("the transaction was aborted")}
	case !ok || len(results) != len(ops):
		return nil, &systems.Error{Err: fmt.Errorf("EXEC answered %.60q for %d commands", fmt.Sprint(last), len(ops))}
	}
	lists := make([][]string, len(ops))
	for i, op := range ops {
		if err := c.refusal(results[i]); err != nil {
			return nil, &systems.Error{Err: fmt.Errorf("in a transaction: %w", err)} // the others were done
		}
		if op.Append {
			continue
		}
		if lists[i], err = c.calls[fnList].reply(results[i]).list(); err != nil {
			return nil, incomprehensible(fnList, err)
		}
	}
	return lists, nil
}

// leader asks the node who leads.
func (c *redisConn) leader(ctx context.Context) (history.Value, error) {
	answers, err := c.ask(ctx, c.asks)
	if err != nil {
		return history.None, err
	}
	if _, refused := answers[0].(redisError); refused {
		return history.None, nil // it does not know
	}
	return c.asksFor.value(&answer{parsed: true, tree: answers[0]})
}
