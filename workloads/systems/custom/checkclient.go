package custom

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

// defaultWithin is how long it may take until all nodes are ready.
const defaultWithin = 20 * time.Second

// longestWithin bounds it: nobody waits for longer.
const longestWithin = 10 * time.Minute

func (d *Definition) compileReady(c *compiled) {
	r := d.Ready
	if r == nil {
		return
	}
	made := &madeReady{within: time.Duration(r.Within)}
	if r.Within == 0 {
		made.within = defaultWithin
	}
	if made.within < 0 || made.within > longestWithin {
		c.wrong(fmt.Errorf("expected a time up to %v, found %v", longestWithin, made.within), "ready", "within")
	}
	ways := 0
	for _, given := range []bool{r.Port != "", r.HTTP != nil, r.Log != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		c.wrong(errors.New("expected one of port, http and log"), "ready")
	case r.HTTP != nil:
		made.port, made.http = d.question(c, r.HTTP, nil, "ready", "http")
	case r.Log != "":
		var err error
		if made.line, err = regexp.Compile(r.Log); err != nil {
			c.wrong(fmt.Errorf("not a regular expression: %w", err), "ready", "log")
		} else if made.line.MatchString("") {
			c.wrong(fmt.Errorf("%q matches an empty line, so it says nothing", cut(r.Log)), "ready", "log")
		}
	default:
		made.port = d.port(c, r.Port, "ready")
	}
	c.ready = made
}

// compileLog makes the patterns of logs ready.
func (d *Definition) compileLog(c *compiled) {
	for _, of := range []struct {
		key, role string
		texts     []string
	}{{"leader", history.RoleLeader, d.Log.Leader}, {"candidate", history.RoleCandidate, d.Log.Candidate}, {"follower", history.RoleFollower, d.Log.Follower}} {
		for i, text := range of.texts {
			p, err := systems.NewLogPattern(of.role, text)
			if err != nil {
				c.wrong(err, "log", of.key, strconv.Itoa(i))
			}
			c.log = append(c.log, p)
		}
	}
	if d.Trace && len(c.log) > 0 {
		c.wrong(errors.New("the servers write a trace, so nothing is looked for in their output: leave out log or trace"), "log")
	}
}

// question makes a request ready that asks something of a node.
func (d *Definition) question(c *compiled, q *Question, p *Place, at ...string) (port string, call *httpCall) {
	text := q.Port
	if text == "" && d.Client.HTTP != nil {
		text = d.Client.HTTP.Port
	}
	port = d.port(c, text, at...)
	done := Matches{{Status: q.Status}}
	if len(q.Status) == 0 {
		done = Matches{{Status: Statuses{"200", "204"}}}
	}
	call = newHTTPCall(&HTTPCall{Request: q.Request, Done: done, Value: p}, nil, d.nodeVars(), c.scope(at...))
	return port, call
}

func (d *Definition) compileClient(c *compiled) {
	switch kinds := d.Client.kinds(); {
	case len(kinds) == 0:
		c.wrong(errors.New("it is not said how clients speak to a node: give http, redis or program"), "client")
	case len(kinds) > 1:
		c.wrong(fmt.Errorf("clients speak in one way, and there are %s: leave one", strings.Join(kinds, " and ")), "client")
	}
	if d.Client.HTTP != nil {
		d.compileHTTP(c)
	}
	if d.Client.Redis != nil {
		d.compileRedis(c)
	}
	if d.Client.Program != nil {
		d.compileProgram(c)
	}
}

// kinds are the ways in which clients are said to speak.
func (cl *Client) kinds() (kinds []string) {
	if cl.HTTP != nil {
		kinds = append(kinds, "http")
	}
	if cl.Redis != nil {
		kinds = append(kinds, "redis")
	}
	if cl.Program != nil {
		kinds = append(kinds, "program")
	}
	return kinds
}

// defaultMaxBody is the longest answer that is read, KiB; mostBody the longest that can
// be asked for.
const defaultMaxBody, mostBody = 1024, 16 << 10

func (d *Definition) compileHTTP(c *compiled) {
	h := d.Client.HTTP
	made := &httpStore{calls: map[string]*httpCall{}, redirects: h.FollowRedirects, maxBody: int64(h.MaxBody) << 10}
	made.port = d.port(c, h.Port, "client", "http")
	switch {
	case h.MaxBody == 0:
		made.maxBody = defaultMaxBody << 10
	case h.MaxBody < 1 || h.MaxBody > mostBody:
		c.wrong(fmt.Errorf("expected 1 to %d KiB, found %d", mostBody, h.MaxBody), "client", "http", "max-body")
	}
	for _, f := range h.Functions.all() {
		if f.call != nil {
			names := append(callVars(f.name), d.nodeVars()...)
			scope := c.scope("client", "http", "functions", f.name)
			before := len(c.problems)
			made.calls[f.name] = newHTTPCall(f.call, h.Headers, names, scope)
			checkMeaning(f.name, f.call, scope)
			if len(c.problems) == before { // else what it uses is not known
				checkUse(f.name, made.calls[f.name], scope)
			}
		}
	}
	c.http, c.store = made, made
	c.checkFunctions(made, "client", "http", "functions")
}

