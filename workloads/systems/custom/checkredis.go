package custom

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"squall/internal/suggest"
)

func (d *Definition) compileRedis(c *compiled) {
	r := d.Client.Redis
	at := []string{"client", "redis"}
	made := &redisStore{calls: map[string]*redisCall{}, workloads: r.Workloads, transactions: r.Transactions,
		maxBody: int64(r.MaxBody) << 10, fail: append(surelyFailed(), r.Fail...)}
	made.port = d.port(c, r.Port, at...)
	switch {
	case r.MaxBody == 0:
		made.maxBody = defaultMaxBody << 10
	case r.MaxBody < 1 || r.MaxBody > mostBody:
		c.wrong(fmt.Errorf("expected 1 to %d KiB, found %d", mostBody, r.MaxBody), "client", "redis", "max-body")
	}
	for i, command := range r.Connect {
		if len(command.Command) == 0 {
			c.wrong(errors.New("the command is missing"), "client", "redis", "connect", strconv.Itoa(i))
		}
		made.connect = append(made.connect, command.Command)
	}
	known := slices.Sorted(maps.Keys(needed()))
	for i, w := range r.Workloads {
		if !slices.Contains(known, w) {
			c.wrong(fmt.Errorf("the protocol of Redis has no commands for a workload %q; %s", cut(w), suggest.Among(w, known)), "client", "redis", "workloads", strconv.Itoa(i))
		}
	}
	for name, call := range r.Functions.all() {
		usual, any := usualCommands()[name]
		switch {
		case call == nil && any:
			call = &RedisCall{Command: usual}
		case call == nil:
			continue
		}
		made.calls[name] = newRedisCall(name, call, d.nodeVars(), c.scope("client", "redis", "functions", name))
	}
	for i, w := range r.Workloads {
		if slices.Contains(known, w) && !(client{prototype{made}}).Serves(w) {
			c.wrong(fmt.Errorf("the workload %s needs the functions %s: give the commands that have no usual ones", w, strings.Join(needed()[w], " and ")), "client", "redis", "workloads", strconv.Itoa(i))
		}
	}
	c.store = made
}

// newRedisCall makes a call ready. wrong takes each mistake.
func newRedisCall(function string, from *RedisCall, nodeVars []string, wrong func(err error, key ...string)) *redisCall {
	made := &redisCall{tellsFound: from.Found != ""}
	if len(from.Command) == 0 {
		wrong(errors.New("the command is missing: [GET, \"${key}\"]"))
		return made
	}
	names := append(callVars(function), nodeVars...)
	broken := false
	for i, text := range from.Command {
		t, err := parseTemplate(text, names)
		if err != nil {
			wrong(err, "command", strconv.Itoa(i))
			broken = true
		}
		made.command = append(made.command, t)
	}
	for _, must := range callVars(function) {
		uses := func(t template) bool { return t.uses(must) }
		if !broken && must != "owner" && must != "token" && !slices.ContainsFunc(made.command, uses) {
			wrong(fmt.Errorf("the command of %s does not use ${%s}: it would ask the same of every %[2]s", function, must), "command")
		}
	}
	refuses := slices.Contains([]string{fnCAS, fnCreate, fnAcquire, fnRelease}, function)
	switch {
	case refuses && len(from.Refused) == 0:
		wrong(errors.New(`it is not said which answers refuse: give refused, such as "0", or "null" for nothing`))
	case !refuses && len(from.Refused) > 0:
		wrong(fmt.Errorf("%s cannot be refused", function), "refused")
	}
	path := func(text string, key ...string) jsonPath {
		if text == "" {
			text = "."
		}
		p, err := parsePath(text)
		if err != nil {
			wrong(err, key...)
		}
		return p
	}
	made.value, made.found = path(from.Value, "value"), path(from.Found, "found")
	for i, m := range from.Refused {
		made.refused = append(made.refused, match{path: path(m.At, "refused", strconv.Itoa(i), "at"), is: m.Is})
	}
	for i, m := range from.Done {
		made.done = append(made.done, match{path: path(m.At, "done", strconv.Itoa(i), "at"), is: m.Is})
	}
	return made
}

// compileRedisLeader makes the command ready that asks who leads.
func (d *Definition) compileRedisLeader(c *compiled, l *LeaderRedis) {
	made, ok := c.store.(*redisStore)
	if !ok {
		return
	}
	if len(l.Command) == 0 {
		c.wrong(errors.New("the command is missing, such as [INFO, raft]"), "leader", "redis")
	}
	var err error
	if made.asksFor, err = newPlace(Place{JSON: ".", Pattern: l.Pattern}); err != nil {
		c.wrong(err, "leader", "redis", "pattern")
	}
	made.asks = l.Command
}