// checkMeaning refuses what a function has no use for, and a call that does not say what
// it must.
func checkMeaning(function string, from *HTTPCall, wrong func(error, ...string)) {
	refuses := slices.Contains([]string{fnCAS, fnCreate, fnAcquire, fnRelease}, function)
	if len(from.Refused) > 0 && !refuses {
		wrong(fmt.Errorf("%s cannot be refused: say fail of the answers that mean that it was not done", function), "refused")
	}
	if refuses && len(from.Refused) == 0 {
		wrong(fmt.Errorf("it is not said which answers refuse: give refused, such as 409, or {status: 200, json: ok, is: \"false\"}"))
	}
	if from.Found != nil && function != fnCAS && function != fnCreate && function != fnAcquire {
		wrong(fmt.Errorf("%s finds nothing when it is refused", function), "found")
	}
	if slices.Contains([]string{fnElements, fnList}, function) && (from.Value == nil || from.Value.JSON == "" && from.Value.Split == "") {
		wrong(errors.New("it is not said where the elements stand: give value, with json, or with split for a text"))
	}
}

// checkUse refuses a request that asks the same whatever it is about.
func checkUse(function string, call *httpCall, wrong func(error, ...string)) {
	for _, must := range callVars(function) {
		if must != "expect" && must != "owner" && must != "token" && !call.uses(must) {
			wrong(fmt.Errorf("the request of %s does not use ${%s}: it would ask the same of every %s", function, must, must), "request")
		}
	}
	if function == fnCAS && !call.uses("expect") {
		wrong(errors.New("the request of cas does not use ${expect}, so it would not compare"), "request")
	}
}

// uses reports whether a request has that variable anywhere.
func (c *httpCall) uses(name string) bool {
	if c.path.uses(name) || c.query.uses(name) || c.body.uses(name) || c.json != nil && c.json.uses(name) {
		return true
	}
	has := func(all map[string]template) bool {
		for _, t := range all {
			if t.uses(name) {
				return true
			}
		}
		return false
	}
	return has(c.headers) || has(c.form)
}

func (t jsonTemplate) uses(name string) bool {
	if t.text.uses(name) {
		return true
	}
	has := func(one jsonTemplate) bool { return one.uses(name) }
	return slices.ContainsFunc(t.items, has) || slices.ContainsFunc(slices.Collect(maps.Values(t.fields)), has)
}

// namedCall is a function of a client over HTTP.
type namedCall struct {
	name string
	call *HTTPCall
}

func (f *HTTPFunctions) all() []namedCall {
	return []namedCall{{fnRead, f.Read}, {fnWrite, f.Write}, {fnCAS, f.CAS}, {fnCreate, f.Create}, {fnDelete, f.Delete},
		{fnAdd, f.Add}, {fnElements, f.Elements}, {fnAppend, f.Append}, {fnList, f.List}, {fnAcquire, f.Acquire}, {fnRelease, f.Release}}
}

// checkFunctions wants the functions of one workload at least.
func (c *compiled) checkFunctions(made store, at ...string) {
	for workload := range needed() {
		if (client{prototype{made}}).Serves(workload) {
			return
		}
	}
	var lines []string
	for _, workload := range slices.Sorted(maps.Keys(needed())) {
		lines = append(lines, fmt.Sprintf("%s (for the workload %s)", strings.Join(needed()[workload], " and "), workload))
	}
	c.wrong(fmt.Errorf("no workload can be run with these functions: give %s", strings.Join(lines, ", or ")), at...)
}

func (d *Definition) compileProgram(c *compiled) {
	p := d.Client.Program
	made := &madeProgram{files: d.compileFiles(c, p.Files, "client", "program", "files")}
	made.command = compileCommand(c, p.Command, d.paramNames(), "client", "program", "command")
	made.env = compileEnv(c, p.Env, d.paramNames(), "client", "program", "env")
	if len(p.Workloads) == 0 {
		c.wrong(errors.New("it is not said which workloads the program can carry out: give workloads, such as [register]"), "client", "program")
	}
	c.program = made
}

func (d *Definition) compileLeader(c *compiled) {
	l := d.Leader
	if l == nil {
		return
	}
	switch {
	case (l.HTTP == nil) == (l.Redis == nil):
		c.wrong(errors.New("expected one of http and redis; what servers write about leaders is said in log"), "leader")
		return
	case l.HTTP != nil && d.Client.HTTP == nil:
		c.wrong(errors.New("only the client http can ask over HTTP"), "leader", "http")
		return
	case l.Redis != nil && d.Client.Redis == nil:
		c.wrong(errors.New("only the client redis can ask with a command of Redis"), "leader", "redis")
		return
	}
	if l.Is != "" && l.Node != "" {
		c.wrong(errors.New("is says that the node which was asked leads, and node which one does: leave one of them"), "leader")
	}
	if l.Redis != nil {
		d.compileRedisLeader(c, l.Redis)
	} else {
		c.http.asksAt, c.http.asks = d.question(c, &l.HTTP.Question, &l.HTTP.Place, "leader", "http")
	}
	texts := []string{"${id}", "${name}", "${addr}"}
	if l.Node != "" {
		texts = []string{l.Node}
	}
	for _, text := range texts {
		t, err := parseTemplate(text, d.nodeVars())
		if err != nil {
			c.wrong(err, "leader", "node")
		}
		c.names = append(c.names, t)
	}
}
